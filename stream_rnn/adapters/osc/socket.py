"""The OSC server: one UDP socket, whose senders are clients of the stage like any others."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

from stream_rnn.adapters.osc.agenda import Agenda, wall
from stream_rnn.adapters.osc.buckets import WORK
from stream_rnn.adapters.osc.desk import Desk
from stream_rnn.adapters.osc.door import Door
from stream_rnn.adapters.osc.jobs import Jobs
from stream_rnn.adapters.osc.options import OscOptions
from stream_rnn.adapters.osc.past import Past
from stream_rnn.adapters.osc.peer import OscPeer
from stream_rnn.adapters.osc.peers import Peers
from stream_rnn.adapters.osc.presence import Address
from stream_rnn.adapters.osc.refusals import Refusals
from stream_rnn.adapters.osc.subscriptions import Subscriptions
from stream_rnn.clock import Clock
from stream_rnn.errors import ProtocolError
from stream_rnn.stage.stage import Stage
from stream_rnn.wire import osc
from stream_rnn.wire.osc_requests import TOKEN

LATE = -0.001  # seconds ahead, below which a message counts as late
LONG = 0.5  # seconds; the sender of a bundle that waits for longer is told
MAX_WAITING = 1 << 23  # bytes of bundles that may wait for their time

Messages = list[osc.Timed | osc.Fault]
_Waiting = tuple[Address, Messages, int]


class OscServer(asyncio.DatagramProtocol):
    """Takes packets, and has their messages done when their time has come.

    Attributes:
        past: shows subscribers past symbols.
        desk: carries out the messages.
    """

    def __init__(
        self, stage: Stage, clock: Clock, options: OscOptions, token: str | None = None
    ) -> None:
        self.options = options
        self._stage, self._clock = stage, clock
        self._transport: asyncio.DatagramTransport | None = None
        self.past = Past(clock)
        self._peers = Peers(
            options,
            lambda address: OscPeer(address, self._send_known, clock, options, self.past),
            stage.leave,
        )
        self._door = Door(token)
        self._refusals = Refusals(stage, clock, self._peers)
        self._subscriptions = Subscriptions(
            stage, clock, self._peers, self._refusals, self._send_known
        )
        self.desk = Desk(stage, clock.now, self._peers, self._refusals, self._subscriptions)
        self._jobs = Jobs(clock)
        self._agenda: Agenda[_Waiting] = Agenda(self._do_waiting)
        self._waiting = self._waiting_bytes = 0

    # Called by asyncio. Undeliverable datagrams (`error_received`) are ignored: the receiver may
    # be gone for a moment only.

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    @property
    def local(self) -> Address:
        """The address that the server listens on."""
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def stop(self) -> None:
        """Ends all notes at subscribers, and closes the socket."""
        for one in (self._agenda, self._jobs, self.past):
            one.clear()
        self._subscriptions.close()
        self._peers.close()
        if self._transport is not None:
            self._transport.close()

    def sweep(self) -> None:
        """Forgets the subscribers that have gone; to be called every few seconds."""
        self._peers.sweep(self._clock.now())

    def datagram_received(self, data: bytes, address: Any) -> None:
        now, sender = self._clock.now(), (address[0], address[1])
        if not self.options.allow.admits(address[0]):
            self._stage.counters.osc_refused += 1
            return
        fresh = not self._peers.known.is_known(sender, now)
        peer = self._peers.hear(sender, now)
        # Excess packets are not answered: answers would double the flood.
        if peer is None or not self._jobs.put(sender, self._take(sender, data, fresh), len(data)):
            self._stage.counters.osc_refused += 1

    def send(self, data: bytes, address: Address) -> None:
        """Sends a datagram, if the socket is open."""
        if self._transport is not None and not self._transport.is_closing():
            # The network's errors come to `error_received`. But uvloop raises ValueError here for
            # an invalid address, such as one with a scope, and the caller may be serving others.
            with contextlib.suppress(ValueError):
                self._transport.sendto(data, address)

    def _send_known(self, data: bytes, address: Address) -> None:
        """Sends a datagram to a known address; unknown ones are sent little."""
        if self._peers.known.admits(address, len(data), self._clock.now()):
            self.send(data, address)

    # Messages, which senders have done in turns

    def _take(self, sender: Address, data: bytes, fresh: bool) -> Iterator[None]:
        """Reads a packet; does its messages at once, or puts them down for their time."""
        peer = self._peers.at(sender, self._clock.now())
        if fresh:
            yield from self._subscriptions.resume(sender)
        try:
            messages = osc.read_packet(data)
        except ProtocolError as error:
            self._stage.counters.osc_refused += 1
            self._refusals.tell(peer, error)
            return
        self._stage.counters.osc_refused += any(isinstance(m, osc.Fault) for m in messages)
        yield
        if not self.options.timetags:
            yield from self._do_all(sender, messages)
            return
        size = len(data) // len(messages) if messages else 0
        for at, group in itertools.groupby(messages, lambda message: message.time):
            together = list(group)
            if at is None:
                yield from self._do_all(sender, together)
            else:
                self._put_down(peer, at, together, size * len(together))

    def _put_down(self, peer: OscPeer, at: float, messages: Messages, size: int) -> None:
        """Puts down messages of one packet and one time, to be done then in their order."""
        ahead = at - wall(self._clock.now(), self._clock)
        reason = None
        full = (
            self._waiting + len(messages) > self.options.waiting
            or self._waiting_bytes + size > MAX_WAITING
        )
        if ahead > self.options.ahead:
            reason = f"a timetag may be {self.options.ahead:g} s ahead, not {ahead:.1f}"
        elif ahead > 0 and full:
            reason = f"{self._waiting} messages wait for their timetag, no more fit; send later"
        if reason is not None:
            for message in messages:
                self._refusals.tell(peer, ProtocolError("bad_timetag", reason), message.address)
            return
        if ahead < LATE:
            self._stage.counters.osc_late += len(messages)
        elif ahead > LONG and peer.reports.take(self._clock.now()):
            peer.send(osc.message_bytes("/rnn/waits", ahead, messages[0].address))
        self._waiting += len(messages)
        self._waiting_bytes += size
        self._agenda.add(at, ahead, (peer.address, messages, size))

    def _do_waiting(self, waiting: _Waiting) -> None:
        sender, messages, size = waiting
        self._waiting -= len(messages)
        self._waiting_bytes -= size
        if not self._jobs.put(sender, self._do_all(sender, messages), size):
            self._stage.counters.osc_refused += len(messages)

    def _do_all(self, sender: Address, messages: Messages) -> Iterator[None]:
        for number, message in enumerate(messages):
            now = self._clock.now()
            peer = self._peers.at(sender, now)
            if not self._is_inside(peer, message, now):
                self._stage.counters.osc_refused += 1
                continue
            if not self._peers.may_work(peer, now):
                self._drop(peer, len(messages) - number, now)
                return
            if isinstance(message, osc.Fault):
                self._peers.charge(peer, 1.0)
                self._refusals.tell(peer, message.error, message.address or None)
                yield
            else:
                yield from self.desk.do(peer, message)

    def _drop(self, peer: OscPeer, count: int, now: float) -> None:
        """Drops messages of a sender that has caused too much work; tells it once a second."""
        self._stage.counters.osc_refused += count
        if peer.complaints.take(now):
            most = WORK * self.options.rate
            error = ProtocolError(
                "too_much",
                f"a sender may cause the work of {most} messages a second, and lists, errors and "
                f"past symbols count as several; {count} messages were dropped",
            )
            self._stage.refuse(peer, error)

    def _is_inside(self, peer: OscPeer, message: osc.Timed | osc.Fault, now: float) -> bool:
        """Whether a message may be done, or its sender's machine has to send the token first."""
        host = peer.address[0]
        if self._door.is_open(host, now):
            return True
        if not self._door.may_try(host, now):
            return False
        said = message.arguments if isinstance(message, osc.Timed) else ()
        if message.address == TOKEN and len(said) == 1 and isinstance(said[0], str):
            if self._door.enter(host, said[0], now):
                return True
            reason = "that is not this server's token"
        else:
            reason = f"other machines have to send the server's token first: {TOKEN} s TOKEN"
        self._stage.refuse(peer, ProtocolError("token_needed", reason))
        return False
