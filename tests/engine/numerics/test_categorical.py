"""The draw of a symbol follows its distribution, and each row's is its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.engine.numerics.categorical import draw_symbol, truncated
from stream_rnn.engine.numerics.randoms import random_numbers

EDGES = np.array([0, 1, 2**31, 2**32 - 1], np.uint32)


def draw(logits: Any, numbers: Any, temperature: Any = 1.0, top_k: Any = 0, top_p: Any = 1.0,
         may: Any = True) -> np.ndarray:  # fmt: skip
    table = np.asarray(logits, np.float32)
    rows = len(table)
    return draw_symbol(
        table, numbers, np.broadcast_to(np.float64(temperature), rows),
        np.broadcast_to(np.int64(top_k), rows), np.broadcast_to(np.float64(top_p), rows),
        np.broadcast_to(may, table.shape),
    )  # fmt: skip


def shares(logits: list[float], count: int = 40_000, **settings: Any) -> np.ndarray:
    numbers = random_numbers(np.full(count, 3), np.arange(count), 1)[:, 0]
    drawn = draw(np.tile(logits, (count, 1)), numbers, **settings)
    return np.bincount(drawn, minlength=len(logits)) / count


def softmax(logits: Any) -> np.ndarray:
    weights = np.exp(np.array(logits) - max(logits))
    return weights / weights.sum()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 100.0])
def test_draws_follow_the_softmax(temperature: float) -> None:
    logits = [1.0, 0.0, -1.0, 2.0]
    expected = softmax([x / temperature for x in logits])
    np.testing.assert_allclose(shares(logits, temperature=temperature), expected, atol=0.01)


def test_temperature_0_is_the_likeliest_and_the_first_of_equals() -> None:
    for number in EDGES:
        numbers = np.full(2, number)
        assert draw([[0.0, 3.0, 3.0], [5.0, -5.0, 4.9]], numbers, 0).tolist() == [1, 0]


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-9, 1.0, 100.0])
def test_what_may_not_be_drawn_never_is(temperature: float) -> None:
    logits = np.tile([90.0, -50.0, 80_000.0], (4, 1))
    assert draw(logits, EDGES, temperature, may=[False, True, False]).tolist() == [1] * 4
    assert draw(logits, EDGES, temperature, may=[False] * 3).tolist() == [0] * 4
    assert draw(logits, EDGES, temperature, may=[True, True, False]).max() <= 1


def test_extreme_temperatures_and_logits_are_survived() -> None:
    logits = [0.0, 1.0, 1.1, -1000.0, 80_000.0]
    assert shares(logits, 2000, temperature=5e-324)[4] == 1
    assert shares(logits[:3], 2000, temperature=1e-9)[2] == 1
    np.testing.assert_allclose(shares(logits[:3], temperature=100), [1 / 3] * 3, atol=0.01)


def test_top_k_keeps_the_likeliest_k_and_their_equals() -> None:
    logits = [2.0, 1.0, 0.0, 3.0]
    assert np.flatnonzero(shares(logits, top_k=1)).tolist() == [3]
    two = shares(logits, top_k=2)
    np.testing.assert_allclose(two[[0, 3]], softmax([2.0, 3.0]), atol=0.01)
    assert np.flatnonzero(shares([1.0, 1.0, 1.0, 0.0], top_k=2)).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(shares(logits, top_k=99), shares(logits))


def test_top_p_keeps_the_fewest_that_reach_p_and_one_at_least() -> None:
    logits = np.log([0.5, 0.3, 0.15, 0.05]).tolist()
    for top_p, kept in ((0.0, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.81, 3), (0.96, 4), (1.0, 4)):
        assert np.count_nonzero(shares(logits, 4000, top_p=top_p)) == kept


WEIGHTS = st.lists(st.integers(0, 2**30), min_size=1, max_size=20)


@given(WEIGHTS, st.integers(0, 25), st.floats(0, 1))
def test_what_stays_is_as_numerics_md_has_it(weights: list[int], top_k: int, top_p: float) -> None:
    """There it is said without sorting, symbol by symbol."""
    found = truncated(np.array([weights]), np.array([top_k]), np.array([top_p]))[0]
    for weight, left in zip(weights, found, strict=True):
        greater = [w for w in weights if w > weight]
        few = not top_k or len(greater) < top_k
        light = not greater or sum(greater) < top_p * sum(weights)
        assert left == (weight if few and light else 0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 97))
def test_a_row_does_not_depend_on_the_others(seed: int, width: int) -> None:
    dice, rows = np.random.default_rng(seed), 12
    logits = dice.normal(size=(rows, width)) * 3
    rest = (
        dice.integers(0, 2**32, rows).astype(np.uint32), dice.choice([0, 0.5, 1, 2.5], rows),
        dice.integers(0, 6, rows), dice.choice([0.3, 0.9, 1], rows),
        dice.random((rows, width)) < 0.9,
    )  # fmt: skip
    whole = draw(logits, *rest)
    lanes = dice.permutation(rows)[: dice.integers(1, rows)]
    np.testing.assert_array_equal(draw(logits[lanes], *(r[lanes] for r in rest)), whole[lanes])
