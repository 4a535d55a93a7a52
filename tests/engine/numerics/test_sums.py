"""Sums of 8-bit states and weights fit into 32 bits, and are what integers add up to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.engine.numerics.sums import ExactSums
from stream_rnn.nets.architecture import MOST_UNITS

MOST_INPUTS = 2 * MOST_UNITS  # the state below, and a layer's own


@pytest.mark.parametrize("state", [0, 1, 128, 255])
@pytest.mark.parametrize("weight", [-127, 0, 127])
def test_nothing_overflows_at_the_largest_size(state: int, weight: int) -> None:
    states = np.full((1, MOST_INPUTS), state, np.uint8)
    weights = np.full((MOST_INPUTS, 2), weight, np.int8)
    raw, shift = MOST_INPUTS * state * weight, 128 * MOST_INPUTS * weight
    for number in (raw, shift, raw - shift):  # all that an integer kernel ever holds
        assert abs(number) < 2**31
    assert (ExactSums(weights)(states) == raw - shift).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 3000), st.integers(1, 5))
def test_sums_are_those_of_integers(seed: int, rows: int, inputs: int, outputs: int) -> None:
    dice = np.random.default_rng(seed)
    states = dice.integers(1, 256, (rows, inputs)).astype(np.uint8)
    weights = dice.integers(-127, 128, (inputs, outputs)).astype(np.int8)
    expected = (states.astype(np.int64) - 128) @ weights.astype(np.int64)
    np.testing.assert_array_equal(ExactSums(weights)(states), expected)
