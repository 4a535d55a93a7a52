"""Codings of controller values: the place of a knob, or steps of an endless encoder. No I/O.

Endless encoders come in three codings. The last is that of Mackie Control's rotary knobs:

| coding | one step up, down | two steps |
|---|---|---|
| two's complement | 1, 127 | 2, 126 |
| offset from 64 | 65, 63 | 66, 62 |
| sign and magnitude | 1, 65 | 2, 66 |
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

Mode = Literal["absolute", "14-bit", "relative-twos", "relative-offset", "relative-sign"]

RELATIVE: tuple[Mode, ...] = ("relative-twos", "relative-offset", "relative-sign")
MOVED = 4  # steps of 128 that count as a movement; a worn potentiometer may jitter by less
FAST = 16  # steps that one message of an encoder may have at most
SLOW = 3  # the same if nothing else speaks for an encoder
REPEATS = 2  # repeated values that show an encoder; a potentiometer has no reason to repeat one
ENOUGH = 8  # values after which the kind of a controller is clear


def steps(mode: Mode, value: int) -> int:
    """Decodes a value from 0 to 127 as steps of an encoder; negative ones turn it down."""
    match mode:
        case "relative-twos":
            return value if value < 64 else value - 128
        case "relative-offset":
            return value - 64
        case "relative-sign":
            return value if value < 64 else 64 - value
    raise AssertionError(f"{mode} has no steps")


def guess(values: Sequence[int]) -> Mode | None:
    """Guesses a controller's mode from the values that it sent; None while that is not clear.

    A potentiometer does not send the same value twice in a row; an encoder sends small steps again
    and again. While an encoder has turned in one direction only, two codings may fit: two's
    complement or sign and magnitude (up), offset (up) or sign and magnitude (down). Then the
    first of the two is taken, until the other direction has been seen.
    """
    repeats = sum(before == after for before, after in pairwise(values))
    possible = {
        mode: [steps(mode, value) for value in values]
        for mode in RELATIVE
        if all(0 < abs(steps(mode, value)) <= FAST for value in values)
    }
    for mode, turned in possible.items():
        slow = max(map(abs, turned), default=0) <= SLOW
        certain = repeats or (slow and mode != "relative-offset")
        if min(turned, default=0) < 0 < max(turned, default=0) and certain:
            return mode
    if possible and repeats >= REPEATS:
        return next(iter(possible))
    if not values or max(abs(value - values[0]) for value in values) < MOVED:
        return None
    return None if possible and repeats and len(values) < ENOUGH else "absolute"


def is_settled(mode: Mode, values: Sequence[int]) -> bool:
    """Whether an encoder has been seen to turn both ways, so that its coding is certain."""
    turned = {steps(mode, value) > 0 for value in values} if mode in RELATIVE else set[bool]()
    return len(turned) == 2 and len(values) >= ENOUGH
