"""OSC address patterns, in addresses and arguments that name sessions. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from stream_rnn.errors import ProtocolError

MAX_STARS = 4
MAX_SETS = 8
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
    limits = [(len(pattern), MAX_PATTERN, "characters")]
    limits += [(pattern.count("*"), MAX_STARS, "stars"), (pattern.count("["), MAX_SETS, "sets")]
    for count, most, what in limits:
        if count > most:
            raise ProtocolError("bad_pattern", f"an address pattern has at most {most} {what}")
    pieces = _pieces(pattern)
    found = [name for name in names if _matches(pieces, name)]
    if not found and not or_none:
        raise ProtocolError("unknown_session", f"no session matches {pattern!r}")
    return found


@dataclass(frozen=True)
class _Letter:
    """Any one letter of some ranges; or any that is in none of them."""

    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = True

    def admits(self, letter: str) -> bool:
        return any(first <= letter <= last for first, last in self.ranges) != self.negated


class _Any:
    """Any letters, or none."""


_Piece = _Letter | _Any | list[str]  # the last: one of these texts


def _pieces(pattern: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    for piece in re.findall(r"\*+|\?|\[[^\]]*\]|\{[^}]*\}|[^*?\[{]+|.", pattern, re.DOTALL):
        if piece[0] == "*":
            pieces.append(_Any())
        elif piece == "?":
            pieces.append(_Letter())
        elif piece[0] == "[" and len(piece) > 2:
            negated = piece[1] == "!"
            found = re.findall(r"(.)-(.)|(.)", piece[1 + negated : -1], re.DOTALL)
            ranges = tuple((first or single, last or single) for first, last, single in found)
            if not ranges or any(first > last for first, last in ranges):
                raise ProtocolError("bad_pattern", f"{pattern!r} is not an address pattern")
            pieces.append(_Letter(ranges, negated))
        elif piece[0] == "{" and len(piece) > 1:
            pieces.append(piece[1:-1].split(","))
        else:
            pieces.append([piece])
    return pieces


@lru_cache(maxsize=1024)
def _places(name: str) -> dict[str, int]:
    """Where each letter stands in a name, a bit for each place."""
    places: dict[str, int] = {}
    for place, letter in enumerate(name):
        places[letter] = places.get(letter, 0) | 1 << place
    return places


def _matches(pieces: Sequence[_Piece], name: str) -> bool:
    """Whether a name is one that the pieces stand for.

    In time that grows with the pattern's length, whatever it is. A regular expression tries one
    way after the other, and there may be more of them than a server lives to see.
    """
    places = _places(name)
    everywhere = (2 << len(name)) - 1
    reached = 1  # the places that the pieces so far may have come to
    for piece in pieces:
        if isinstance(piece, _Any):
            reached = everywhere & -(reached & -reached)
        elif isinstance(piece, _Letter):
            standing = everywhere >> 1
            if piece.ranges:
                standing = sum(bits for letter, bits in places.items() if piece.admits(letter))
            reached = (reached & standing) << 1
        else:
            before, reached = reached, 0
            for text in piece:
                here = before
                for letter in text:
                    here = (here & places.get(letter, 0)) << 1
                reached |= here
        if not reached:
            return False
    return bool(reached >> len(name) & 1)
