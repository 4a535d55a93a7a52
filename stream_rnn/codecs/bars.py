"""The bars of a tune in ABC tokens, and whether each is as long as its meter says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stream_rnn.codecs.melody import BARS, bar_of, melody

FEWEST = 4  # bars that a tune must have
ROUNDING = 1e-6  # of an eighth: triplets do not add up exactly


class Bar(NamedTuple):
    """A bar and the line that ends it.

    Attributes:
        tokens: those before the line.
        length: in eighths.
        wanted: the length that its meter asks for, in eighths; None if it may have any.
        line: the bar line.
    """

    tokens: Sequence[str]
    length: float
    wanted: float | None
    line: str


def bars_of(tokens: Sequence[str]) -> Iterator[Bar]:
    """The bars of a tune, one after another; a double bar line ends the last one."""
    meter, now = "4/4", list[str]()
    for token in [*tokens, "||"]:
        plain = token.strip("[]")
        if plain.startswith("M:"):
            meter = plain[2:]
        if token not in BARS:
            now.append(token)
            continue
        length = sum(length for _, length in melody([f"M:{meter}", *now]))
        yield Bar(now, length, bar_of(meter), token)
        now = []


def bar_fault(tokens: Sequence[str]) -> str:
    """What is wrong with a tune: no meter, no key, too few bars, or one of the wrong length.

    Empty if nothing is wrong. Because of upbeats, the first and the last bar of a part (between
    double bars, repeats or endings) may be shorter. Repeat lines with nothing between make no bar.
    """
    if len(tokens) < 3 or not tokens[0].startswith("M:") or not tokens[1].startswith("K:"):
        return "no meter and key before its notes"
    bars, free = 0, False
    edge = True  # the bar before this one ended a part
    for number, bar in enumerate(bars_of(tokens), 1):
        # An ending may begin with a short bar, where the repeat leads into it.
        edge = edge or any(t[0] == "[" and t[1].isdigit() for t in bar.tokens)
        ends = bar.line != "|"
        if bar.wanted is None:
            free = True
        else:
            more = bar.length - bar.wanted
            if more > ROUNDING or (more < -ROUNDING and not (edge or ends)):
                return (
                    "a bar is not as long as its meter "
                    f"(bar {number} has {bar.length:.4g} eighths, not {bar.wanted:.4g})"
                )
        bars += bar.length > 0
        edge = ends or (edge and not bar.length)
    # In a free meter bar lines may be few.
    return "" if bars >= (1 if free else FEWEST) else f"fewer than {FEWEST} bars"


def bars_add_up(tokens: Sequence[str]) -> bool:
    """Whether a tune has a meter, a key and bars that are as long as its meter says."""
    return not bar_fault(tokens)
