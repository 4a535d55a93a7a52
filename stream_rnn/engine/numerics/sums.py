"""Sums of 8-bit states times 8-bit weights, for the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.nets.quantised import MOST

ZERO = 128  # the 8-bit state that stands for 0
EXACT = 2**24  # float32 holds every whole number up to it


class ExactSums:
    """The sums `Σ h8 * w8 - 128 Σ w8` of every output.

    NumPy has no fast product of whole numbers, but one of floats. Whole floats whose sums stay
    below 2**24, or in float64 below 2**53, are summed without rounding, so this is the same
    number, in whichever order the library sums.

    Args:
        weights: int8 `[inputs, outputs]`.
    """

    def __init__(self, weights: NDArray[np.int8]) -> None:
        most = int(np.abs(weights.astype(np.int64)).sum(0).max()) * MOST if weights.size else 0
        self._kind: type[np.floating[Any]] = np.float32 if most < EXACT else np.float64
        self._weights = weights.astype(self._kind)

    def __call__(self, states: NDArray[np.uint8]) -> NDArray[np.int32]:
        """`[rows, outputs]` of `[rows, inputs]`."""
        centred = states.astype(self._kind) - self._kind(ZERO)
        return np.asarray(centred @ self._weights).astype(np.int32)
