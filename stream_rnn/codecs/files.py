"""Reads files that people supply, and says in one line what is wrong with one."""

from __future__ import annotations

import zlib
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

from stream_rnn.errors import DataError

LONGEST_REASON = 120  # characters
# What numpy and scipy raise for files whose bytes were changed at random, or cut off.
DAMAGED = (
    OSError, EOFError, ValueError, TypeError, LookupError, NameError, SyntaxError, ArithmeticError,
    NotImplementedError, MemoryError, TokenError, BadZipFile, zlib.error,
)  # fmt: skip


UTF8 = "utf-8-sig"  # with a byte-order mark or without


def read_utf8(path: Path, encoding: str = UTF8) -> str:
    """The text of a file, with plain line ends and without a byte-order mark.

    Args:
        encoding: of a file that is not UTF-8.

    Raises:
        DataError: it is not there, or not of that encoding; the message names the line.
    """
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1  # `object`: the whole file
        advice = "convert it (iconv -t UTF-8), or set data.encoding in the recipe"
        name = "UTF-8" if encoding == UTF8 else encoding
        raise DataError(f"{path}, line {line}: not {name}; {advice}") from None
    except UnicodeError as error:  # a UTF-16 file without its mark
        raise DataError(f"{path}: not {encoding} ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def reason(error: BaseException) -> str:
    """The text of another library's error, for the end of our message: short, and never empty."""
    if isinstance(error, EOFError):
        return "empty, or cut short"
    said = getattr(error, "strerror", None) or " ".join(str(error).split())
    said = said or type(error).__name__
    return said if len(said) <= LONGEST_REASON else said[: LONGEST_REASON - 1] + "…"
