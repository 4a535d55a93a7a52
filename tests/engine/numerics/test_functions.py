"""The functions of the integer step: near enough to what they stand for, and monotone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.engine.numerics.functions import (
    LOG2E,
    chance,
    eight_bits,
    exp2,
    log2,
    sharpness,
    squashed,
)

EXPONENTS = st.floats(-126, 126, width=32)


def of(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_whole_powers_are_exact() -> None:
    whole = np.arange(-126, 127).astype(np.float32)
    np.testing.assert_array_equal(exp2(whole), np.ldexp(np.float32(1), whole.astype(int)))


@given(EXPONENTS)
def test_a_power_is_right_to_2e_7_of_itself(t: float) -> None:
    assert exp2(of(t))[0] == pytest.approx(2.0**t, rel=2e-7)


@given(EXPONENTS, st.floats(2.0**-20, 1, width=32))
def test_what_is_2_20_greater_has_a_greater_power_and_no_greater_chance(
    t: float, by: float
) -> None:
    pair = of(t, min(t + by, 126))
    if pair[1] - pair[0] >= 2.0**-20:
        low, high = exp2(pair)
        assert low < high
    low, high = chance(pair)
    assert low >= high * np.float32(1 - 2.0**-22)


@given(st.floats(1.0, 2.0**41, width=32))
def test_a_logarithm_is_right_to_2e_6(x: float) -> None:
    assert log2(of(x))[0] == pytest.approx(np.log2(x), abs=2e-6, rel=2e-7)


@given(st.floats(-30, 30, width=32))
def test_squashed_and_chance_are_the_tangent_and_the_logistic_function(x: float) -> None:
    assert squashed(of(-2 * x * LOG2E))[0] == pytest.approx(np.tanh(x), abs=2e-6)
    assert chance(of(-x * LOG2E))[0] == pytest.approx(1 / (1 + np.exp(-x)), abs=2e-6)


@given(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32))
def test_8_bits_are_1_to_255_and_monotone(a: float, b: float) -> None:
    low, high = eight_bits(of(min(a, b), max(a, b)))
    assert 1 <= low <= high <= 255
    assert (float(low) - 128) / 127 == pytest.approx(min(a, b), abs=0.0040)


def test_8_bits_of_the_ends_and_of_zero() -> None:
    assert eight_bits(of(-1, -0.0, 0, 1)).tolist() == [1, 128, 128, 255]


def test_states_never_leave_their_range_however_far_the_gates() -> None:
    ends = squashed(of(-np.inf, -1e30, -41, 41, 1e30, np.inf))
    assert np.abs(ends).max() <= 1


@given(st.floats(0, 100))
def test_sharpness_is_finite(temperature: float) -> None:
    (found,) = sharpness(np.array([temperature]))
    assert 0 < found <= 2.0**64
    if temperature > 1e-9:
        assert found == pytest.approx(LOG2E / temperature, rel=1e-6)
