"""Subscriptions to sessions, by name or pattern and with or without their past, and to faders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from stream_rnn.adapters.osc.agenda import Agenda
from stream_rnn.adapters.osc.faders import Faders
from stream_rnn.adapters.osc.past import MAX_PAST
from stream_rnn.adapters.osc.peer import OscPeer
from stream_rnn.adapters.osc.peers import Peers
from stream_rnn.adapters.osc.presence import Address
from stream_rnn.adapters.osc.refusals import Refusals
from stream_rnn.clock import Clock
from stream_rnn.errors import ProtocolError
from stream_rnn.stage.events import opened_event
from stream_rnn.stage.stage import Stage
from stream_rnn.wire import events, osc
from stream_rnn.wire import messages as wire
from stream_rnn.wire.osc_answers import Message
from stream_rnn.wire.osc_patterns import fits, is_pattern, matching
from stream_rnn.wire.osc_requests import Feedback, Subscribe, Unsubscribe

MAX_PATTERNS = 16  # of one subscriber
MAX_ALL_PATTERNS = 256
PAST_COST = 1 / 16  # cost of one past symbol
FADER_COST = 2.0  # cost of sending all values of a session to faders


class Subscriptions:
    """The subscriptions of all OSC clients.

    Args:
        send: sends a datagram to an address, if that is allowed.
    """

    def __init__(
        self,
        stage: Stage,
        clock: Clock,
        peers: Peers,
        refusals: Refusals,
        send: Callable[[bytes, Address], None],
    ) -> None:
        self._stage, self._now = stage, clock.now
        self._peers, self._refusals, self._send = peers, refusals, send
        self._surfaces: dict[OscPeer, None] = {}
        self._settling: Agenda[OscPeer] = Agenda(self._settle, clock)
        stage.observe(self._look_at_news)

    def target(self, peer: OscPeer, port: int | None) -> OscPeer:
        """The peer that a sender means by a port; by None, itself, or its machine's reply port."""
        now, (host, _) = self._now(), peer.address
        if port is None and not peer.borrows_reply:
            return self._peers.at(peer.address, now)
        address = peer.reply_to if port is None else (host, port)
        target = self._peers.at(address, now)
        target.namers[peer.address] = None
        return target

    # Beginning and ending

    def subscribe(self, peer: OscPeer, request: Subscribe, address: str) -> Iterator[None]:
        """Begins subscriptions, one session at each step."""
        target, pattern = self.target(peer, request.port), request.session
        found = [pattern]
        if is_pattern(pattern):
            found = matching(pattern, list(self._stage.sessions), or_none=True)
            self._remember(target, pattern)
            if not found:  # none so far; the subscriber should know that it was heard
                target.send(osc.message_bytes("/rnn/subscribed", pattern, 0))
        for number, name in enumerate(found):
            if number:
                self._peers.charge(peer, 1.0)
            with self._refusals.answering(peer, address):
                self._begin(peer, target, name, request.after)
            yield
        if target.wanted:
            self.greet(target.reply_to)

    def _remember(self, target: OscPeer, pattern: str) -> None:
        if pattern in target.patterns:
            return
        if len(target.patterns) >= MAX_PATTERNS:
            raise ProtocolError(
                "too_many_subscriptions", f"a subscriber may have at most {MAX_PATTERNS} patterns"
            )
        if sum(len(one.patterns) for one in self._peers) >= MAX_ALL_PATTERNS:
            raise ProtocolError(
                "too_many_subscriptions", f"all {MAX_ALL_PATTERNS} patterns of the server are taken"
            )
        target.patterns[pattern] = None

    def _begin(self, asker: OscPeer, target: OscPeer, name: str, after: int | None) -> None:
        now, session = self._now(), self._stage.sessions.get(name)
        if session is None:
            raise ProtocolError("unknown_session", f"there is no session {name!r}")
        if after is not None and not -1 <= after < max(session.position, 1):
            raise ProtocolError(
                "bad_position", f"after must be from -1 to {session.position - 1}, not {after}"
            )
        if name not in target.sessions:
            self._peers.check_room(target, now)
        known = self._peers.known.is_known(target.reply_to, now)
        listens = known and (after is None or self._peers.known.listens(target.reply_to, now))
        target.begin(name)
        target.forget_past(name)
        if known:
            target.wanted.pop(name, None)
        else:
            target.wanted[name] = after
        if after is not None and listens:
            after = self._recent(target, name, after, session.position)
            self._peers.charge(asker, (session.position - 1 - after) * PAST_COST)
        if target.faders is not None:
            self._peers.charge(asker, FADER_COST)
        attach = wire.Attach(session=name, after=after if listens else None)
        self._stage.handle(target, attach, now)
        if known and not listens:
            port = target.reply_to[1]
            raise ProtocolError(
                "nobody_listens",
                f"no program has port {port} of this machine open, so no past is sent there; "
                "subscribe again once a program listens",
            )

    def _recent(self, target: OscPeer, name: str, after: int, position: int) -> int:
        """Limits `after`, so that `MAX_PAST` symbols are shown at most; tells the rest as a gap."""
        earliest = position - MAX_PAST - 1
        if after >= earliest:
            return after
        target.tell(events.Gap(name, after, earliest + 1))
        return earliest

    def unsubscribe(self, peer: OscPeer, request: Unsubscribe) -> None:
        """Ends the subscriptions of a name or pattern, and that pattern; `*` ends all patterns."""
        target, pattern = self.target(peer, request.port), request.session
        known = bool(target.patterns) if pattern == "*" else pattern in target.patterns
        for one in list(target.patterns) if pattern == "*" else [pattern]:
            target.patterns.pop(one, None)
        for session in matching(pattern, target.sessions, or_none=known):
            target.end(session)

    def _look_at_news(self, event: events.Event) -> None:
        """Subscribes the peers whose patterns match a new session."""
        if not isinstance(event, events.Opened):
            return
        name = event.session
        for peer in self._peers:
            if name not in peer.sessions and any(fits(p, name) for p in peer.patterns):
                with self._refusals.answering(peer, "/rnn/subscribe"):
                    self._begin(peer, peer, name, None)

    # Unknown addresses

    def greet(self, address: Address) -> None:
        """Sends `/rnn/ping` to an address that is not known."""
        if not self._peers.known.is_known(address, self._now()):
            number = self._peers.known.ask(address)
            self._send(osc.message_bytes("/rnn/ping", number), address)

    def answered(self, peer: OscPeer, number: int) -> Iterator[None]:
        """Handles the number of a `/rnn/ping` that came back."""
        address = self._peers.known.answered(peer.address[0], number, self._now())
        return iter(()) if address is None else self.resume(address)

    def resume(self, address: Address) -> Iterator[None]:
        """Begins the subscriptions that waited for this address to become known."""
        for peer in self._peers:
            if peer.reply_to != address:
                continue
            for name, after in list(peer.wanted.items()):
                with self._refusals.answering(peer, "/rnn/subscribe"):
                    self._begin(peer, peer, name, after)
                yield

    # Faders

    def feedback(self, peer: OscPeer, request: Feedback) -> Iterator[None]:
        """Starts or ends fader updates to a peer; at the start it is sent all values."""
        target = self.target(peer, request.port)
        self._surfaces.pop(target, None)
        if not request.on:
            target.faders = None
            return

        def send(message: Message) -> None:
            address, arguments = message
            target.send(osc.message_bytes(address, *arguments))

        def later(seconds: float) -> None:
            self._settling.add(self._now() + seconds, seconds, target)

        target.faders = faders = Faders(send, later, self.controls)
        self._surfaces[target] = None
        self.greet(target.reply_to)
        for name in target.sessions:
            session = self._stage.sessions.get(name)
            if session is not None and name not in target.wanted:
                self._peers.charge(peer, FADER_COST)
                faders.tell(opened_event(session))
            yield

    def controls(self, name: str) -> Mapping[str, Any] | None:
        """Returns the controls of a session; None if there is no such session."""
        session = self._stage.sessions.get(name)
        return None if session is None else session.controls.to_json()

    def moved(self, peer: OscPeer, session: str, names: Iterable[str]) -> None:
        """Notes that a sender moves controls, whose faders are where its hand has moved them."""
        now = self._now()
        for other in list(self._surfaces):
            if other.faders is None:  # it was forgotten meanwhile
                del self._surfaces[other]
            elif other.address in (peer.address, peer.reply_to) or peer.address in other.namers:
                other.faders.moved(session, names, now)

    def _settle(self, peer: OscPeer) -> None:
        if peer.faders is not None:
            peer.faders.settle(self._now())

    def close(self) -> None:
        """Ends fader updates."""
        self._settling.clear()
