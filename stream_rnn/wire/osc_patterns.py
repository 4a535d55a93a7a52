"""OSC address patterns, in addresses and arguments that name sessions. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable

from stream_rnn.errors import ProtocolError

MAX_STARS = 4
MAX_PATTERN = 256


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern, which may stand for several names."""
    return not set(text).isdisjoint("*?[{")


def fits(pattern: str, name: str) -> bool:
    """Whether a well-formed pattern matches a name."""
    return bool(matching(pattern, [name], or_none=True))


def matching(pattern: str, names: Iterable[str], *, or_none: bool = False) -> list[str]:
    """The names that an OSC address pattern matches; a plain name gives itself.

    Args:
        or_none: whether the pattern may match nothing.

    Raises:
        ProtocolError: the pattern is malformed, or it matches nothing.
    """
    if not is_pattern(pattern):
        return [pattern]
    if pattern.count("*") > MAX_STARS or len(pattern) > MAX_PATTERN:
        # Each star multiplies the time that a match may take.
        limits = f"at most {MAX_STARS} stars and {MAX_PATTERN} characters"
        raise ProtocolError("bad_pattern", f"an address pattern may have {limits}")
    regex = ""
    for piece in re.findall(r"\*|\?|\[[^\]]*\]|\{[^}]*\}|.", pattern):
        if piece == "*":
            regex += ".*"
        elif piece == "?":
            regex += "."
        elif piece[0] == "[" and len(piece) > 2:
            negated, body = ("^", piece[2:-1]) if piece[1] == "!" else ("", piece[1:-1])
            ranges = re.findall(r"(.)-(.)|(.)", body)
            regex += f"[{negated}{''.join(_range(*found) for found in ranges)}]"
        elif piece[0] == "{" and len(piece) > 1:
            regex += "(?:" + "|".join(re.escape(p) for p in piece[1:-1].split(",")) + ")"
        else:
            regex += re.escape(piece)
    try:
        found = [name for name in names if re.fullmatch(regex, name)]
    except re.error:
        raise ProtocolError("bad_pattern", f"{pattern!r} is not an address pattern") from None
    if not found and not or_none:
        raise ProtocolError("unknown_session", f"no session matches {pattern!r}")
    return found


def _range(first: str, last: str, single: str) -> str:
    return re.escape(single) if single else f"{re.escape(first)}-{re.escape(last)}"
