"""All that send to us or have subscribed, and when they are forgotten.

UDP has no goodbye. A sender that holds no subscription is forgotten after a while of silence. A
subscription ends when nobody listens at its port any more, which is known of this machine. One of
another machine ends when nothing has come from there for long, or when somebody needs the room:
then of the machine that has the most, the address that has been silent for longest gives way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from stream_rnn.adapters.osc.buckets import MAX_HOSTS, Hosts, is_here
from stream_rnn.adapters.osc.known import Known
from stream_rnn.adapters.osc.options import OscOptions
from stream_rnn.adapters.osc.peer import OscPeer
from stream_rnn.adapters.osc.presence import Address, Presence
from stream_rnn.errors import ProtocolError
from stream_rnn.wire import events

UNHEARD = 30.0  # seconds that an address may be subscribed without having been heard


class Peers:
    """All of them.

    Args:
        make: a peer for an address.
        leave: what is to be done when one is forgotten.

    Attributes:
        known: which addresses were heard.
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
        # By machine: the port that it named last for what is for it, and from where.
        self._named: dict[str, tuple[int, Address]] = {}
        self.known = Known(options.lease)

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
        self.known.heard(address, now)
        if not known and not peer.may_send(now):
            return None
        self._follow_names(peer)
        return peer

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
        idle = [peer for peer in self if not peer.subscribes]
        crowded = max(0, len(self._by_address) - self._options.peers + 1)
        for number, peer in enumerate(idle):
            if number < crowded or now - peer.heard_at > self._options.forget_after:
                self._forget(peer, now)

    def _forget(self, peer: OscPeer, now: float) -> None:
        for session in peer.sessions:
            peer.end(session)
        peer.patterns.clear()
        peer.faders = None
        self._leave(peer, now)
        del self._by_address[peer.address]

    # What a sender may cause

    def may_work(self, peer: OscPeer, now: float) -> bool:
        """Whether more may be done for a sender, by its own account and its machine's."""
        machine = self._hosts.work(peer.address[0])
        return peer.work.left(now) > 0 and (machine is None or machine.left(now) > 0)

    def charge(self, peer: OscPeer, cost: float) -> None:
        """Puts something that was done for a sender on both accounts."""
        peer.work.charge(cost)
        machine = self._hosts.work(peer.address[0])
        if machine is not None:
            machine.charge(cost)

    # Where what is for a sender goes

    def reply_to(self, peer: OscPeer, port: int | None) -> None:
        """What is for a sender goes to this port of its machine; none: to its own."""
        host, own = peer.address
        peer.reply_to, peer.borrows_reply = (host, port or own), False
        self._named.pop(host, None)
        if port is not None and peer.sent == 1:
            self._named[host] = (port, peer.address)
            if len(self._named) > MAX_HOSTS:
                del self._named[next(iter(self._named))]

    def _follow_names(self, peer: OscPeer) -> None:
        """Some programs send each message from another port: what is for them goes where their
        machine said last. Whoever sends twice from one port can be answered there.
        """
        host, own = peer.address
        port, namer = self._named.get(host, (0, peer.address))
        if not port:
            return
        if peer.sent == 1:
            peer.reply_to, peer.borrows_reply = (host, port), True
        elif peer.address == namer:
            del self._named[host]  # it keeps its port: what it said holds for itself
        elif peer.borrows_reply:
            peer.reply_to, peer.borrows_reply = peer.address, False

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
        away = (peer for peer in self if not is_here(peer.address[0]))
        others = [peer for peer in away if peer.sessions and peer is not subscriber]
        if not others:
            raise ProtocolError(
                "too_many_subscriptions", f"there are {self._options.subscriptions} already"
            )
        loser = min(others, key=lambda peer: (-counts[peer.address[0]], self._heard_at(peer)))
        reason = "others have subscribed since; of your machine this address was silent longest"
        loser.tell(events.error_event(ProtocolError("too_many_subscriptions", reason)))
        self._forget(loser, now)

    def _heard_at(self, peer: OscPeer) -> tuple[float, float]:
        """When something came from its machine, and from itself."""
        return self._hosts.heard_at(peer.address[0]), peer.heard_at

    def sweep(self, now: float) -> None:
        """Ends the subscriptions of those who have gone; to be called every few seconds."""
        subscribed = [peer for peer in self if peer.subscribes]
        near = [peer for peer in subscribed if is_here(peer.address[0])]
        gone = self._presence.absent({peer.reply_to for peer in near}, now)
        lost = [peer for peer in near if peer.reply_to in gone]
        lost += [peer for peer in subscribed if peer not in near and self._is_lost(peer, now)]
        for peer in lost:
            self._forget(peer, now)

    def _is_lost(self, peer: OscPeer, now: float) -> bool:
        if peer.wanted and now - peer.made_at > UNHEARD:
            return True
        return now - self._heard_at(peer)[0] > self._options.lease

    def close(self) -> None:
        """Ends what sounds at subscribers."""
        for peer in self:
            peer.panic()
