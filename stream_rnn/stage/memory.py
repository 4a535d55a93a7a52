"""Keeps the memory of all sessions' pasts together within bounds."""

from __future__ import annotations

from collections.abc import Sequence

from stream_rnn.sessions.session import Session

FEW = 4  # states that a session keeps in any case
SHORT = 2000  # symbols that a session keeps in any case


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
