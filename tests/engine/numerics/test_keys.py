"""The draw of keys: each with its chance, as many as are to be expected, and each row alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.engine.numerics.keys import counted, draw_keys, tempered
from stream_rnn.engine.numerics.randoms import random_numbers


def draw(logits: Any, temperature: Any = 1, density: Any = 0, allowed: Any = True,
         numbers: Any = None) -> np.ndarray:  # fmt: skip
    table = np.asarray(logits, np.float32)
    rows, width = table.shape
    if numbers is None:
        numbers = random_numbers(np.full(rows, 5), np.arange(rows), width)
    return draw_keys(
        table, numbers, np.broadcast_to(np.float64(temperature), rows),
        np.broadcast_to(np.float64(density), rows), np.broadcast_to(allowed, table.shape),
    )  # fmt: skip


def logistic(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("density", [0, 1.5, -1])
def test_each_key_sounds_with_its_own_chance(density: float) -> None:
    logits = np.tile([-2.0, 0.0, 1.0], (20_000, 1))
    found = draw(logits, 1, density).mean(0)
    np.testing.assert_allclose(found, logistic(logits[0] + density), atol=0.015)


def test_temperature_decides_which_keys_sound_but_not_how_many() -> None:
    logits = np.tile([-6.0, -3.0, -2.5, -1.0, 0.5, 2.0], (20_000, 1))
    usual, spread = logistic(logits[0]), []
    for temperature in (0.05, 0.5, 1, 2, 100):
        found = draw(logits, temperature).mean(0)
        assert float(found.sum()) == pytest.approx(float(usual.sum()), abs=0.03)
        assert (np.diff(found) > -0.02).all(), "the likelier key stays the likelier"
        spread.append(float(found.max() - found.min()))
    assert spread == sorted(spread, reverse=True) and spread[0] > 0.99 and spread[-1] < 0.1


@pytest.mark.parametrize("temperature", [5e-324, 1e-9, 0.01, 0.1, 0.8, 3, 100])
def test_chances_add_up_to_what_is_wanted(temperature: float) -> None:
    dice = np.random.default_rng(1)
    spread = dice.normal(size=(300, 88))
    clusters = np.where(dice.random((300, 88)) < 0.1, 5.0, -12.0) + spread / 3
    logits = np.concatenate([4 * spread - 6, 50 * spread, spread / 100 - 3, clusters])
    allowed = dice.random(logits.shape) < 0.8
    usual = logistic(logits).astype(np.float32)
    found = tempered(
        logits.astype(np.float32), counted(usual), np.full(len(logits), temperature), allowed
    )
    np.testing.assert_allclose((found * allowed).sum(1), (usual * allowed).sum(1), atol=0.003)


@pytest.mark.parametrize("temperature", [0, 1e-9, 1, 100])
def test_keys_that_are_not_allowed_never_sound(temperature: float) -> None:
    allowed = np.tile([True, False], (500, 1))
    drawn = draw(np.full((500, 2), 9.0), temperature, 20, allowed)
    assert not drawn[:, 1].any() and drawn[:, 0].any()
    assert not draw(np.full((9, 2), 9.0), temperature, 20, False).any()


def test_cold_keys_sound_where_they_are_likelier_than_not() -> None:
    logits = np.array([[-1.0, 0.0, 0.1, 3.0]])
    assert draw(logits, 0).tolist() == [[False, False, True, True]]
    assert draw(logits, 0, 1.5).all() and not draw(logits, 0, -20).any()


@given(st.integers(0, 2**32 - 1))
def test_a_row_does_not_depend_on_the_others(seed: int) -> None:
    dice, rows = np.random.default_rng(seed), 9
    logits = dice.normal(size=(rows, 88)) * 3 - 2
    rest = (
        dice.choice([0, 0.5, 1, 2.5], rows), dice.normal(size=rows),
        dice.random((rows, 88)) < dice.choice([0.05, 0.9], (rows, 1)),
        dice.integers(0, 2**32, (rows, 88)).astype(np.uint32),
    )  # fmt: skip
    whole = draw(logits, *rest)
    lanes = dice.permutation(rows)[: dice.integers(1, rows)]
    np.testing.assert_array_equal(draw(logits[lanes], *(r[lanes] for r in rest)), whole[lanes])
