"""The OSC side: one UDP socket; who sent something is answered where it came from.

A sender is a client of the stage like any other. UDP has no goodbye, so a sender that holds no
subscription is forgotten after a while of silence.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stream_rnn.clock import Clock
from stream_rnn.errors import ProtocolError
from stream_rnn.gateway.audience import Moment
from stream_rnn.gateway.stage import Stage
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc
from stream_rnn.wire.notes import Voice

log = logging.getLogger("stream_rnn.osc")

Address = tuple[str, int]


@dataclass(frozen=True)
class OscOptions:
    """What bounds OSC clients.

    Attributes:
        latency: added to the due time in outgoing timetags, in seconds.
        ahead: how far ahead an incoming timetag may lie, in seconds.
        waiting: how many messages may wait for their timetag.
        rate: packets a second that one sender may send, on average and at once.
        peers: senders without a subscription that are remembered.
        subscriptions: how many there may be.
        silence: seconds after which a sender without subscriptions is forgotten.
    """

    latency: float = 0.0
    ahead: float = 10.0
    waiting: int = 4096
    rate: int = 2000
    peers: int = 256
    subscriptions: int = 256
    silence: float = 60.0


class OscPeer:
    """An address that sends to us, or that subscribed: a viewer of the stage."""

    def __init__(self, address: Address, server: OscServer) -> None:
        self.address = address
        self.heard_at = 0.0
        self.voices: dict[str, Voice] = {}  # by session; its keys are the subscriptions
        self._server = server
        self._allowance = float(server.options.rate)

    def may_send(self, now: float) -> bool:
        """Takes a packet from its allowance, if any is left."""
        rate = self._server.options.rate
        self._allowance = min(rate, self._allowance + (now - self.heard_at) * rate)
        self.heard_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def tell(self, event: wire.Event) -> None:
        for address, arguments in osc.answers(event):
            self.send(osc.message_bytes(address, *arguments))
        session = event.fields.get("session", "")
        if event.kind == "closed":
            self.end(session)
        elif session in self.voices and event.kind in ("paused", "reset", "rewound"):
            self._release(session)

    def symbol(self, event: wire.Event, moment: Moment) -> None:
        voice = self.voices.get(event.fields["session"])
        if voice is not None:
            messages = symbol_messages(event.fields, moment, voice)
            self.send(osc.bundle_bytes(self._server.wall(event.fields["due"]), messages))

    def history(self, events: Callable[[], Iterator[wire.Event]]) -> None:
        """OSC clients live in the present."""

    def _release(self, session: str) -> None:
        """Ends what sounds: nothing that follows would."""
        for address, arguments in osc.note_messages(session, self.voices[session].release(), 0.0):
            self.send(osc.message_bytes(address, *arguments))

    def end(self, session: str) -> None:
        """Takes back a subscription."""
        if session in self.voices:
            self._release(session)
            del self.voices[session]

    def send(self, data: bytes) -> None:
        """One datagram."""
        self._server.send(data, self.address)


class OscServer(asyncio.DatagramProtocol):
    """Takes packets, and hands their messages to the stage when it is time."""

    def __init__(self, stage: Stage, clock: Clock, options: OscOptions) -> None:
        self.options = options
        self._stage, self._clock = stage, clock
        self._transport: asyncio.DatagramTransport | None = None
        self._peers: dict[Address, OscPeer] = {}
        self._waiting = 0

    # asyncio's side

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def error_received(self, exc: Exception) -> None:
        """A datagram that nobody took: the sender or subscriber is gone, perhaps for a moment."""

    def datagram_received(self, data: bytes, address: Any) -> None:
        now = self._clock.now()
        peer = self._peer((address[0], address[1]), now)
        if not peer.may_send(now):
            # Not answered: an answer to each would double the flood.
            self._stage.counters.osc_refused += 1
            return
        try:
            messages = osc.parse_packet(data)
        except ProtocolError as error:
            self._stage.counters.osc_refused += 1
            self._stage.refuse(peer, error)
            return
        for message in messages:
            self._at_its_time(peer, message)

    def send(self, data: bytes, address: Address) -> None:
        """One datagram, if the socket is open."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, address)

    def wall(self, due: float) -> float:
        """A due time on the stage's clock as seconds since 1970, with the latency."""
        return due - self._clock.now() + time.time() + self.options.latency

    # Peers

    def _peer(self, address: Address, now: float) -> OscPeer:
        peer = self._peers.pop(address, None)
        if peer is None:
            self._forget(now)
            peer = OscPeer(address, self)
            peer.heard_at = now
        self._peers[address] = peer  # the longest silent stands first
        return peer

    def _forget(self, now: float) -> None:
        """Makes room: who was silent for long goes, and the longest silent if need be."""
        idle = [p for p in self._peers.values() if not p.voices]
        crowded = max(0, len(self._peers) - self.options.peers + 1)
        for number, peer in enumerate(idle):
            if number < crowded or now - peer.heard_at > self.options.silence:
                self._stage.leave(peer, now)
                del self._peers[peer.address]

    # Requests

    def _at_its_time(self, peer: OscPeer, message: osc.Timed) -> None:
        ahead = 0.0 if message.time is None else message.time - time.time()
        if ahead > self.options.ahead or self._waiting >= self.options.waiting:
            reason = f"a timetag may be {self.options.ahead:g} s ahead, not {ahead:.1f}"
            if ahead <= self.options.ahead:
                reason = f"{self._waiting} messages wait for their timetag already"
            error = ProtocolError("bad_timetag", reason)
            self._stage.refuse(peer, error, id=message.address)
        elif ahead > 0:
            self._waiting += 1
            asyncio.get_running_loop().call_later(ahead, self._do_waiting, peer, message)
        else:
            self._stage.counters.osc_late += ahead < -0.001
            self._do(peer, message)

    def _do_waiting(self, peer: OscPeer, message: osc.Timed) -> None:
        self._waiting -= 1
        self._do(peer, message)

    def _do(self, peer: OscPeer, message: osc.Timed) -> None:
        now = self._clock.now()
        try:
            names = list(self._stage.sessions)
            for request in osc.requests(message.address, message.arguments, names):
                self._follow(peer, request, now)
        except ProtocolError as error:
            self._stage.refuse(peer, error, id=message.address)

    def _follow(self, peer: OscPeer, request: osc.Request, now: float) -> None:
        match request:
            case osc.Subscribe(session, port):
                if sum(len(p.voices) for p in self._peers.values()) >= self.options.subscriptions:
                    most = self.options.subscriptions
                    raise ProtocolError("too_many_subscriptions", f"there are {most} already")
                target = self._target(peer, port, now)
                if session not in self._stage.sessions:
                    raise ProtocolError("unknown_session", f"there is no session {session!r}")
                target.voices.setdefault(session, Voice())
                self._stage.handle(target, wire.Attach(session=session), now)
            case osc.Unsubscribe(session, port):
                self._target(peer, port, now).end(session)
            case osc.Panic():
                self._stage.panic(peer, now, id="/rnn/panic")
            case osc.ListModels():
                for name, model in sorted(self._stage.models.items()):
                    peer.send(osc.message_bytes("/rnn/model", name, model.codec.domain))
            case _:
                self._stage.handle(peer, request, now)

    def _target(self, peer: OscPeer, port: int | None, now: float) -> OscPeer:
        return peer if port is None else self._peer((peer.address[0], port), now)


def symbol_messages(
    fields: dict[str, Any], moment: Moment, voice: Voice
) -> list[tuple[str, tuple[Any, ...]]]:
    """A symbol as OSC: a character, or a frame and the notes that change with it."""
    name, controls = fields["session"], moment.controls
    if "text" in fields:
        return [(f"/rnn/{name}/char", (fields["text"], fields["n"]))]
    notes = voice.play(fields, velocity=controls.velocity, transpose=controls.transpose)
    frame = (f"/rnn/{name}/frame", voice.sounding)
    return [frame, *osc.note_messages(name, notes, moment.ends - fields["due"])]
