"""What the values of a controller mean: a place, or steps of an endless encoder. No I/O.

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
MOVED = 4  # steps of 128 that make a movement; less is a worn potentiometer
FAST = 16  # steps, the most that an encoder is held to turn by in one message
SLOW = 3  # the same where nothing else speaks for an encoder
REPEATS = 2  # times that the same value comes again; a potentiometer has no reason to send it
ENOUGH = 8  # values after which it is an encoder no more if it cannot be any


def steps(mode: Mode, value: int) -> int:
    """The steps of an encoder that a value from 0 to 127 means."""
    match mode:
        case "relative-twos":
            return value if value < 64 else value - 128
        case "relative-offset":
            return value - 64
        case "relative-sign":
            return value if value < 64 else 64 - value
    raise AssertionError(f"{mode} has no steps")


def guess(values: Sequence[int]) -> Mode | None:
    """What a controller that sent these values is; none while that cannot be told.

    A place that is moved wanders, and does not send the same value twice. An encoder sends small
    steps again and again. By one direction alone two's complement and sign and magnitude cannot
    be told apart, nor an offset from a step down by sign: the first of each pair is taken, until
    the other direction has been seen.
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
