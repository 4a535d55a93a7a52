"""Hands out the symbols whose time has come, and announces changes that come into force."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from stream_rnn.sessions.band import BandSession, Played
from stream_rnn.sessions.journal import Committed
from stream_rnn.sessions.session import LONG_FEED, Session
from stream_rnn.sessions.status import Status
from stream_rnn.stage.commit_times import CommitTimes
from stream_rnn.stage.engines import Engines
from stream_rnn.stage.events import controlled_event, symbol_event, touch_event
from stream_rnn.stage.failures import Failures
from stream_rnn.stage.limits import Counters
from stream_rnn.stage.replay import replay
from stream_rnn.stage.roster import Roster
from stream_rnn.stage.subscribers import Audience, Beat, NoteContext
from stream_rnn.wire import events


@dataclass(eq=False)
class Commits:
    """Commits symbols for all sessions, and shows them to the sessions' viewers.

    Attributes:
        times: when each session has something to commit next, by its key.
        caught_up: told of a session that has computed again what was heard before.
    """

    _roster: Roster
    _audience: Audience
    _engines: Engines
    _failures: Failures
    _counters: Counters
    times: CommitTimes = field(default_factory=CommitTimes)
    caught_up: Callable[[Session, float], None] = lambda session, now: None

    def tick(self, now: float) -> None:
        """Commits and hands out everything whose commit time has come."""
        for key in self.times.due(now):
            if (session := self._roster.by_key.get(key)) is None:
                continue
            try:
                self._commit(session, now)
            except Exception:
                self._failures.of_gateway(session)
        self._engines.flush(now)

    def touch(self, session: Session, now: float) -> None:
        """Follows up a change of a session's future: its credit, its commit time, what is due."""
        self._engines.credit(session)
        self.times.set(session.key, session.commit_time())
        if session.commit_time() <= now:
            self._commit(session, now)

    def touch_later(self, session: Session) -> None:
        """As `touch`, but what is due is left to the next tick."""
        self._engines.credit(session)
        self.times.set(session.key, session.commit_time())

    def _commit(self, session: Session, now: float) -> None:
        band = session if isinstance(session, BandSession) else None
        caught_up = False
        while (when := session.commit_time()) <= now:
            if band is not None and self._between(band, now):
                continue
            committed = session.commit(now)
            if (gate := self._audience.gate) is not None:
                gate.committed(session)
            if again := committed.n < session.heard:
                caught_up = not session.catches_up
            else:
                self._counters.lateness.add(now - committed.due)
            self._show(session, committed, again=again)
            self._tell_changes(session)
        if session.wants_credit:
            self._engines.renew(session, urgent=when == math.inf or session.pending_steps > 0)
        self.times.set(session.key, when)
        if when == math.inf and self._engines.waits(session):
            self.play_out(session, now)
        if caught_up:
            self.caught_up(session, now)

    def play_out(self, session: Session, now: float) -> None:
        """Lets a session whose engine is gone play what is computed, and then stalls it."""
        if session.status is not Status.PLAYING or session.computed:
            return
        if now < session.next_due:
            self.times.set(session.key, session.next_due)
            return
        session.move("lose_engine")
        self._audience.broadcast(events.Paused(session.name, session.position, reason="engine"))

    def _between(self, session: BandSession, now: float) -> bool:
        """Hands out one touch or feeds one held gesture, if one is due; returns whether it did."""
        if (played := session.take_touch(now)) is not None:
            self.show_touch(session, played)
        elif (held := session.take_held(now)) is not None:
            self.feed(session, [held], now, in_time=True)
        else:
            return False
        return True

    def feed(
        self, session: Session, symbols: list[int], now: float, *, in_time: bool = False
    ) -> None:
        """Commits given symbols; see `Session.feed`.

        Raises:
            ProtocolError: the engine is far behind with earlier feeds.
        """
        start = session.position
        fed, plan = session.feed(symbols, now, in_time=in_time)
        if symbols and (gate := self._audience.gate) is not None:
            gate.record(session)
        self._engines.plan(session, plan)
        self._engines.credit(session)
        self._engines.flush(now)  # the engine can begin while the viewers are told
        if len(symbols) > LONG_FEED:
            for viewer in self._audience.of(session.name):
                replay(viewer, session, start)
        else:
            for committed in fed:
                self._show(session, committed)
        self._tell_changes(session)

    def show_touch(self, session: BandSession, played: Played) -> None:
        """Shows a touch of an ensemble's player to all viewers of the session."""
        context = NoteContext(session.controls, played.due)
        self._audience.show(session.name, touch_event(session, played), context)

    def _show(self, session: Session, committed: Committed, *, again: bool = False) -> None:
        """Shows a symbol; one that is computed again only to clients, who know what they heard."""
        self._counters.symbols += 1
        controls, beat = session.controls_at(committed.n), session.beat_of(committed)
        context = NoteContext(controls, session.next_due, Beat(*beat) if beat else None)
        event = symbol_event(session, committed)
        if again:
            self._audience.show_clients(session.name, event, context)
        else:
            self._audience.show(session.name, event, context)

    def _tell_changes(self, session: Session) -> None:
        for entry in session.come_into_force():
            self._audience.broadcast(controlled_event(session, entry.position, entry.changes))
