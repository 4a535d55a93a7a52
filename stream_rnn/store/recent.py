"""The newest notes, in a file to which each is added at once: what SQLite does not have yet.

A note is with the operating system before it takes effect, which costs a few microseconds and no
wait for the disk. So a server that is killed loses nothing. When the machine itself goes down,
the database is what counts.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from stream_rnn.sessions.notes import Note, mark_bytes, note_bytes, notes_in

MOST = 2_000_000  # bytes in a file; then another is begun
Marks = dict[int, tuple[int, int, int]]  # by session: record, epoch, position


class Recent:
    """Files of notes, one after the other.

    Attributes:
        marks: the latest of each session.
        works: whether notes can be added; a full disk may end that.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._number = folder, number
        self._file: int | None = None
        self._size = 0
        self.marks: Marks = {}

    @property
    def works(self) -> bool:
        """Whether notes can be added now."""
        return self._file is not None

    def begin(self) -> Path | None:
        """Begins a file with the marks of all sessions.

        Returns:
            The file before, which may go once all its notes are in the database.

        Raises:
            OSError: it cannot be written.
        """
        before = self._path if self._file is not None else None
        self.close()
        self._number += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        self._file, self._size = os.open(self._path, flags, 0o600), 0
        self._write(b"".join(mark_bytes(key, *mark) for key, mark in self.marks.items()))
        return before

    @property
    def _path(self) -> Path:
        return self._folder / f"recent-{self._number:08d}"

    @property
    def full(self) -> bool:
        """Whether it is time to begin another file."""
        return self._file is None or self._size > MOST

    def add(self, note: Note) -> None:
        """Adds a note.

        Raises:
            OSError: it cannot be written; nothing can, until `begin`.
        """
        self._write(note_bytes(note))

    def mark(self, key: int, seq: int, epoch: int, position: int) -> None:
        """Adds a mark.

        Raises:
            OSError: as `add`.
        """
        self.marks[key] = seq, epoch, position
        if self._file is not None:
            self._write(mark_bytes(key, seq, epoch, position))

    def _write(self, data: bytes) -> None:
        if self._file is None or not data:
            return
        try:
            if os.write(self._file, data) < len(data):
                raise OSError("the disk is full")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)  # without the part that was written
            self.close()
            raise
        self._size += len(data)

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def found(folder: Path) -> list[Path]:
    """The files of recent notes in a folder, oldest first."""
    return sorted(p for p in folder.glob("recent-*") if re.fullmatch(r"recent-\d{8,}", p.name))


def read(paths: Iterable[Path]) -> list[Note]:
    """The notes in some files, as far as they are whole."""
    notes: list[Note] = []
    for path in paths:
        with contextlib.suppress(OSError):
            notes += notes_in(path.read_bytes())
    return notes


def number_of(path: Path) -> int:
    """The number of a file of recent notes."""
    return int(path.name.partition("-")[2])
