"""The OSC side: one UDP socket; who sent something is answered where it came from.

A sender is a client of the stage like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
from collections.abc import Iterator
from typing import Any, Protocol

from stream_rnn.clock import Clock
from stream_rnn.errors import ProtocolError
from stream_rnn.gateway.audience import Viewer
from stream_rnn.gateway.events import opened_event
from stream_rnn.gateway.osc.agenda import Agenda, wall
from stream_rnn.gateway.osc.options import OscOptions
from stream_rnn.gateway.osc.peers import MAX_PAST, OscPeer, Peers
from stream_rnn.gateway.osc.presence import Address
from stream_rnn.gateway.stage import Stage
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc
from stream_rnn.wire import osc_requests as asked
from stream_rnn.wire.osc_answers import session_messages
from stream_rnn.wire.osc_patterns import matching

log = logging.getLogger("stream_rnn.osc")

LATE = -0.001  # seconds ahead; what is late by less has come at its time
QUIET = 60.0  # seconds between reports of our own failures

_Waiting = tuple[OscPeer, list[osc.Timed]]


class Learner(Protocol):
    """What learns which MIDI controller moves which control."""

    def learn(self, viewer: Viewer, request: asked.Learn, now: float) -> None:
        """The next controller that moves is to move a control."""
        ...

    def forget(self, viewer: Viewer, request: asked.Forget, now: float) -> None:
        """No controller is to move it."""
        ...


class OscServer(asyncio.DatagramProtocol):
    """Takes packets, and hands their messages to the stage when it is time.

    Attributes:
        learner: answers to `/rnn/midi/…`, if there is a MIDI input.
    """

    def __init__(self, stage: Stage, clock: Clock, options: OscOptions) -> None:
        self.options = options
        self.learner: Learner | None = None
        self._stage, self._clock = stage, clock
        self._transport: asyncio.DatagramTransport | None = None
        self._peers = Peers(
            options, lambda address: OscPeer(address, self.send, clock, options), stage.leave
        )
        self._agenda: Agenda[_Waiting] = Agenda(self._do_waiting)
        self._waiting = 0
        self._failed_at = -math.inf

    # asyncio's side

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def error_received(self, exc: Exception) -> None:
        """A datagram that nobody took: the sender or subscriber is gone, perhaps for a moment."""

    @property
    def local(self) -> Address:
        """Where it listens."""
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def stop(self) -> None:
        """Ends what sounds at subscribers, and closes the socket."""
        self._agenda.clear()
        self._peers.close()
        if self._transport is not None:
            self._transport.close()

    def sweep(self) -> None:
        """Ends the subscriptions of those who have gone; to be called every few seconds."""
        self._peers.sweep(self._clock.now())

    def datagram_received(self, data: bytes, address: Any) -> None:
        now = self._clock.now()
        if not self.options.allow.admits(address[0]):
            self._stage.counters.osc_refused += 1
            return
        peer = self._peers.hear((address[0], address[1]), now)
        if peer is None:
            # Not answered: an answer to each would double the flood.
            self._stage.counters.osc_refused += 1
            return
        try:
            messages = osc.parse_packet(data)
        except ProtocolError as error:
            self._stage.counters.osc_refused += 1
            self._stage.refuse(peer, error)
            return
        for at, together in itertools.groupby(messages, lambda message: message.time):
            self._at_its_time(peer, at, list(together))

    def send(self, data: bytes, address: Address) -> None:
        """One datagram, if the socket is open."""
        if self._transport is not None and not self._transport.is_closing():
            # What the network says against it comes to `error_received`; but of an address that is
            # none, such as one with a scope, uvloop complains here, where others would suffer.
            with contextlib.suppress(ValueError):
                self._transport.sendto(data, address)

    # Requests

    def _at_its_time(self, peer: OscPeer, at: float | None, messages: list[osc.Timed]) -> None:
        """Does messages of one packet and one time, together and in their order."""
        if at is None:
            self._do_all(peer, messages)
            return
        ahead = at - wall(self._clock.now(), self._clock)
        reason = None
        if ahead > self.options.ahead:
            reason = f"a timetag may be {self.options.ahead:g} s ahead, not {ahead:.1f}"
        elif ahead > 0 and self._waiting + len(messages) > self.options.waiting:
            reason = f"{self._waiting} messages wait for their timetag already"
        if reason is not None:
            for message in messages:
                error = ProtocolError("bad_timetag", reason)
                self._stage.refuse(peer, error, id=message.address)
            return
        if ahead < LATE:
            self._stage.counters.osc_late += len(messages)
        self._waiting += len(messages)
        self._agenda.add(at, ahead, (peer, messages))

    def _do_waiting(self, waiting: _Waiting) -> None:
        peer, messages = waiting
        self._waiting -= len(messages)
        self._do_all(peer, messages)

    def _do_all(self, peer: OscPeer, messages: list[osc.Timed]) -> None:
        now = self._clock.now()
        for message in messages:
            names, found = list(self._stage.sessions), list[asked.Request]()
            with self._answering(peer, message.address):
                found = asked.requests(message.address, message.arguments, names)
            for request in found:
                with self._answering(peer, message.address):
                    self._follow(peer, request, message.address, now)

    @contextlib.contextmanager
    def _answering(self, peer: OscPeer, address: str) -> Iterator[None]:
        """Tells the sender what went wrong; what comes after in its packet is done all the same."""
        try:
            yield
        except ProtocolError as error:
            self._stage.refuse(peer, error, id=address)
        except Exception:  # a bug of ours, which is nobody's reason to be left without an answer
            self._stage.counters.osc_failed += 1
            if self._clock.now() - self._failed_at >= QUIET:
                self._failed_at = self._clock.now()
                log.exception("cannot do %.200s", address)
            told = ProtocolError("internal", "the server failed at this; its log says how")
            self._stage.refuse(peer, told, id=address)

    def _follow(self, peer: OscPeer, request: asked.Request, address: str, now: float) -> None:
        match request:
            case asked.Subscribe(pattern, port, after):
                target = self._target(peer, port, now)
                for session in matching(pattern, list(self._stage.sessions)):
                    with self._answering(peer, address):
                        self._subscribe(target, session, after, now)
            case asked.Unsubscribe(pattern, port):
                target = self._target(peer, port, now)
                for session in matching(pattern, target.sessions):
                    target.end(session)
            case asked.Reply(port):
                peer.reply_to = (peer.address[0], port or peer.address[1])
            case asked.Learn() | asked.Forget():
                self._learn(peer, request, now)
            case asked.Panic():
                self._stage.panic(peer, now, id="/rnn/panic")
            case asked.ListModels():
                for name, model in sorted(self._stage.models.items()):
                    peer.send(osc.message_bytes("/rnn/model", name, model.codec.domain))
            case asked.ListSessions():
                standing = [opened_event(session) for session in self._stage.sessions.values()]
                for name, arguments in session_messages(standing):
                    peer.send(osc.message_bytes(name, *arguments))
            case _:
                self._stage.handle(peer, request, now)

    def _learn(self, peer: OscPeer, request: asked.Learn | asked.Forget, now: float) -> None:
        if self.learner is None:
            raise ProtocolError("no_midi", "no MIDI input is configured; see [[midi.in]]")
        if isinstance(request, asked.Learn):
            self.learner.learn(peer, request, now)
        else:
            self.learner.forget(peer, request, now)

    def _subscribe(self, target: OscPeer, name: str, after: int | None, now: float) -> None:
        session = self._stage.sessions.get(name)
        if session is None:
            raise ProtocolError("unknown_session", f"there is no session {name!r}")
        if after is not None:
            if not -1 <= after < max(session.position, 1):
                raise ProtocolError(
                    "bad_position", f"after must be from -1 to {session.position - 1}, not {after}"
                )
            after = self._recent(target, name, after, session.position)
        if name not in target.sessions:
            self._peers.check_room(target, now)
        target.begin(name)
        self._stage.handle(target, wire.Attach(session=name, after=after), now)

    def _recent(self, target: OscPeer, name: str, after: int, position: int) -> int:
        """What a subscriber may ask for: not more at once than its machine takes."""
        earliest = position - MAX_PAST - 1
        if after >= earliest:
            return after
        target.tell(wire.event("gap", session=name, after=after, before=earliest + 1))
        return earliest

    def _target(self, peer: OscPeer, port: int | None, now: float) -> OscPeer:
        return peer if port is None else self._peers.at((peer.address[0], port), now)
