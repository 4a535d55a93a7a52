"""Files that people hand in, and one line on what is wrong with one."""

from __future__ import annotations

import zlib
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

from stream_rnn.errors import DataError

LONGEST_REASON = 120  # letters
# What numpy and scipy raise of files whose bytes were changed at random, or cut off.
DAMAGED = (
    OSError, EOFError, ValueError, TypeError, LookupError, NameError, SyntaxError, ArithmeticError,
    NotImplementedError, MemoryError, TokenError, BadZipFile, zlib.error,
)  # fmt: skip


def read_utf8(path: Path) -> str:
    """The text of a file, with plain line ends and without a byte-order mark.

    Raises:
        DataError: it is not there, or not UTF-8; it names the line.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1  # of all there is, less the mark
        raise DataError(f"{path}, line {line}: not UTF-8; convert it (iconv -t UTF-8)") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def reason(error: BaseException) -> str:
    """What somebody else's error says, for the end of a line of ours: no longer, and not empty."""
    if isinstance(error, EOFError):
        return "empty, or cut short"
    said = getattr(error, "strerror", None) or " ".join(str(error).split())
    said = said or type(error).__name__
    return said if len(said) <= LONGEST_REASON else said[: LONGEST_REASON - 1] + "…"
