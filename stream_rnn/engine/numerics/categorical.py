"""The draw of one symbol among many, by whole-number weights whose sums are exact in any order."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics.functions import Floats, bounded, exp2, sharpness

HEAVIEST = np.float32(2.0**30)  # the likeliest symbol's weight
PER_NUMBER = 2.0**-32  # a random number is so many times this

Weights = NDArray[np.int64]


def draw_symbol(
    logits: Floats,
    numbers: NDArray[np.uint32],
    temperature: NDArray[np.float64],
    top_k: NDArray[np.int64],
    top_p: NDArray[np.float64],
    may: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """One symbol a row.

    Args:
        logits: `[rows, symbols]`.
        numbers: `[rows]`.
        temperature: `[rows]`, 0 for the likeliest (the first of equals).
        top_k: `[rows]`, 0 for no limit.
        top_p: `[rows]`, 1 for no limit (nucleus sampling, Holtzman et al. 2019).
        may: `[rows, symbols]`: which may be drawn. A row of none gives symbol 0.

    Returns:
        `[rows]`.
    """
    barred = np.where(may, logits, np.float32(-np.inf))
    weights = weights_of(barred, sharpness(temperature))
    (limited,) = ((top_k > 0) | (top_p < 1)).nonzero()
    if len(limited):
        weights[limited] = truncated(weights[limited], top_k[limited], top_p[limited])
    total = weights.sum(1).astype(np.float64)
    drawn = pick(weights, (numbers.astype(np.float64) * PER_NUMBER) * total)
    return np.where((temperature > 0) & (total > 0), drawn, barred.argmax(1))


def weights_of(logits: Floats, sharp: Floats) -> Weights:
    """`2**30 * 2**((logit - largest) * sharp)` without its fraction, `[rows, symbols]`.

    Args:
        logits: -infinity for what must not be drawn, whose weight is 0.
        sharp: `[rows]`.
    """
    largest = logits.max(1, keepdims=True)
    largest = np.where(largest > -np.inf, largest, np.float32(0.0))
    return weight((logits - largest) * sharp[:, None]).astype(np.int64)


def weight(exponents: Floats) -> NDArray[np.int32]:
    """`2**30 * 2**exponent` without its fraction, for exponents up to 0."""
    return cast(NDArray[np.int32], (exp2(bounded(exponents)) * HEAVIEST).astype(np.int32))


def truncated(weights: Weights, top_k: NDArray[np.int64], top_p: NDArray[np.float64]) -> Weights:
    """Weights with 0 for what is too unlikely.

    A symbol stays if fewer than `top_k` are likelier, and if what is likelier weighs less than
    `top_p` of all. So equals stay or go together; and the likeliest always stays.
    """
    ordered = -np.sort(-weights, axis=1)
    width = weights.shape[1]
    k = np.where(top_k > 0, np.minimum(top_k, width), width)
    reached = ordered.cumsum(1)
    before = (reached - ordered).astype(np.float64)  # the weight of what is likelier
    p_count = (before < top_p[:, None] * reached[:, -1:].astype(np.float64)).sum(1)
    count = np.minimum(k, np.maximum(p_count, 1))
    least = np.take_along_axis(ordered, count[:, None] - 1, axis=1)
    return np.where(weights >= least, weights, 0)


def pick(weights: Weights, at: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first symbol with which the weights from symbol 0 on exceed `at`, `[rows]`."""
    reached = weights.cumsum(1).astype(np.float64)  # below 2**53, so exact
    return np.asarray((reached <= at[:, None]).sum(1))
