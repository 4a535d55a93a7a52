"""Who sends to us or has subscribed, and when they are forgotten.

UDP has no goodbye. A sender that holds no subscription is forgotten after a while of silence. A
subscription ends when nobody listens at its port any more, which is known of this machine. One of
another machine ends when nothing has come from there for long, or when somebody needs the room:
then of the machine that has the most, the address that has been silent for longest gives way.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import islice

from stream_rnn.clock import Clock
from stream_rnn.errors import ProtocolError
from stream_rnn.gateway.access import is_loopback
from stream_rnn.gateway.osc.agenda import wall
from stream_rnn.gateway.osc.allowance import Bucket, Hosts
from stream_rnn.gateway.osc.options import OscOptions
from stream_rnn.gateway.osc.presence import Address, Presence
from stream_rnn.gateway.osc.voices import OscVoices, PlainForm
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc

MAX_PAST = 512  # symbols that a subscriber may ask for, and that are shown of a long feed
IN_ONE = 32  # of them in a packet
AT_ONCE = 0.0


class OscPeer(OscVoices):
    """An address that sends to us, or that subscribed: a viewer of the stage."""

    def __init__(
        self,
        address: Address,
        send: Callable[[bytes, Address], None],
        clock: Clock,
        options: OscOptions,
    ) -> None:
        super().__init__(
            lambda data: send(data, self.reply_to),
            clock.now,
            lambda due: wall(due, clock),
            PlainForm(),
            options.latency,
        )
        self.address = self.reply_to = address
        self.heard_at = now = clock.now()
        self._packets = Bucket(options.rate, now)
        self._errors = Bucket(options.errors, now)

    def may_send(self, now: float) -> bool:
        """Takes a packet from its allowance, if any is left."""
        self.heard_at = now
        return self._packets.take(now)

    def tell(self, event: wire.Event) -> None:
        # Who sends nothing but mistakes has been told by then, and answers cost more than they.
        if event.kind != "error" or self._errors.take(self.heard_at):
            super().tell(event)

    def history(self, events: Callable[[], Iterator[wire.Event]]) -> None:
        shown = deque(
            (e.fields for e in events() if e.kind == "symbol"), MAX_PAST
        )  # they can be had only once
        if not shown or shown[0]["session"] not in self.sessions:
            return
        self._release(shown[0]["session"], 0.0)
        messages = (message for fields in shown for message in PlainForm.past(fields))
        while some := list(islice(messages, IN_ONE)):
            self.send(osc.bundle_bytes(AT_ONCE, some))


class Peers:
    """All of them.

    Args:
        make: a peer for an address.
        leave: what is to be done when one is forgotten.
    """

    def __init__(
        self,
        options: OscOptions,
        make: Callable[[Address], OscPeer],
        leave: Callable[[OscPeer, float], None],
    ) -> None:
        self._options, self._make, self._leave = options, make, leave
        self._by_address: dict[Address, OscPeer] = {}  # the longest silent stands first
        self._hosts = Hosts(options.rate)
        self._presence = Presence()

    def __iter__(self) -> Iterator[OscPeer]:
        return iter(list(self._by_address.values()))

    def hear(self, address: Address, now: float) -> OscPeer | None:
        """Who sends a packet; none if that is one too many."""
        peer = self._by_address.get(address)
        # First its own: what one port sends too much, its machine's others are not to pay for.
        if peer is not None and not peer.may_send(now):
            return None
        if not self._hosts.may_send(address[0], now):
            return None
        known, peer = peer is not None, self.at(address, now)
        return peer if known or peer.may_send(now) else None

    def at(self, address: Address, now: float) -> OscPeer:
        """The peer at an address, which is remembered from now on."""
        peer = self._by_address.pop(address, None)
        if peer is None:
            self._make_room(now)
            peer = self._make(address)
        self._by_address[address] = peer
        return peer

    def _make_room(self, now: float) -> None:
        """Who was silent for long goes, and the longest silent if need be."""
        idle = [peer for peer in self if not peer.sessions]
        crowded = max(0, len(self._by_address) - self._options.peers + 1)
        for number, peer in enumerate(idle):
            if number < crowded or now - peer.heard_at > self._options.silence:
                self._forget(peer, now)

    def _forget(self, peer: OscPeer, now: float) -> None:
        for session in peer.sessions:
            peer.end(session)
        self._leave(peer, now)
        del self._by_address[peer.address]

    # Subscriptions

    def check_room(self, subscriber: OscPeer, now: float) -> None:
        """Makes room for one more subscription, at another machine's expense if need be.

        Raises:
            ProtocolError: all are taken by those who are known to listen.
        """
        counts = Counter[str]()
        for peer in self:
            counts[peer.address[0]] += len(peer.sessions)
        if counts.total() < self._options.subscriptions:
            return
        away = (peer for peer in self if not is_loopback(peer.address[0]))
        others = [peer for peer in away if peer.sessions and peer is not subscriber]
        if not others:
            raise ProtocolError(
                "too_many_subscriptions", f"there are {self._options.subscriptions} already"
            )
        loser = min(others, key=lambda peer: (-counts[peer.address[0]], self._heard_at(peer)))
        reason = "others have subscribed since; of your machine this address was silent longest"
        loser.tell(wire.error_event(ProtocolError("too_many_subscriptions", reason)))
        self._forget(loser, now)

    def _heard_at(self, peer: OscPeer) -> tuple[float, float]:
        """When something came from its machine, and from itself."""
        return self._hosts.heard_at(peer.address[0]), peer.heard_at

    def sweep(self, now: float) -> None:
        """Ends the subscriptions of those who have gone; to be called every few seconds."""
        subscribed = [peer for peer in self if peer.sessions]
        near = [peer for peer in subscribed if is_loopback(peer.address[0])]
        gone = self._presence.absent({peer.reply_to for peer in near}, now)
        lost = [peer for peer in near if peer.reply_to in gone]
        lost += [
            peer
            for peer in subscribed
            if peer not in near and now - self._heard_at(peer)[0] > self._options.lease
        ]
        for peer in lost:
            self._forget(peer, now)

    def close(self) -> None:
        """Ends what sounds at subscribers."""
        for peer in self:
            peer.panic()
