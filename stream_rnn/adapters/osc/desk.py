"""Carries out the requests of OSC messages, in small steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from stream_rnn.adapters.osc.peer import OscPeer
from stream_rnn.adapters.osc.peers import Peers
from stream_rnn.adapters.osc.refusals import Refusals
from stream_rnn.adapters.osc.subscriptions import Subscriptions
from stream_rnn.errors import ProtocolError
from stream_rnn.stage.events import opened_event
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.subscribers import Asker
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc
from stream_rnn.wire import osc_requests as asked
from stream_rnn.wire.learning import Forget, Learn
from stream_rnn.wire.osc_answers import session_messages
from stream_rnn.wire.osc_faders import fader_messages

LISTED = 0.5  # cost of one entry of a list
MOVED = 1 / 8  # cost of telling one viewer of a change
FED = 1 / 64  # cost of one fed symbol

_DONE = object()


class Learner(Protocol):
    """The MIDI input, which learns what controller moves what control."""

    @property
    def learn(self) -> Callable[[Asker, Learn, float], None]: ...
    @property
    def forget(self) -> Callable[[Asker, Forget, float], None]: ...


@dataclass(eq=False)
class Desk:
    """Carries out the requests of messages.

    Attributes:
        learner: handles `/rnn/midi/…`; None without a MIDI input.
    """

    _stage: Stage
    _now: Callable[[], float]
    _peers: Peers
    _refusals: Refusals
    _subscriptions: Subscriptions
    learner: Learner | None = None

    def do(self, peer: OscPeer, message: osc.Timed) -> Iterator[None]:
        """Carries out a message, a part of it at each step; charges the sender for each part."""
        address, found = message.address, list[asked.Request]()
        self._peers.charge(peer, 1.0)
        with self._refusals.answering(peer, address):
            found = asked.requests(address, message.arguments, list(self._stage.sessions))
        for number, request in enumerate(found):
            if number:
                self._peers.charge(peer, 1.0)
            steps = self._follow(peer, request, address)
            while self._step(peer, steps, address):
                yield
            yield

    def _step(self, peer: OscPeer, steps: Iterator[None], address: str) -> bool:
        """Takes a step and reports its errors; returns whether there may be another step."""
        with self._refusals.answering(peer, address):
            return next(steps, _DONE) is not _DONE
        return False

    def _follow(self, peer: OscPeer, request: asked.Request, address: str) -> Iterator[None]:
        match request:
            case asked.Subscribe():
                yield from self._subscriptions.subscribe(peer, request, address)
            case asked.Unsubscribe():
                self._subscriptions.unsubscribe(peer, request)
            case asked.Feedback():
                yield from self._subscriptions.feedback(peer, request)
            case asked.Pong(number):
                yield from self._subscriptions.answered(peer, number)
            case asked.Reply(port):
                self._peers.reply_to(peer, port or None)
                self._subscriptions.greet(peer.reply_to)
            case asked.Token():  # `Door` has checked it already
                peer.send(osc.message_bytes("/rnn/admitted"))
            case asked.Ask(session, name):
                self._tell_value(peer, session, name)
            case Learn() | Forget():
                self._learn(peer, request)
            case asked.Plain.PANIC:
                self._stage.panic(peer, self._now(), id="/rnn/panic")
            case asked.Plain.MODELS:
                for name, model in sorted(self._stage.models.items()):
                    self._list(peer, "/rnn/model", (name, model.codec.domain))
                    yield
            case asked.Plain.SESSIONS:
                for standing in list(self._stage.sessions.values()):
                    for name, arguments in session_messages([opened_event(standing)]):
                        self._list(peer, name, arguments)
                    yield
            case _:
                self._hand_on(peer, request)

    def _list(self, peer: OscPeer, address: str, arguments: tuple[object, ...]) -> None:
        self._peers.charge(peer, LISTED)
        peer.send(osc.message_bytes(address, *arguments))

    def _hand_on(self, peer: OscPeer, request: wire.Message) -> None:
        """Passes a request that concerns a session on to the stage, and charges for it."""
        if isinstance(request, wire.Control):
            self._subscriptions.moved(peer, request.session, request.controls)
        if isinstance(request, wire.Feed):
            self._peers.charge(peer, len(request.symbols) * FED)
        if isinstance(request, wire.SessionRequest) and request.session in self._stage.sessions:
            self._peers.charge(peer, self._stage.viewers(request.session) * MOVED)
        self._stage.handle(peer, request, self._now())

    def _tell_value(self, peer: OscPeer, session: str, name: str) -> None:
        """Answers with a control's value, at the address that was asked."""
        controls = self._subscriptions.controls(session)
        if controls is None:
            raise ProtocolError("unknown_session", f"there is no session {session!r}")
        control = name.removesuffix("/norm")
        for address, arguments in fader_messages(session, controls, [control]).get(control, []):
            if address == f"/rnn/{session}/{name}":
                peer.send(osc.message_bytes(address, *arguments))

    def _learn(self, peer: OscPeer, request: Learn | Forget) -> None:
        if self.learner is None:
            raise ProtocolError("no_midi", "no MIDI input is configured; see [[midi.in]]")
        if isinstance(request, Learn):
            self.learner.learn(peer, request, self._now())
        else:
            self.learner.forget(peer, request, self._now())
