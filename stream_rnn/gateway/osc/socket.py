"""The OSC side: one UDP socket; who sent something is answered where it came from.

A sender is a client of the stage like any other. UDP has no goodbye, so a sender that holds no
subscription is forgotten after a while of silence.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

from stream_rnn.clock import Clock
from stream_rnn.config import OscConfig
from stream_rnn.errors import ProtocolError
from stream_rnn.gateway.access import AllowList
from stream_rnn.gateway.audience import Viewer
from stream_rnn.gateway.osc.voices import OscVoices, PlainForm
from stream_rnn.gateway.stage import Stage
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc
from stream_rnn.wire import osc_requests as asked

Address = tuple[str, int]


@dataclass(frozen=True)
class OscOptions:
    """What bounds OSC clients.

    Attributes:
        allow: whose packets are taken.
        latency: added to the due time in what subscribers get, in seconds.
        ahead: how far ahead an incoming timetag may lie, in seconds.
        waiting: how many messages may wait for their timetag.
        rate: packets a second that one sender may send, on average and at once.
        errors: that one sender is told of in a second.
        peers: senders without a subscription that are remembered.
        subscriptions: how many there may be.
        silence: seconds after which a sender without subscriptions is forgotten.
    """

    allow: AllowList = AllowList()
    latency: float = 0.0
    ahead: float = 10.0
    waiting: int = 4096
    rate: int = 2000
    errors: int = 50
    peers: int = 256
    subscriptions: int = 256
    silence: float = 60.0

    @classmethod
    def of(cls, config: OscConfig) -> OscOptions:
        """What a configuration says.

        Raises:
            ConfigError: an address beyond the loopback without an allow-list, or a bad one.
        """
        allow = AllowList.parse(config.host, config.allow)
        return cls(allow=allow, latency=config.latency, rate=config.rate)


def wall(due: float, clock: Clock) -> float:
    """A time on the stage's clock as seconds since 1970."""
    return due - clock.now() + time.time()


class OscPeer(OscVoices):
    """An address that sends to us, or that subscribed: a viewer of the stage."""

    def __init__(self, address: Address, server: OscServer, now: float) -> None:
        clock, options = server.clock, server.options
        super().__init__(
            lambda data: server.send(data, self.reply_to),
            clock.now,
            lambda due: wall(due, clock),
            PlainForm(),
            options.latency,
        )
        self.address = self.reply_to = address
        self.heard_at = now
        self._packets = _Bucket(options.rate, now)
        self._errors = _Bucket(options.errors, now)

    def may_send(self, now: float) -> bool:
        """Takes a packet from its allowance, if any is left."""
        self.heard_at = now
        return self._packets.take(now)

    def tell(self, event: wire.Event) -> None:
        # Who sends nothing but mistakes has been told by then, and answers cost more than they.
        if event.kind != "error" or self._errors.take(self.heard_at):
            super().tell(event)


class _Bucket:
    """An allowance that fills up with time: so many a second, and at once."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._left, self._at = rate, rate, now

    def take(self, now: float) -> bool:
        """Takes one, if there is one left."""
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


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
        self.clock = clock
        self.learner: Learner | None = None
        self._stage = stage
        self._transport: asyncio.DatagramTransport | None = None
        self._peers: dict[Address, OscPeer] = {}
        self._waiting = 0

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
        for peer in self._peers.values():
            peer.panic()
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, address: Any) -> None:
        now = self.clock.now()
        if not self.options.allow.admits(address[0]):
            self._stage.counters.osc_refused += 1
            return
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

    # Peers

    def _peer(self, address: Address, now: float) -> OscPeer:
        peer = self._peers.pop(address, None)
        if peer is None:
            self._forget(now)
            peer = OscPeer(address, self, now)
        self._peers[address] = peer  # the longest silent stands first
        return peer

    def _forget(self, now: float) -> None:
        """Makes room: who was silent for long goes, and the longest silent if need be."""
        idle = [p for p in self._peers.values() if not p.sessions]
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
        now = self.clock.now()
        try:
            names = list(self._stage.sessions)
            for request in asked.requests(message.address, message.arguments, names):
                self._follow(peer, request, now)
        except ProtocolError as error:
            self._stage.refuse(peer, error, id=message.address)

    def _follow(self, peer: OscPeer, request: asked.Request, now: float) -> None:
        match request:
            case asked.Subscribe(pattern, port):
                target = self._target(peer, port, now)
                for session in asked.matching(pattern, list(self._stage.sessions)):
                    self._subscribe(target, session, now)
            case asked.Unsubscribe(pattern, port):
                target = self._target(peer, port, now)
                for session in asked.matching(pattern, target.sessions):
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
            case _:
                self._stage.handle(peer, request, now)

    def _learn(self, peer: OscPeer, request: asked.Learn | asked.Forget, now: float) -> None:
        if self.learner is None:
            raise ProtocolError("no_midi", "no MIDI input is configured; see [[midi.in]]")
        if isinstance(request, asked.Learn):
            self.learner.learn(peer, request, now)
        else:
            self.learner.forget(peer, request, now)

    def _subscribe(self, target: OscPeer, session: str, now: float) -> None:
        if session not in self._stage.sessions:
            raise ProtocolError("unknown_session", f"there is no session {session!r}")
        if sum(len(p.sessions) for p in self._peers.values()) >= self.options.subscriptions:
            most = self.options.subscriptions
            raise ProtocolError("too_many_subscriptions", f"there are {most} already")
        target.begin(session)
        self._stage.handle(target, wire.Attach(session=session), now)

    def _target(self, peer: OscPeer, port: int | None, now: float) -> OscPeer:
        return peer if port is None else self._peer((peer.address[0], port), now)
