"""The files of a model folder: opened safely, written whole, and errors that name them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from stream_rnn.errors import CheckpointError
from stream_rnn.schema import one_line

CARD = "card.json"
WEIGHTS = "weights.safetensors"


def fault(path: Path, reason: object) -> CheckpointError:
    """An error about a file, in one line."""
    return CheckpointError(f"{one_line(str(path), 4096)}: {one_line(str(reason))}")


@contextlib.contextmanager
def opened(path: Path, most: int, missing: str) -> Iterator[tuple[BufferedReader, int]]:
    """An open file, and how many bytes it has.

    Pipes and devices are not opened: to read from one may block, perhaps for ever.

    Args:
        most: bytes that the file may have.
        missing: the error about the folder if the file is missing.

    Raises:
        CheckpointError: it is no file, is too large, or cannot be read.
    """

    def size(found: os.stat_result) -> int:
        if not stat.S_ISREG(found.st_mode):
            raise fault(path, "cannot be read (a folder, a pipe or a device; it must be a file)")
        if found.st_size > most:
            raise fault(path, f"has {found.st_size:,} bytes; there may be {most:,}")
        return found.st_size

    try:
        size(path.stat())  # first, since opening a device may have effects
        with open(path, "rb", opener=_at_once) as file:
            yield file, size(os.fstat(file.fileno()))
    except FileNotFoundError:
        raise fault(path.parent, missing) from None
    except OSError as error:
        raise fault(path, f"cannot be read ({error.strerror})") from None


def _at_once(path: str, flags: int) -> int:
    """Opens a file; never waits for a writer, should it have become a pipe in the meantime."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file, whole or not at all.

    Raises:
        CheckpointError: it cannot be written; the old file, if any, is unchanged.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # frees its part of a full disk
        raise CheckpointError(f"{path}: cannot be written ({error.strerror})") from None
