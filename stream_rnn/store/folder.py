"""A folder that keeps sessions: opened, read, and written to from then on."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from stream_rnn.errors import ConfigError
from stream_rnn.sessions.notes import Mark, Note, Record, Removed
from stream_rnn.sessions.store import Kept
from stream_rnn.store import recent
from stream_rnn.store.database import (
    FILE,
    DamagedError,
    Database,
    NewerError,
    apply,
    in_memory,
    seqs_of,
)
from stream_rnn.store.recent import Recent
from stream_rnn.store.salvage import salvage
from stream_rnn.store.writer import Job, Writer

log = logging.getLogger("stream_rnn.store")

DAY = 86_400.0
STOP = 5.0  # seconds that the last notes may take at the end


class Folder:
    """The store of a server. `put` and `mark` are for one thread, and never wait.

    Args:
        date: the time by the calendar.
        call: has a function called in that thread.

    Attributes:
        shift: by how much this clock is ahead of that of the server before, once loaded.
        stored: called when all jobs up to a ticket are on the disk.
        failed: called when jobs up to a ticket are lost, with the reason.

    Raises:
        ConfigError: another server uses the folder, or it cannot be made.
    """

    def __init__(
        self, folder: Path, date: Callable[[], float], call: Callable[[Callable[[], None]], object]
    ) -> None:
        self._folder, self._date, self._call = folder, date, call
        self.stored: Callable[[int], None] = lambda ticket: None
        self.failed: Callable[[int, str], None] = lambda ticket, why: None
        self._ticket = self._last_key = 0
        self._gone: list[Path] = []
        self.shift = 0.0
        self._writer: Writer | None = None
        self._database: Database | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--state {folder}: {error.strerror}") from None
        self._old = recent.found(folder)
        number = recent.number_of(self._old[-1]) if self._old else 0
        self._recent = Recent(folder, number)

    @property
    def next_key(self) -> int:
        """A number that no session in it has."""
        return self._last_key + 1

    @property
    def ticket(self) -> int:
        """The latest that was given."""
        return self._ticket

    # At the start

    def load(self, offset: float, days: float) -> tuple[list[Kept], list[str]]:
        """What is kept, and what cannot be used, a line each.

        Args:
            offset: of the calendar from this server's clock, in seconds.
            days: sessions without any change for longer are let go.

        Raises:
            ConfigError: another server uses the folder.
        """
        try:
            self._database, said = self._open()
        except NewerError as error:
            return [], [f"{self._folder / FILE}: {error}; nothing is stored"]
        except (sqlite3.Error, OSError) as error:
            return [], [f"{self._folder / FILE} cannot be used: {error}; nothing is stored"]
        notes = recent.read(self._old)
        try:
            seqs = seqs_of(self._database)
            was = self._database.fact("offset")
            self.shift = 0.0 if was is None else was - offset
            records = [note for note in notes if not isinstance(note, Mark)]
            view, full = self._database, None
            try:
                apply(view, records, seqs, self._date())
                with view.together():
                    view.set_fact("offset", offset)
            except (sqlite3.Error, OSError) as error:
                # The disk is full: what is there can be read and played all the same.
                full, view = error, in_memory(self._database)
                seqs = seqs_of(view)
                apply(view, records, dict(seqs), self._date())
            kept, lost = self._read(view, days)
            said += lost
        except sqlite3.Error as error:
            return [], [*said, f"{self._folder / FILE} cannot be used: {error}; nothing is stored"]
        _hear(kept, notes)
        for one in kept:
            self._recent.marks[one.key] = one.head.seq, one.head.epoch, one.heard
        unknown = {n.key for n in notes if isinstance(n, Mark)} - seqs.keys()
        gone = {note.key for note in notes if isinstance(note, Removed)}
        given = [note.key for note in notes]
        self._last_key = max([*seqs, *given, 0])
        if count := len(unknown - gone):
            said.append(f"{self._folder}: {count} sessions are lost, even their names")
        if full is not None:
            view.close()
            said.append(f"{self._folder}: {full}; changes are lost when the server ends")
        self._begin(seqs, written=full is None)
        return kept, said

    def _open(self) -> tuple[Database, list[str]]:
        path, said = self._folder / FILE, []
        try:
            database = Database(path)
            try:
                database.check()
            except BaseException:
                database.close()
                raise
        except NewerError:
            raise
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise ConfigError(f"--state {self._folder}: another server uses it") from None
            lost = salvage(path)
            said = [f"{path} is damaged ({error}); it is kept as {path.name}.damaged", *lost]
            database = Database(path)
        return database, said

    def _read(self, database: Database, days: float) -> tuple[list[Kept], list[str]]:
        kept: dict[str, Kept] = {}
        said: list[str] = []
        old: list[int] = []
        for key, touched in database.keys():
            name = f"session number {key}"
            try:
                head = database.head(key)
                name = f"session {head.identity.name!r}"
                if self._date() - touched > days * DAY:
                    old.append(key)
                    continue
                if (twin := kept.pop(head.identity.name, None)) is not None:
                    old.append(twin.key)  # another model took over its name
                kept[head.identity.name] = database.read(key, head)
            except DamagedError as error:
                said.append(f"{name} cannot come back: {error}")
        with contextlib.suppress(sqlite3.Error), database.together():
            for key in old:
                database.remove(key)
        return list(kept.values()), said

    def _begin(self, seqs: dict[int, int], *, written: bool) -> None:
        assert self._database is not None
        with contextlib.suppress(sqlite3.Error):
            self._database.shrink()
        self._writer = Writer(self._database, seqs, self._date, self._was_stored, self._fail)
        self._writer.start()
        if written:
            # The old files hold nothing any more but marks, which `adopt` gives to the new one.
            self._gone = self._old

    def settle(self) -> None:
        """The sessions that came back are marked anew: what they were marked in can go."""
        if self._writer is not None:
            self._turn()

    # From then on

    def put(self, note: Record | Removed, *, urgent: bool) -> int:
        """Keeps a note; returns its ticket, for `stored` or `failed`."""
        self._ticket += 1
        if self._writer is None:
            self._fail(self._ticket, "there is no store")
            return self._ticket
        try:
            if self._recent.full:
                self._turn()
            self._recent.add(note)
        except OSError as error:
            self._lost(error)
        if isinstance(note, Removed):
            self._recent.marks.pop(note.key, None)
        self._writer.put(Job(self._ticket, note, urgent))
        return self._ticket

    def mark(self, key: int, seq: int, epoch: int, position: int) -> None:
        """Notes how far a session has been committed."""
        try:
            self._recent.mark(key, seq, epoch, position)
        except OSError as error:
            self._lost(error)

    def _turn(self) -> None:
        try:
            before = self._recent.begin()
        except OSError as error:
            self._lost(error)
            return
        gone, self._gone = [*self._gone, *([before] if before else [])], []
        if gone and self._writer is not None:
            self._ticket += 1
            self._writer.put(Job(self._ticket, None, False, gone))

    def _lost(self, error: OSError) -> None:
        self._fail(self._ticket, error.strerror or str(error))

    def _was_stored(self, ticket: int) -> None:
        self._call(lambda: self.stored(ticket))

    def _fail(self, ticket: int, why: str) -> None:
        self._call(lambda: self.failed(ticket, why))

    def close(self) -> None:
        """Writes what is left."""
        if self._writer is not None:
            self._writer.stop(STOP)
        self._recent.close()


def _hear(kept: list[Kept], notes: list[Note]) -> None:
    """Moves sessions on to what was heard last, by the marks."""
    marks, newest = defaultdict(list), dict[int, int]()
    for note in notes:
        if isinstance(note, Mark):
            marks[note.key].append(note)
            newest[note.key] = max(newest.get(note.key, 0), note.seq)
        elif isinstance(note, Record):
            newest[note.key] = max(newest.get(note.key, 0), note.head.seq)
    for session in kept:
        head = session.head
        session.newest = newest.get(session.key, 0)
        for mark in marks[session.key]:
            if not session.unsure and (mark.seq, mark.epoch) == (head.seq, head.epoch):
                session.heard = max(session.heard, mark.position)
