"""The draw of keys that sound independently of each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics.categorical import PER_NUMBER
from stream_rnn.engine.numerics.functions import LOG2E, Floats, chance, sharpness

WHOLE = np.float32(2.0**24)  # a chance of 1, where chances are counted
HALVINGS = 20  # of an interval of 64 doublings: what is left of it moves 88 keys by 0.001
REACH = np.float32(32.0)
_DOWN = np.float32(-LOG2E)


def draw_keys(
    logits: Floats,
    numbers: NDArray[np.uint32],
    temperature: NDArray[np.float64],
    density: NDArray[np.float64],
    allowed: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Keys that sound, `[rows, keys]`.

    Temperature decides which keys sound, and not how many: logits are shifted, all of a row by as
    much, until as many are to be expected as at temperature 1. How many is `density`'s to say.

    Args:
        logits: `[rows, keys]`.
        numbers: `[rows, keys]`.
        temperature: `[rows]`, 0 for the keys that are likelier than not.
        density: `[rows]`, added to each logit.
        allowed: `[rows, keys]`.
    """
    odds = logits + density.astype(np.float32)[:, None]
    chances = chance(odds * _DOWN)
    (turned,) = ((temperature > 0) & (temperature != 1) & allowed.any(1)).nonzero()
    if len(turned):
        chances[turned] = tempered(
            odds[turned], counted(chances[turned]), temperature[turned], allowed[turned]
        )
    sounds = numbers.astype(np.float64) * PER_NUMBER < chances
    cold = (temperature == 0)[:, None]
    return np.where(cold, odds > 0, sounds) & allowed


def counted(chances: Floats) -> NDArray[np.int64]:
    """Chances in units of 2**-24, without their fractions: their sums are exact."""
    return (chances * WHOLE).astype(np.int64)


def tempered(
    odds: Floats,
    counts: NDArray[np.int64],
    temperature: NDArray[np.float64],
    allowed: NDArray[np.bool_],
) -> Floats:
    """Chances `logistic((odds + shift) / temperature)` of as many keys as `counts` adds up to.

    The shift is found by halving an interval. Its middle is where the last key that is wanted, in
    the order of likelihood, has a chance of a half.

    Args:
        counts: each key's chance at temperature 1.
        allowed: at least one key in each row.
    """
    wanted = np.where(allowed, counts, 0).sum(1)
    last = np.minimum(-(-wanted // int(WHOLE)), allowed.sum(1))
    last = np.maximum(last, 1) - 1  # so many keys are likelier than the last that is wanted
    ordered = -np.sort(-np.where(allowed, odds, np.float32(-np.inf)), axis=1)
    middle = np.take_along_axis(ordered, last[:, None], axis=1)
    exponents = (middle - odds) * sharpness(temperature)[:, None]
    low = np.full((len(odds), 1), -REACH)
    high = np.full((len(odds), 1), REACH)
    for _ in range(HALVINGS):
        shift = (low + high) * np.float32(0.5)
        expected = np.where(allowed, counted(chance(exponents - shift)), 0).sum(1)
        short = (expected < wanted)[:, None]
        low, high = np.where(short, shift, low), np.where(short, high, shift)
    return chance(exponents - (low + high) * np.float32(0.5))
