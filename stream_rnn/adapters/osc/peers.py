"""All OSC clients, and when they are forgotten.

UDP has no goodbye. A sender without a subscription is forgotten after a while of silence. On this
machine, a subscription ends when no program has its port open any more, which we can see. On other
machines, it ends when nothing has come from the machine for long, or when room is needed: then,
of the machine with the most subscriptions, the address that was silent longest is forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from stream_rnn.adapters.osc.buckets import MAX_HOSTS, Hosts
from stream_rnn.adapters.osc.known import Known
from stream_rnn.adapters.osc.options import OscOptions
from stream_rnn.adapters.osc.peer import OscPeer
from stream_rnn.adapters.osc.presence import Address, Presence
from stream_rnn.errors import ProtocolError
from stream_rnn.recent import Recent
from stream_rnn.wire import events
from stream_rnn.wire.hosts import is_here

UNHEARD = 30.0  # seconds that a subscription at an unknown address lasts


class Peers:
    """All OSC clients.

    Args:
        make: makes a peer for an address.
        leave: called with a peer that is forgotten, and the time.

    Attributes:
        known: which addresses are known to want our packets.
    """

    def __init__(
        self,
        options: OscOptions,
        make: Callable[[Address], OscPeer],
        leave: Callable[[OscPeer, float], None],
    ) -> None:
        self._options, self._make, self._leave = options, make, leave
        self._by_address: dict[Address, OscPeer] = {}  # the one silent for longest comes first
        self._hosts = Hosts(options.rate)
        self._presence = Presence()
        # By machine: the reply port that it named last, and the address that named it.
        self._named: Recent[str, tuple[int, Address]] = Recent(MAX_HOSTS)
        self.known = Known(options.lease)

    def __iter__(self) -> Iterator[OscPeer]:
        return iter(list(self._by_address.values()))

    def hear(self, address: Address, now: float) -> OscPeer | None:
        """Returns the peer that sent a packet; None if that exceeds a limit."""
        peer = self._by_address.get(address)
        # Its own limit comes first: the excess of one port must not use up its machine's limit.
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
        """Returns the peer at an address, and makes one if there is none."""
        peer = self._by_address.pop(address, None)
        if peer is None:
            self._make_room(now)
            peer = self._make(address)
        self._by_address[address] = peer
        return peer

    def _make_room(self, now: float) -> None:
        """Forgets the idle peers that were silent for long, and more if there are too many."""
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

    # Limits on work

    def may_work(self, peer: OscPeer, now: float) -> bool:
        """Whether both a sender and its machine may still cause work."""
        machine = self._hosts.work(peer.address[0])
        return peer.work.left(now) > 0 and (machine is None or machine.left(now) > 0)

    def charge(self, peer: OscPeer, cost: float) -> None:
        """Charges a sender and its machine for work."""
        peer.work.charge(cost)
        machine = self._hosts.work(peer.address[0])
        if machine is not None:
            machine.charge(cost)

    # Reply addresses

    def reply_to(self, peer: OscPeer, port: int | None) -> None:
        """Sends what is for a peer to this port of its machine from now on; None: to its own."""
        host, own = peer.address
        peer.reply_to, peer.borrows_reply = (host, port or own), False
        self._named.pop(host, None)
        if port is not None and peer.sent == 1:
            self._named[host] = (port, peer.address)

    def _follow_names(self, peer: OscPeer) -> None:
        """Some programs send each message from another port. Answers to a port's first packet go
        to the reply port that its machine named last; a port that sends again is answered itself.
        """
        host, own = peer.address
        port, namer = self._named.get(host, (0, peer.address))
        if not port:
            return
        if peer.sent == 1:
            peer.reply_to, peer.borrows_reply = (host, port), True
        elif peer.address == namer:
            del self._named[host]  # it keeps its port, so the name holds for this peer only
        elif peer.borrows_reply:
            peer.reply_to, peer.borrows_reply = peer.address, False

    # Subscriptions

    def check_room(self, subscriber: OscPeer, now: float) -> None:
        """Makes room for one more subscription, if need be by forgetting a peer elsewhere.

        Raises:
            ProtocolError: the limit is reached and no other machine's peer can be forgotten.
        """
        counts = Counter[str]()
        for peer in self:
            counts[peer.address[0]] += len(peer.sessions)
        if counts.total() < self._options.subscriptions:
            return
        away = (peer for peer in self if not is_here(peer.address[0]))
        others = [peer for peer in away if peer.sessions and peer is not subscriber]
        if not others:
            most = self._options.subscriptions
            raise ProtocolError(
                "too_many_subscriptions", f"there are {most} subscriptions, which is the limit"
            )
        loser = min(others, key=lambda peer: (-counts[peer.address[0]], self._heard_at(peer)))
        reason = "a new subscriber took your place: of your machine, this port was silent longest"
        loser.tell(events.error_event(ProtocolError("too_many_subscriptions", reason)))
        self._forget(loser, now)

    def _heard_at(self, peer: OscPeer) -> tuple[float, float]:
        """When packets last came from a peer's machine, and from the peer itself."""
        return self._hosts.heard_at(peer.address[0]), peer.heard_at

    def sweep(self, now: float) -> None:
        """Forgets the subscribers that have gone; to be called every few seconds."""
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
        """Ends all notes at subscribers."""
        for peer in self:
            peer.panic()
