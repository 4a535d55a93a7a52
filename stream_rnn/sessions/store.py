"""What a store keeps of a session: what the next record must hold, and what comes of them. No I/O.

A stream is a function of its log, so little is enough: the symbols up to the latest record, the
changes of controls, a few states to go on from. Symbols that were committed after that record are
computed again, and are the same. Only how many there were must be known: a `Mark` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stream_rnn.checkpoint import Card
from stream_rnn.sessions.control_log import ControlLog, Entry
from stream_rnn.sessions.epochs import Epochs
from stream_rnn.sessions.journal import Journal
from stream_rnn.sessions.notes import BLOCK, Block, Head, Identity, Line, Record
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status


@dataclass
class Noted:
    """What the store has been given of a session.

    Attributes:
        seq: of the latest record; 0 before the first.
        whole: whether the next record must hold everything.
    """

    key: int
    seq: int = 0
    whole: bool = True
    position: int = 0
    epoch: int = 0
    first: int = 0
    status: tuple[str, bool, bool] = ("", False, False)
    states: frozenset[int] = field(default_factory=frozenset)

    def behind(self, session: Session) -> bool:
        """Whether something has changed, as far as can be seen from outside the control log."""
        journal = session.journal
        return (
            self.whole
            or (self.position, self.epoch) != (session.position, session.epoch)
            or self.first != journal.first
            or self.status != _status(session)
        )

    def record(self, session: Session, numerics: int) -> Record:
        """The next record of a session."""
        epochs, journal, log = session.epochs, session.journal, session.log
        parting = None if self.whole else epochs.parting(self.epoch)
        low = 0 if self.whole else min(self.position, session.position)
        if parting is not None:
            low = min(low, parting)
        states = frozenset(journal.positions)
        # An older state at the same position is another, if the pasts parted before it.
        known = frozenset() if self.whole else frozenset(p for p in self.states if p <= low)
        lines = tuple(Line(e.position, tuple(e.changes), e.controls) for e in log.since(low))
        cut = max(low, journal.first) // BLOCK * BLOCK
        self.seq += 1
        head = Head(
            self.seq, _identity(session, numerics), *_status(session), journal.first,
            session.position, log.first, len(log), epochs.now, *epochs.parts,
        )  # fmt: skip
        record = Record(
            self.key, self.whole, head, low, lines, cut, tuple(_blocks(journal, cut)),
            tuple((p, journal.state(p)) for p in sorted(states - known)),
            tuple(sorted(self.states - states)),
        )  # fmt: skip
        self.whole, self.position, self.epoch = False, session.position, session.epoch
        self.first, self.status, self.states = journal.first, _status(session), states
        return record


def _identity(session: Session, numerics: int) -> Identity:
    return Identity(session.name, session.card.name, session.card.fingerprint, numerics)


def _status(session: Session) -> tuple[str, bool, bool]:
    status = "playing" if session.playing else session.status.value
    return status, session.silent, session.paused_by_idleness


def _blocks(journal: Journal, cut: int) -> Iterator[Block]:
    for start in range(cut, journal.position, BLOCK):
        first = max(start, journal.first)
        columns = journal.columns(first, min(start + BLOCK, journal.position))
        yield Block(first, *columns)


@dataclass
class Kept:
    """A session as a store has it.

    Attributes:
        heard: the position up to which it had been committed, at least.
        newest: the latest record that there has been.
    """

    key: int
    head: Head
    lines: list[Line]
    blocks: list[Block]
    states: dict[int, bytes]
    heard: int = 0
    newest: int = 0

    @property
    def unsure(self) -> bool:
        """Whether later records are lost, so that what was heard after `head.position` may be
        another stream than the one that can be computed.
        """
        return self.newest > self.head.seq

    def fault(self) -> str | None:
        """Why nothing can go on from this, if that is so."""
        head, at = self.head, self.head.first
        self.blocks = [b.since(at) for b in self.blocks if b.position + len(b) > at]
        if len(self.lines) != head.lines or head.lines < 1:
            return "some of its control changes are missing"
        for block in self.blocks:
            if block.position != at:
                return "a part of its past is missing"
            at += len(block)
        return None if at == head.position else "a part of its past is missing"

    def log(self, card: Card) -> ControlLog:
        """Its control log."""
        return ControlLog.of(
            [
                Entry(line.position, {n: getattr(line.controls, n) for n in line.changed},
                      line.controls)
                for line in self.lines
            ],
            card,
        )  # fmt: skip

    def journal(self, empty: Journal, shift: float) -> Journal:
        """Its past, in an empty journal of its model.

        Args:
            shift: seconds by which the clock is ahead of the one that the past was heard by.
        """
        columns = [
            b"".join(getattr(block, name) for block in self.blocks)
            for name in ("symbols", "due", "fed", "velocities")
        ]
        states = sorted(self.states.items())
        empty.restore(self.head.first, *columns, shift=shift, states=states)
        return empty

    def epochs(self) -> Epochs:
        """Its pasts. If later records are lost, it goes on in a past of its own."""
        head = self.head
        epochs = Epochs.of(head.epoch, head.partings, head.unknown)
        if self.unsure:
            epochs.leap(head.position)
        return epochs

    @property
    def status(self) -> Status:
        """What it was doing."""
        return Status(self.head.status)

    def noted(self) -> Noted:
        """What its store has of it."""
        head = self.head
        status = head.status, head.silent, head.idle_paused
        # The number of a record that is lost is not given again.
        seq = max(head.seq, self.newest)
        return Noted(
            self.key, seq, self.unsure, head.position, head.epoch, head.first, status,
            frozenset(self.states),
        )  # fmt: skip
