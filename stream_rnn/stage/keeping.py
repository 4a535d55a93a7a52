"""Keeps sessions in a store: what changes is stored at once, and what is played a little later.

A change is in the store before anybody is told that it was made. Its symbols do not wait: if the
disk is slow, they are heard first. A store that fails holds up nobody.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from stream_rnn.sessions.notes import Record, Removed
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.store import Kept, Noted
from stream_rnn.stage.limits import Counters
from stream_rnn.stage.roster import Roster
from stream_rnn.stage.subscribers import Asker
from stream_rnn.wire import events
from stream_rnn.wire.messages import Id

log = logging.getLogger("stream_rnn.store")

PERIOD = 1.0  # seconds after which what a session has played is stored, at the latest
STEPS = 20  # the sessions take turns: so many times in a period some of them are stored
PATIENCE = 2.0  # seconds that an acknowledgement waits for a disk that does not answer
RETRY = 5.0  # seconds after a failure until the store is tried again

LASTING = (
    events.Controlled, events.Fed, events.Playing, events.Paused, events.Reset, events.Rewound,
)  # fmt: skip
NEW_PAST = (events.Reset, events.Rewound, events.Opened)


class Shelf(Protocol):
    """What is needed of a store; see `store.folder.Folder`. Nothing here waits, or raises."""

    def put(self, note: Record | Removed, *, urgent: bool) -> int:
        """Keeps a note; returns its ticket."""

    def mark(self, key: int, seq: int, epoch: int, position: int) -> None:
        """Notes how far a session has been committed."""


@dataclass
class _Held:
    """An event that waits for the disk."""

    ticket: int
    event: events.SessionEvent
    asker: Asker | None
    id: Id
    since: float | None = None  # the tick that saw it first


@dataclass(eq=False)
class Keeping:
    """Gives a store what changes in the sessions, and holds back the news of it until then.

    Attributes:
        numerics: of the engine, without which a stream cannot go on.
        tell: sends an event that need not wait any more.
    """

    _shelf: Shelf
    _roster: Roster
    _counters: Counters
    tell: Callable[[events.SessionEvent, Asker | None, Id], None]
    numerics: int
    next_key: int = 1
    _noted: dict[int, Noted] = field(default_factory=dict)  # by the session's key on the engine
    _names: dict[str, int] = field(default_factory=dict)  # name: that key
    _held: dict[str, deque[_Held]] = field(default_factory=dict)  # by session
    _tickets: dict[str, int] = field(default_factory=dict)  # of each session's latest record
    _turns: deque[int] = field(default_factory=deque)
    _share: int = 1
    _next: float = 0.0
    _failing: bool = False
    _retry: float = math.inf
    _probe: int = 0

    def adopt(self, session: Session, kept: Kept) -> None:
        """Takes a session that came back from the store."""
        noted = self._noted[session.key] = kept.noted()
        self._names[session.name] = session.key
        self._mark(session, noted)

    # What the stage tells

    def committed(self, session: Session) -> None:
        """A symbol is history, and is about to be handed out."""
        if (noted := self._noted.get(session.key)) is not None and not self._failing:
            self._shelf.mark(noted.key, noted.seq, session.epoch, session.position)

    def record(self, session: Session, *, urgent: bool = True) -> int | None:
        """Stores what has changed; returns the ticket, none if the store fails."""
        if self._failing:
            return None
        noted, replaced = self._noted.get(session.key), self._names.get(session.name)
        if noted is None:
            noted = self._noted[session.key] = Noted(self.next_key)
            self._names[session.name] = session.key
            self.next_key += 1
        ticket = self._tickets[session.name] = self._shelf.put(
            noted.record(session, self.numerics), urgent=urgent
        )
        self._mark(session, noted)
        if replaced is not None and replaced != session.key:
            self._remove(replaced)
        return ticket

    def _mark(self, session: Session, noted: Noted) -> None:
        heard = max(session.position, session.heard)
        self._shelf.mark(noted.key, noted.seq, session.epoch, heard)

    def _remove(self, key: int) -> None:
        if (noted := self._noted.pop(key, None)) is not None:
            self._shelf.put(Removed(noted.key), urgent=False)

    def holds(self, event: events.SessionEvent, asker: Asker | None, id: Id) -> bool:
        """Whether an event waits: it tells of a change that is not on the disk yet, or of what
        came after one. It is sent later.
        """
        name = event.session
        session, held = self._roster.by_name.get(name), self._held.get(name)
        if session is None or isinstance(event, events.Closed):
            self.release(name)
            if session is not None:
                self._remove(session.key)
                self._names.pop(name, None)
                self._tickets.pop(name, None)
            return False
        ticket: int | None = None
        if isinstance(event, LASTING) and getattr(event, "reason", None) is None:
            fresh = isinstance(event, events.Controlled) or self._is_new(session)
            ticket = self.record(session) if fresh else self._tickets.get(name)
            ticket = None if self._failing else ticket
        elif isinstance(event, events.Opened) and self._is_new(session):
            self.record(session)
        if ticket is None and held:
            ticket = held[-1].ticket
        if ticket is None:
            return False
        self._held.setdefault(name, deque()).append(_Held(ticket, event, asker, id))
        return True

    def _is_new(self, session: Session) -> bool:
        noted = self._noted.get(session.key)
        return noted is None or noted.behind(session)

    def before_symbol(self, name: str) -> None:
        """A symbol is about to be shown: the news that it belongs to a new past comes first."""
        held = self._held.get(name)
        if held and any(isinstance(one.event, NEW_PAST) for one in held):
            self.release(name)

    def release(self, name: str, ticket: int | None = None) -> None:
        """Sends the events of a session that wait; with a ticket only those up to it."""
        held = self._held.get(name)
        while held and (ticket is None or held[0].ticket <= ticket):
            one = held.popleft()
            self.tell(one.event, one.asker, one.id)
        if not held:
            self._held.pop(name, None)

    # What the store tells

    def stored(self, ticket: int) -> None:
        """All up to a ticket is on the disk."""
        if self._failing and ticket >= self._probe > 0:
            log.warning("sessions are stored again")
            self._failing, self._retry, self._probe = False, math.inf, 0
            self._counters.store_failing = 0
        for name in list(self._held):
            self.release(name, ticket)

    def failed(self, ticket: int, why: str) -> None:
        """What was given up to a ticket may be lost. The music goes on, without the store."""
        if not self._failing:
            log.error(
                "sessions are not stored: %s; they play on, and changes are acknowledged all the "
                "same, but are lost if the server ends now", why,
            )  # fmt: skip
        self._failing, self._retry, self._probe = True, -math.inf, 0
        self._counters.store_failing = 1
        for noted in self._noted.values():
            noted.whole = True
        for name in list(self._held):
            self.release(name)

    # As time passes

    def next_time(self) -> float:
        """When `tick` has something to do."""
        return self._next

    def tick(self, now: float) -> None:
        """Stores what some of the sessions have played."""
        self._next = now + PERIOD / STEPS
        self._be_patient(now)
        if self._failing:
            self._try_again(now)
            return
        if not self._turns:
            self._turns.extend(self._roster.by_key)
            self._share = math.ceil(len(self._turns) / STEPS)
        for _ in range(min(self._share, len(self._turns))):
            session = self._roster.by_key.get(self._turns.popleft())
            if session is not None and self._is_new(session):
                self.record(session, urgent=False)

    def _be_patient(self, now: float) -> None:
        for held in self._held.values():
            if held[0].since is None:
                held[0].since = now
            elif now - held[0].since > PATIENCE:
                self.failed(held[0].ticket, "the disk does not answer")
                return

    def _try_again(self, now: float) -> None:
        if self._retry == -math.inf:
            self._retry = now + RETRY
        elif now >= self._retry:
            self._retry = now + RETRY
            self._failing = False
            session = next(iter(self._roster), None)
            self._probe = (session and self.record(session)) or self._probe
            self._failing = session is not None

    def finish(self) -> None:
        """Stores what is not stored yet, at the end."""
        for session in self._roster:
            if not self._failing and self._is_new(session):
                self.record(session, urgent=False)
