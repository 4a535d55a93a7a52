"""Chords come as often as the joint head's own logits have it, and a row's alone as in company."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rnn.engine.numerics.chords import ChordDraw
from stream_rnn.engine.numerics.randoms import random_numbers
from stream_rnn.engine.numerics.sums import ExactSums
from stream_rnn.engine.scoring import ServedChords
from stream_rnn.nets.quantised import make_product

KEYS, UNITS, ROWS = 5, 32, 20_000


def make_head(keys: int = KEYS, units: int = UNITS) -> ChordDraw:
    dice = np.random.default_rng(7)
    product = make_product(dice.normal(size=(units, keys)) * units**-0.5)
    voices = (dice.normal(size=(keys, units)) * 0.5).astype(np.float32)
    return ChordDraw(voices, ExactSums(product.weights), product.scale)


def make_outputs(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, KEYS + UNITS)).astype(np.float32)


def draw(head: ChordDraw, outputs: np.ndarray, temperature: Any = 1.0, density: Any = 0.0,
         allowed: Any = True, numbers: Any = None) -> np.ndarray:  # fmt: skip
    rows, keys = len(outputs), len(head.voices)
    if numbers is None:
        numbers = random_numbers(np.full(rows, 3), np.arange(rows), keys)
    return head(
        outputs, numbers, np.broadcast_to(np.float64(temperature), rows),
        np.broadcast_to(np.float64(density), rows), np.broadcast_to(allowed, (rows, keys)),
    )  # fmt: skip


def every_chord() -> np.ndarray:
    return np.array(list(itertools.product((0, 1), repeat=KEYS)), np.uint8)


def chances(head: ChordDraw, outputs: np.ndarray, density: float = 0.0) -> np.ndarray:
    """Of every chord, from the logits that a score is made of."""
    chords = torch.from_numpy(every_chord())
    wide = torch.from_numpy(np.repeat(outputs, len(chords), 0))
    on = (ServedChords(head).logits(wide, chords).double() + density).sigmoid()
    return torch.where(chords == 1, on, 1 - on).prod(1).numpy()


def share_of_each(drawn: np.ndarray) -> np.ndarray:
    return np.bincount(drawn @ (1 << np.arange(KEYS)[::-1]), minlength=2**KEYS) / len(drawn)


@pytest.mark.parametrize("density", [0.0, -1.0, 2.0])
def test_each_chord_comes_as_often_as_the_score_has_it(density: float) -> None:
    head, outputs = make_head(), make_outputs(1)
    expected = chances(head, outputs, density)
    assert expected.sum() == pytest.approx(1) and expected.max() > 0.05
    found = share_of_each(draw(head, outputs.repeat(ROWS, 0), density=density))
    np.testing.assert_allclose(found, expected, atol=0.012)


@pytest.mark.parametrize("seed", range(8))
def test_cold_is_greedy_from_the_top(seed: int) -> None:
    head, outputs = make_head(), make_outputs(seed)
    chords, likely = every_chord(), chances(head, outputs)
    left, top, made = np.arange(len(chords)), KEYS, []
    while top:
        rest = chords[left][:, :top]
        next_key = np.where(rest.any(1), top - 1 - rest[:, ::-1].argmax(1), -1)
        weight = np.array([likely[left][next_key == key].sum() for key in range(-1, top)])
        if weight[0] >= weight[1:].sum():
            break
        top = int(weight[1:].argmax())
        made.append(top)
        left = left[next_key == top]
    assert np.flatnonzero(draw(head, outputs, 0)[0]).tolist() == sorted(made)


@pytest.mark.parametrize("temperature", [0, 1e-9, 1, 100])
def test_keys_that_are_not_allowed_never_sound(temperature: float) -> None:
    head, outputs = make_head(), make_outputs(2).repeat(300, 0)
    drawn = draw(head, outputs, temperature, 20, [True, False, True, False, True])
    assert not drawn[:, [1, 3]].any() and drawn[:, [0, 2, 4]].any(0).all()
    assert not draw(head, outputs, temperature, 20, False).any()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_a_row_does_not_depend_on_the_others(seed: int) -> None:
    dice, rows, keys = np.random.default_rng(seed), 9, 88
    head = make_head(keys)
    outputs = dice.normal(size=(rows, keys + UNITS)).astype(np.float32)
    outputs[:, :keys] -= np.linspace(0, 6, rows, dtype=np.float32)[:, None]  # chords of all sizes
    rest = (
        dice.choice([0, 0.5, 1, 1.7], rows), dice.normal(size=rows),
        dice.random((rows, keys)) < 0.9, dice.integers(0, 2**32, (rows, keys)).astype(np.uint32),
    )  # fmt: skip
    whole = draw(head, outputs, *rest)
    lanes = dice.permutation(rows)[: dice.integers(1, rows)]
    part = draw(head, outputs[lanes], *(r[lanes] for r in rest))
    np.testing.assert_array_equal(part, whole[lanes])
