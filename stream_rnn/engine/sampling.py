"""Draws symbols from logits, with random numbers that are a function of the position.

A row's draw does not depend on the other rows of the batch: it uses the row's own logits and
settings, and numbers hashed from (seed, position, lane). It is done in NumPy, whose functions
give an element the same result wherever it stands in an array, and whose sums along a row do not
depend on the number of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics.randoms import random_numbers
from stream_rnn.nets.heads import Kind

NEWTON_STEPS = 6
STRIDE = 4.0
LEAST = 1e-30
FAR = 300.0  # logits, divided by the temperature: as good as infinite

Floats = NDArray[np.floating[Any]]


def uniforms(
    seeds: NDArray[np.int64], positions: NDArray[np.int64], lanes: int
) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), `[rows, lanes]`, in steps of 2**-32.

    Each is a hash of (seed, position, lane) alone.
    """
    return np.asarray(random_numbers(seeds, positions, lanes) * 2.0**-32)


def draw_lanes(head: Kind, symbols: int) -> int:
    """How many uniform numbers one draw is given: one, or for a chord one per key."""
    return 1 if head == "categorical" else symbols


def draw_categorical(
    logits: Floats,
    uniform: Floats,
    temperature: Floats,
    top_k: NDArray[np.int64],
    top_p: Floats,
) -> NDArray[np.int64]:
    """Draws one index per row, by inversion of the cumulative distribution.

    Args:
        logits: `[rows, symbols]`; -inf for symbols that must not be drawn.
        uniform: `[rows, 1]` in [0, 1).
        temperature: `[rows]`, 0 for the likeliest symbol (the first among equals).
        top_k: `[rows]`, 0 for no limit. Symbols as likely as the k-th stay in.
        top_p: `[rows]`, 1 for no limit (nucleus sampling, Holtzman et al. 2019).

    Returns:
        `[rows]`.
    """
    wide = logits.astype(np.float64)
    greedy = wide.argmax(1)
    scale = np.where(temperature > 0, temperature, 1.0)
    weights = np.exp((wide - wide.max(1, keepdims=True)) / scale[:, None])
    (limited,) = ((top_k > 0) | (top_p < 1)).nonzero()
    if len(limited):
        weights[limited] = _truncated(weights[limited], top_k[limited], top_p[limited])
    cumulative = weights.cumsum(1)
    # u is below 1, in steps of 2**-32. So u * total < total, and weight 0 is never drawn.
    drawn = (cumulative <= uniform * cumulative[:, -1:]).sum(1)
    return np.asarray(np.where(temperature > 0, drawn, greedy))


def _truncated(
    weights: NDArray[np.float64], top_k: NDArray[np.int64], top_p: Floats
) -> NDArray[np.float64]:
    """Weights with all but the likeliest symbols at 0; the likeliest always stays."""
    ordered = -np.sort(-weights, axis=1)
    width = weights.shape[1]
    k = np.where(top_k > 0, np.minimum(top_k, width), width)
    reached = ordered.cumsum(1)
    before = reached - ordered  # the weight of all likelier symbols
    p_count = (before < top_p[:, None] * reached[:, -1:]).sum(1)
    count = np.minimum(k, np.maximum(p_count, 1))
    least = np.take_along_axis(ordered, count[:, None] - 1, axis=1)
    return np.asarray(np.where(weights >= least, weights, 0.0))


def draw_bernoulli(
    logits: Floats,
    uniform: Floats,
    temperature: Floats,
    density: Floats,
    allowed: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Draws the keys that sound, `[rows, keys]` bool, each independently.

    Temperature alone would change how many keys sound: most have a chance below a half, which a
    low temperature lowers and a high one raises. So all logits of a row are shifted by the same
    amount, until the expected number of keys is that of temperature 1. Temperature then decides
    only how surprising the keys are, and `density` how many they are.

    Args:
        logits: `[rows, keys]`.
        uniform: `[rows, keys]` in [0, 1).
        temperature: `[rows]`, 0 for the keys that are likelier than not.
        density: `[rows]`, added to each logit.
        allowed: `[rows, keys]` bool.
    """
    wide = logits.astype(np.float64) + density[:, None]
    chances = logistic(wide)
    (turned,) = ((temperature > 0) & (temperature != 1)).nonzero()
    if len(turned):
        wanted = (chances[turned] * allowed[turned]).sum(1)
        chances[turned] = tempered_chances(
            wide[turned], temperature[turned], allowed[turned], wanted
        )
    cold = (temperature == 0)[:, None]
    return np.asarray(np.where(cold, wide > 0, uniform < chances) & allowed)


def logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability whose logit is x; NaN for NaN."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def tempered_chances(
    logits: NDArray[np.float64],
    temperature: Floats,
    allowed: NDArray[np.bool_],
    wanted: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Chances `logistic((logits + shift) / temperature)` that add up to `wanted` in each row.

    The sum is right to a few thousandths of a key. Newton's method solves for
    `shift / temperature`, on the logarithm of the sum. It starts where the `wanted`-th likeliest
    key has a chance of a half, so that the slope is not 0, and its steps are bounded, so that they
    do not reach where it is 0. The number of steps is fixed, because a row's result must not
    depend on when other rows converge.
    """
    barred = np.where(allowed, logits, -np.inf)
    # fmin and fmax ignore NaN, which a network that diverged in training gives.
    last = np.fmax(np.fmin(np.ceil(wanted), allowed.sum(1)) - 1, 0).astype(np.int64)
    middle = np.take_along_axis(np.sort(barred, axis=1), -1 - last[:, None], axis=1)
    middle[np.isneginf(middle)] = 0
    # odds[key] * exp(-x) are the odds against a key: each Newton step takes one exponential a row.
    odds = np.exp(np.clip((middle - barred) / temperature[:, None], -FAR, FAR))
    x = np.zeros(len(logits))
    for _ in range(NEWTON_STEPS):
        chances = 1 / (1 + odds * np.exp(-x)[:, None])
        total = chances.sum(1)
        slope = total - (chances * chances).sum(1)
        step = np.log((wanted + LEAST) / total) * total / np.maximum(slope, LEAST)
        x += np.minimum(np.maximum(step, -STRIDE), STRIDE)
    return np.asarray(1 / (1 + odds * np.exp(-x)[:, None]))
