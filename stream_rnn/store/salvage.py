"""What can be read of a damaged database, in a new one; the damaged one is kept beside it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from stream_rnn.sessions.notes import Record
from stream_rnn.sessions.store import Kept
from stream_rnn.store.database import DamagedError, Database


def salvage(path: Path) -> list[str]:
    """Makes a new database of what can be read of a damaged one, which is kept beside it.

    Returns:
        What is lost, a line each.

    Raises:
        sqlite3.Error, OSError: there is no room for a new one.
    """
    aside, new = path.with_name(path.name + ".damaged"), path.with_name(path.name + ".new")
    for name in (aside, new):
        for suffix in ("", "-wal", "-shm"):
            name.with_name(name.name + suffix).unlink(missing_ok=True)
    lost: list[str] = []
    fresh = Database(new)
    try:
        with fresh.together():
            lost += _copy(path, fresh)
        fresh.shrink()
    finally:
        fresh.close()
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(aside.with_name(aside.name + suffix))
    new.rename(path)
    return lost


def _copy(path: Path, fresh: Database) -> list[str]:
    lost: list[str] = []
    try:
        old = Database(path)
    except (sqlite3.DatabaseError, DamagedError) as error:
        return [f"nothing of {path} can be read: {error}"]
    try:
        for name, value in old.facts():
            fresh.set_fact(name, value)
    except sqlite3.DatabaseError as error:
        lost.append(f"the offset of its clock cannot be read: {error}")
    keys = []
    try:
        for row in old.each():
            keys.append(row)
    except sqlite3.DatabaseError as error:
        lost.append(f"after {len(keys)} sessions nothing more can be found: {error}")
    for key, touched in keys:
        name = f"session number {key}"
        try:
            head = old.head(key)
            name = f"session {head.identity.name!r}"
            kept = old.read(key, head)
            fresh.write(whole(kept), touched)
        except DamagedError as error:
            lost.append(f"{name} cannot come back: {error}")
    old.close()
    return lost


def whole(kept: Kept) -> Record:
    """A session as one record."""
    return Record(
        kept.key, True, kept.head, 0, tuple(kept.lines), 0, tuple(kept.blocks),
        tuple(kept.states.items()), (),
    )  # fmt: skip
