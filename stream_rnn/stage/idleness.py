"""Sessions without listeners: they pause, are evicted, make room for others, are forgotten.

And all sessions' pasts together stay within the memory that they may take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.stage.commit_times import CommitTimes
from stream_rnn.stage.engines import Engines
from stream_rnn.stage.limits import Limits
from stream_rnn.stage.roster import Roster
from stream_rnn.system import return_memory

FEW = 4  # states that a session keeps in any case
SHORT = 2000  # symbols that a session keeps in any case
MUCH = 4_000_000  # bytes dropped, at which memory is given back to the system


class Idleness:
    """Looks after idle sessions, and after the memory that all sessions take.

    Args:
        close: ends a session for good.
    """

    def __init__(
        self,
        roster: Roster,
        limits: Limits,
        engines: Engines,
        times: CommitTimes,
        close: Callable[[Session], None],
    ) -> None:
        self._roster, self._limits, self._close = roster, limits, close
        self._engines, self._times = engines, times
        roster.give_way = self.give_way
        self._most = 0  # peak size of all pasts, since memory was given back last

    def sweep(self, now: float) -> None:
        """Pauses, evicts, forgets and trims what is due; to be called every second or so."""
        for session in self._roster:
            if session.idle_since is None or session.status is Status.EVICTED:
                continue
            idle = now - session.idle_since
            if session.playing and idle >= self._limits.idle_pause:
                self._pause(session)
            if session.status is Status.PAUSED and idle >= self._limits.idle_away:
                self._evict(session)
        self._forget()
        here = [session for session in self._roster if session.status is not Status.EVICTED]
        trim_states(here, self._limits.states_mb)
        trim_histories(here, self._limits.history_mb)
        self._give_back()

    def _give_back(self) -> None:
        """Gives the memory that sessions have dropped back to the system.

        It takes time for each megabyte: so not for little, but before symbols would be late.
        """
        total = sum(size(session) for session in self._roster)
        self._most = max(self._most, total)
        if self._most - total > MUCH:
            self._most = total
            return_memory()

    def give_way(self) -> bool:
        """Evicts the session that is missed least, so that there is room for another.

        Paused ones go first, and of those the one whose last client left first. A session that
        a client views stays, and so does one that plays for one of the server's own sinks.

        Returns:
            Whether there was one.
        """
        left = [
            (session.playing, session.idle_since is None, session.left_at, session.key)
            for session in self._roster
            if session.left_at is not None
            and session.status is not Status.EVICTED
            and (session.idle_since is not None or not session.playing)
        ]
        if not left:
            return False
        session = self._roster.by_key[min(left)[-1]]
        if session.playing:
            self._pause(session)
        self._evict(session)
        return True

    def bring_back(self, session: Session, now: float) -> None:
        """Gives an evicted session a slot again.

        Raises:
            ProtocolError: `too_many_sessions`, or too little of its past is kept.
        """
        self._roster.check_room(session.card.name, session.controls.rate, now)
        plan = session.restore_plan()
        session.move("bring_back")
        if session.idle_since is not None:
            session.idle_since = session.left_at = now
        self._engines.open(session)
        self._engines.plan(session, plan)

    def _pause(self, session: Session) -> None:
        session.move("pause")
        session.paused_by_idleness = True

    def _evict(self, session: Session) -> None:
        session.evict()
        self._engines.close(session)
        self._times.set(session.key, float("inf"))

    def _forget(self) -> None:
        """Closes evicted sessions that are too many or take too much memory, longest left first."""
        away = [session for session in self._roster if session.status is Status.EVICTED]
        away.sort(key=lambda session: session.left_at or 0.0)
        room = self._limits.away_mb * 1e6
        for number, session in enumerate(reversed(away)):
            room -= size(session)
            if number >= self._limits.away or room < 0:
                self._close(session)


def size(session: Session) -> int:
    """Bytes that a session's past takes, roughly."""
    return session.journal.size + session.journal.states_size + session.log.size


def trim_states(sessions: Sequence[Session], megabytes: float) -> None:
    """Thins out the states of the sessions that have most, until all together fit."""
    journals = sorted((s.journal for s in sessions), key=lambda j: j.states_size, reverse=True)
    total, most = sum(journal.states_size for journal in journals), megabytes * 1e6
    if total <= most:
        return
    # Each shrinks to an equal share. The total goes below the limit, so that this is rare.
    share = 0.8 * most / len(journals)
    for journal in journals:
        before = journal.states_size
        if before > share:
            journal.thin_states(max(FEW, int(journal.states * share / before)))
            total -= before - journal.states_size
        if total <= 0.9 * most:
            return


def trim_histories(sessions: Sequence[Session], megabytes: float) -> None:
    """Drops the oldest symbols and control changes until those of all sessions fit.

    The sessions that have most lose first.
    """
    most = megabytes * 1e6
    total = sum(map(_history, sessions))
    for session in sorted(sessions, key=_history, reverse=True):
        if total <= most:
            return
        before = _history(session)
        session.journal.shorten(max(SHORT, len(session.journal) * 3 // 4))
        session.log.forget(session.journal.first)
        session.log.shorten(session.log.size * 3 // 4)
        total -= before - _history(session)


def _history(session: Session) -> int:
    return session.journal.size + session.log.size
