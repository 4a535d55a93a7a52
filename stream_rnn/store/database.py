"""The store's database: the latest record of each session, its past, its control log, its states.

SQLite in WAL mode. Each row carries a checksum of its own, so a damaged row is noticed, and costs
one session and not the others.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from stream_rnn.sessions.notes import (
    BLOCK,
    FORMAT,
    Block,
    Head,
    Line,
    Record,
    Removed,
    frame,
    unframe,
)
from stream_rnn.sessions.store import Kept

FILE = "sessions.sqlite"
VERSION = 1
PATIENCE = 0.5  # seconds to wait for a lock that another program holds on the database
PARTS = ("past", "log", "state")
SCHEMA = f"""
CREATE TABLE session (key INTEGER PRIMARY KEY, touched REAL NOT NULL, body BLOB NOT NULL);
{
    "".join(
        f'''
CREATE TABLE {part} (key INTEGER, position INTEGER, body BLOB NOT NULL,
                     PRIMARY KEY (key, position)) WITHOUT ROWID;'''
        for part in PARTS
    )
}
CREATE TABLE fact (name TEXT PRIMARY KEY, value REAL NOT NULL);
PRAGMA user_version = {VERSION};
"""

_encoder = msgspec.msgpack.Encoder()
_head = msgspec.msgpack.Decoder(Head)
_line = msgspec.msgpack.Decoder(Line)
_block = msgspec.msgpack.Decoder(Block)


class NewerError(Exception):
    """The database was written by a later version of this program."""


class DamagedError(Exception):
    """What is stored of a session cannot be used; the message says why."""


class Database:
    """An open database. All methods may raise `sqlite3.Error`.

    Raises:
        NewerError: it was written by a later version; nothing was changed.
        sqlite3.DatabaseError: it is damaged, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(
            path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise NewerError(f"it was written by a later version (format {version})")
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # also does without a -shm file
            self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if version == 0:
                self._db.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Closes it."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def check(self) -> None:
        """Looks at every page.

        Raises:
            sqlite3.DatabaseError: something is damaged.
        """
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    # Writing

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Makes the changes within all at once, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def write(self, record: Record, now: float) -> None:
        """Stores a record.

        Args:
            now: by the calendar, for the age of the session.
        """
        key, head = record.key, record.head
        if record.whole:
            self.remove(key)
        else:
            self._delete("past", "position >= ? OR position <= ?", key, record.cut,
                         head.first - BLOCK)  # fmt: skip
            self._delete("log", "position >= ? OR position < ?", key, record.low, head.log_first)
            for position in record.gone:
                self._delete("state", "position = ?", key, position)
        self._insert("past", key, ((b.position, _encoder.encode(b)) for b in record.blocks))
        self._insert("log", key, ((e.position, _encoder.encode(e)) for e in record.lines))
        self._insert("state", key, record.states)
        self._db.execute(
            "INSERT OR REPLACE INTO session VALUES (?, ?, ?)",
            (key, now, frame(_encoder.encode(head))),
        )

    def remove(self, key: int) -> None:
        """Lets go of a session."""
        self._db.execute("DELETE FROM session WHERE key = ?", (key,))
        for part in PARTS:
            self._delete(part, "1", key)

    def _delete(self, part: str, which: str, *values: int) -> None:
        self._db.execute(f"DELETE FROM {part} WHERE key = ? AND ({which})", values)

    def _insert(self, part: str, key: int, rows: Iterable[tuple[int, bytes]]) -> None:
        self._db.executemany(
            f"INSERT OR REPLACE INTO {part} VALUES (?, ?, ?)",
            [(key, position, frame(body)) for position, body in rows],
        )

    def set_fact(self, name: str, value: float) -> None:
        """Stores a number."""
        self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def shrink(self) -> None:
        """Gives pages that are free back to the disk."""
        self._db.execute("PRAGMA incremental_vacuum").fetchall()
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # Reading

    def fact(self, name: str) -> float | None:
        """A number that was stored."""
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else float(row[0])

    def facts(self) -> list[tuple[str, float]]:
        """All numbers that were stored."""
        return list(self._db.execute("SELECT name, value FROM fact"))

    def keys(self) -> list[tuple[int, float]]:
        """The sessions, each with the date of its latest record."""
        return list(self.each())

    def each(self) -> Iterator[tuple[int, float]]:
        """As `keys`, one after the other: a damaged page ends it."""
        for key, at in self._db.execute("SELECT key, touched FROM session ORDER BY key"):
            yield int(key), float(at)

    def head(self, key: int) -> Head:
        """The latest record of a session, without its past.

        Raises:
            DamagedError: it cannot be used.
        """
        try:
            row = self._db.execute("SELECT body FROM session WHERE key = ?", (key,)).fetchone()
            return _head.decode(_body(row[0], "its record"))
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            raise DamagedError(f"its record cannot be read: {error}") from None

    def read(self, key: int, head: Head) -> Kept:
        """A session.

        Raises:
            DamagedError: some of it is missing, or cannot be read.
        """
        if head.format > FORMAT:
            raise DamagedError(f"it was written by a later version (format {head.format})")
        try:
            kept = Kept(
                key,
                head,
                [_line.decode(body) for _, body in self._rows("log", key)],
                [_block.decode(body) for _, body in self._rows("past", key)],
                dict(self._rows("state", key)),
                heard=head.position,
            )
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            raise DamagedError(f"it is damaged: {error}") from None
        if (fault := kept.fault()) is not None:
            raise DamagedError(fault)
        return kept

    def _rows(self, part: str, key: int) -> Iterator[tuple[int, bytes]]:
        found = self._db.execute(
            f"SELECT position, body FROM {part} WHERE key = ? ORDER BY position", (key,)
        )
        for position, body in found:
            yield position, _body(body, part)


def in_memory(database: Database) -> Database:
    """A copy that needs no room on the disk."""
    copy = Database(Path(":memory:"))
    database._db.backup(copy._db)
    return copy


def _body(data: bytes, part: str) -> bytes:
    if (body := unframe(data)) is None:
        raise DamagedError(f"a row of {part} is damaged")
    return body


def seqs_of(database: Database) -> dict[int, int]:
    """The number of each session's latest record, where it can be read."""
    seqs: dict[int, int] = {}
    for key, _ in database.keys():
        with contextlib.suppress(DamagedError):
            seqs[key] = database.head(key).seq
    return seqs


def apply(
    database: Database, notes: Iterable[Record | Removed], seqs: dict[int, int], now: float
) -> bool:
    """Stores the notes that follow on what is stored, all or none; others are left out.

    Args:
        seqs: see `seqs_of`; is kept up to date.

    Returns:
        Whether none had to be left out because one before it is missing.
    """
    after, complete = dict(seqs), True
    with database.together():
        for note in notes:
            if isinstance(note, Removed):
                database.remove(note.key)
                after.pop(note.key, None)
                continue
            seq, was = note.head.seq, after.get(note.key, 0)
            if seq > was and (note.whole or seq == was + 1):
                database.write(note, now)
                after[note.key] = seq
            elif seq > was:
                complete = False
    seqs.clear()
    seqs.update(after)
    return complete
