"""Chords are drawn as the head has them, and a row's draw does not depend on the others."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stream_rnn.engine.nade import ChordDraw, next_keys
from stream_rnn.engine.sampling import uniforms
from stream_rnn.nets.heads import Chords

KEYS, UNITS = 5, 32
ROWS = 20_000


def make_chords(keys: int = KEYS, units: int = UNITS) -> Chords:
    torch.manual_seed(7)
    return Chords(keys, units).eval()


def make_outputs(seed: int, keys: int = KEYS, units: int = UNITS) -> NDArray[np.float32]:
    """A network's outputs for one row."""
    return np.random.default_rng(seed).normal(size=(1, keys + units)).astype(np.float32)


def draw(
    chords: Chords,
    outputs: NDArray[np.float32],
    temperature: float = 1.0,
    density: float = 0.0,
    allowed: NDArray[np.bool_] | None = None,
    seed: int = 3,
) -> NDArray[np.bool_]:
    rows, keys = len(outputs), len(chords.voices)
    seeds, positions = np.full(rows, seed), np.arange(rows)
    return ChordDraw(chords)(
        outputs,
        uniforms(seeds, positions, keys),
        np.full(rows, temperature),
        np.full(rows, density),
        np.ones((rows, keys), np.bool_) if allowed is None else np.tile(allowed, (rows, 1)),
    )


def every_chord(keys: int = KEYS) -> NDArray[np.uint8]:
    return np.array(list(itertools.product((0, 1), repeat=keys)), np.uint8)


@torch.no_grad()
def chances(
    head: Chords, outputs: NDArray[np.float32], density: float = 0.0
) -> NDArray[np.float64]:
    """The probability of every chord, `[chords]`, from the logits that the loss uses."""
    chords = torch.from_numpy(every_chord())
    wide = torch.from_numpy(outputs).expand(len(chords), -1)
    on = (head.logits(wide, chords).double() + density).sigmoid()
    return np.asarray(torch.where(chords == 1, on, 1 - on).prod(1).numpy())


def share_of_each(drawn: NDArray[np.bool_]) -> NDArray[np.float64]:
    which = drawn @ (1 << np.arange(KEYS)[::-1])
    return np.bincount(which, minlength=2**KEYS) / len(drawn)


@pytest.mark.parametrize("density", [0.0, -1.0, 2.0])
def test_each_chord_comes_as_often_as_the_loss_has_it(density: float) -> None:
    head, outputs = make_chords(), make_outputs(1)
    expected = chances(head, outputs, density)
    found = share_of_each(draw(head, outputs.repeat(ROWS, 0), density=density))
    assert expected.max() > 0.05
    np.testing.assert_allclose(found, expected, atol=0.012)


@pytest.mark.parametrize("seed", range(12))
def test_cold_is_greedy_from_the_top(seed: int) -> None:
    """Takes the likeliest next key, as long as another key is likelier than none."""
    head, outputs = make_chords(), make_outputs(seed)
    chords, likely = every_chord(), chances(head, outputs)
    left = np.arange(len(chords))  # the chords whose highest keys are those in `made`
    top, made = KEYS, []
    while top:
        rest = chords[left][:, :top]
        next_key = np.where(rest.any(1), top - 1 - rest[:, ::-1].argmax(1), -1)
        weight = np.array([likely[left][next_key == key].sum() for key in range(-1, top)])
        if weight[0] >= weight[1:].sum():
            break
        top = int(weight[1:].argmax())
        made.append(top)
        left = left[next_key == top]
    (drawn,) = draw(head, outputs, temperature=0)
    assert np.flatnonzero(drawn).tolist() == sorted(made)


@pytest.mark.parametrize("units", [50, 192])
def test_a_row_alone_is_drawn_as_in_any_company(units: int) -> None:
    keys, rows = 88, 130
    head, dice = make_chords(keys, units), np.random.default_rng(2)
    outputs = dice.normal(size=(rows, keys + units)).astype(np.float32)
    outputs[:, :keys] -= np.linspace(0, 6, rows)[:, None]  # chords of all sizes
    numbers = uniforms(np.arange(rows), np.arange(rows) * 7, keys)
    rest = dice.choice([0.0, 0.5, 1.0, 1.7], rows), dice.normal(size=rows) / 2
    allowed = dice.random((rows, keys)) < 0.9
    draw_chords = ChordDraw(head)
    whole = draw_chords(outputs, numbers, *rest, allowed)
    sizes = whole.sum(1)
    assert sizes.min() < 3 and sizes.max() > 25
    for size in [1, 2, 3, *dice.integers(1, rows, 40)]:
        lanes = dice.permutation(rows)[:size]
        part = draw_chords(
            outputs[lanes], numbers[lanes], rest[0][lanes], rest[1][lanes], allowed[lanes]
        )
        np.testing.assert_array_equal(part, whole[lanes])
    # The logits are the same to the last bit; a draw would seldom show a difference there.
    sums = dice.normal(size=(rows, units)).astype(np.float32)
    whole_logits = draw_chords._hidden_logits(sums)
    for size in [1, 2, 3, *dice.integers(1, rows, 40)]:
        lanes = dice.permutation(rows)[:size]
        part_logits = draw_chords._hidden_logits(sums[lanes])
        assert part_logits.tobytes() == whole_logits[lanes].tobytes()


def test_the_hidden_units_part_of_the_logits_is_the_networks() -> None:
    """Up to the rounding to 8 bits."""
    head = make_chords(88, 128)
    sums = np.random.default_rng(3).normal(size=(40, 128)).astype(np.float32)
    with torch.no_grad():
        expected = torch.from_numpy(sums).tanh() @ head.keys
    found = ChordDraw(head)._hidden_logits(sums)[:, ::-1]
    np.testing.assert_allclose(found, expected.numpy(), atol=0.02)


def test_keys_that_are_not_allowed_never_sound_and_others_go_by_their_silence() -> None:
    head, outputs = make_chords(), make_outputs(1)
    allowed = np.array([True, False, True, True, False])
    expected = chances(head, outputs)
    for key in np.flatnonzero(~allowed):  # as if the network had drawn it silent
        with torch.no_grad():
            outputs[:, key] = -1e4
    expected = chances(head, outputs)
    usual = make_outputs(1)
    for temperature in (0.0, 0.4, 3.0):
        drawn = draw(head, usual.repeat(500, 0), temperature, 5.0, allowed)
        assert not drawn[:, ~allowed].any() and drawn[:, allowed].any()
    found = share_of_each(draw(head, usual.repeat(ROWS, 0), allowed=allowed))
    np.testing.assert_allclose(found, expected, atol=0.012)
    assert not draw(head, usual, density=9.0, allowed=np.zeros(KEYS, np.bool_)).any()


def test_density_makes_chords_fuller() -> None:
    head, outputs = make_chords(), make_outputs(1).repeat(2000, 0)
    sizes = [draw(head, outputs, density=d).sum(1).mean() for d in (-20, -2, 0, 2, 40)]
    assert sizes[0] == 0 and sizes == sorted(sizes) and sizes[-1] == KEYS


def next_of(
    chances: list[float], temperature: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    rows = 40_000
    even = (np.arange(rows) + 0.5) / rows
    return next_keys(np.tile(chances, (rows, 1)), even, np.full(rows, temperature))


@pytest.mark.parametrize("temperature", [1e-9, 0.3, 1.0, 2.0, 1e9])
def test_temperature_is_of_which_key_is_next_and_not_of_whether(temperature: float) -> None:
    more, key = next_of([0.1, 0.0, 0.4, 0.3], temperature)
    weights = np.array([0.1, 0.0, 0.9 * 0.4, 0.9 * 0.6 * 0.3])
    assert more.mean() == pytest.approx(weights.sum(), abs=1e-4)
    tempered = np.where(weights > 0, (weights / weights.max()) ** (1 / temperature), 0)
    found = np.bincount(key[more], minlength=4) / more.sum()
    np.testing.assert_allclose(found, tempered / tempered.sum(), atol=1e-3)


def test_the_edges_of_chance() -> None:
    for temperature in (0.0, 0.5, 1.0):
        assert not next_of([0.0, 0.0], temperature)[0].any()
        more, key = next_of([1.0, 1.0], temperature)
        assert more.all() and not key.any(), "the highest key that is certain hides the others"
    more, key = next_of([0.3, 0.3], 0)
    assert more.all() and not key.any(), "one more is likelier than none, and then the likeliest"
    assert not next_of([0.2, 0.2], 0)[0].any()


def test_outputs_that_are_not_numbers_are_survived() -> None:
    head = make_chords()
    for temperature in (0.0, 0.5, 1.0):
        outputs = np.full((3, KEYS + UNITS), np.nan, np.float32)
        assert not draw(head, outputs, temperature).any()
        assert draw(head, outputs * 0 + np.float32(3e4), temperature).shape == (3, KEYS)
