"""Counting networks: their probabilities add up, and are the same as when counted by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream_rnn.codecs.pianoroll import KEYS
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import CountingArchitecture
from stream_rnn.nets.counting import CountingNetwork, counting_network, logarithm, narrow
from stream_rnn.train.corpus import Document
from stream_rnn.train.counting import key_chains, ngrams

SIZE = 6
every_level = pytest.mark.parametrize("levels", range(6))


def architecture(levels: int, head: str) -> CountingArchitecture:
    cell = ("uniform", "unigram", "markov")[min(levels, 2)]
    size = KEYS if head == "bernoulli" else SIZE
    return CountingArchitecture(size, 0, head, cell, max(0, levels - 1))  # type: ignore[arg-type]


def of_texts(levels: int, *texts: list[int], ends: bool = True) -> CountingNetwork:
    documents = [Document(np.array(text, np.uint16), ends=ends) for text in texts]
    *_, tables = ngrams(documents, 0, SIZE, levels)
    return counting_network(architecture(levels, "categorical"), tables)


def of_rolls(levels: int, *rolls: np.ndarray) -> CountingNetwork:
    *_, tables = key_chains([Document(roll) for roll in rolls], levels)
    return counting_network(architecture(levels, "bernoulli"), tables)


def heard(network: CountingNetwork, symbols: NDArray[Any]) -> NDArray[np.float64]:
    """Logits after each symbol, `[rows, time, symbols]`, of symbols `[rows, time, …]`."""
    contexts, found = network.zero_state(len(symbols)), []
    for time in range(symbols.shape[1]):
        contexts = network.contexts_after(symbols[:, time], contexts)
        found.append(network.logits(contexts))
    return np.stack(found, 1).astype(np.float64)


def chances(network: CountingNetwork, symbols: Sequence[int]) -> NDArray[np.float64]:
    """Probabilities of the next symbol, `[symbols]`, after the begin-and-end symbol and these."""
    return np.exp(heard(network, np.array([[0, *symbols]]))[0, -1])


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def random_text(length: int = 400) -> list[int]:
    """A text with habits: each symbol depends on the two before it."""
    dice, made = np.random.default_rng(3), [1, 2]
    while len(made) < length:
        likely = 1 + (made[-1] * 2 + made[-2]) % (SIZE - 2)  # never 5
        made.append(likely if dice.random() < 0.8 else int(dice.integers(1, SIZE - 1)))
    return made


@every_level
def test_chances_add_up_after_anything_and_none_is_nothing(levels: int) -> None:
    network = of_texts(levels, random_text(), random_text(30))
    logits = heard(network, np.random.default_rng(1).integers(0, SIZE, (8, 60)))
    assert logits.shape == (8, 60, SIZE) and np.isfinite(logits).all()
    np.testing.assert_allclose(np.exp(logits).sum(-1), 1.0, rtol=1e-6)


@every_level
@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
def test_a_row_has_the_same_bits_alone_and_among_many(head: str, levels: int) -> None:
    """More than 256 rows, of which many are equal, are computed once each."""
    dice = np.random.default_rng(2)
    if head == "categorical":
        network, symbols = of_texts(levels, random_text()), dice.integers(0, SIZE, (300, 20))
    else:
        network = of_rolls(levels, small_roll())
        symbols = (dice.random((300, 20, KEYS)) < 0.3).astype(np.uint8)
    many = heard(network, symbols)
    for row in (0, 7, 299):
        assert np.array_equal(heard(network, symbols[row : row + 1])[0], many[row])


def test_the_uniform_and_the_unigram_are_what_they_are_called() -> None:
    text = [1, 1, 1, 2, 2, 3, 1, 2, 4, 1]
    assert chances(of_texts(0, text), [3]).tolist() == pytest.approx([1 / SIZE] * SIZE)
    # 5 ones, 3 twos, 1 three, 1 four, 1 end. No symbol occurs twice or four times, so the discount
    # is 0.5 for each that occurs once, and 1.5 for each that occurs thrice or more: 4.5 in all.
    shared = 4.5 / 11 / SIZE
    expected = [(n - d) / 11 + shared for n, d in
                ((1, 0.5), (5, 1.5), (3, 1.5), (1, 0.5), (1, 0.5), (0, 0))]  # fmt: skip
    network = of_texts(1, text)
    assert chances(network, []).tolist() == pytest.approx(expected)
    assert chances(network, [2, 2]).tolist() == pytest.approx(expected)


def test_a_context_is_that_of_kneser_and_ney_counted_by_hand() -> None:
    # 1 2 1 2 1 3, and an end. After 1: 2 twice, 3 once. Different symbols before: 1 has two
    # (the begin-and-end symbol, 2), 2 one, 3 one, the end one; five in all.
    network = of_texts(2, [1, 2, 1, 2, 1, 3])
    took = (0.5, 1.0, 1.5)  # the default discounts, since there are too few counts for others
    shorter = [0.0] * SIZE
    left = (took[1] + 3 * took[0]) / 5 / SIZE
    for symbol, before in ((1, 2), (2, 1), (3, 1), (0, 1)):
        shorter[symbol] = (before - took[before - 1]) / 5
    shorter = [chance + left for chance in shorter]
    left_of_one = (took[1] + took[0]) / 3
    expected = [left_of_one * chance for chance in shorter]
    expected[2] += (2 - took[1]) / 3
    expected[3] += (1 - took[0]) / 3
    assert chances(network, [4, 1]).tolist() == pytest.approx(expected)
    assert chances(network, [4]).tolist() == pytest.approx(shorter), "never met"
    assert chances(network, [5, 5]).tolist() == pytest.approx(shorter)


def test_a_context_that_was_never_met_is_that_of_its_end() -> None:
    network = of_texts(4, random_text())
    met = chances(network, [1, 2, 4])
    assert np.array_equal(chances(network, [5, 2, 4]), chances(network, [5, 5, 2, 4]))
    assert not np.array_equal(chances(network, [5, 2, 4]), met)
    assert np.array_equal(chances(network, [3, 3, 1, 2, 4]), chances(network, [2, 3, 1, 2, 4]))


def test_more_to_look_at_foretells_more_of_what_depends_on_it() -> None:
    text, held_out = random_text(4000)[:3000], random_text(4000)[3000:]
    losses = []
    for levels in range(4):
        logits = heard(of_texts(levels, text), np.array([held_out]))[0, :-1]
        losses.append(-float(logits[np.arange(len(logits)), held_out[1:]].mean()))
    assert losses[0] == pytest.approx(math.log(SIZE))
    assert losses[3] < 0.6 * losses[2] and losses[2] < 0.9 * losses[0]


def test_discounts_are_those_of_chen_and_goodman() -> None:
    # In the unigram one symbol occurs once (the end), one twice, two thrice, one four times.
    text = [1] * 2 + [2] * 3 + [3] * 3 + [4] * 4
    y = 1 / (1 + 2)
    taken = [1 - 2 * y, 2 - 3 * y * 2, 3 - 4 * y * 1 / 2]
    taken = [taken[0], max(taken[1], 0.05), taken[2]]
    shared = (taken[0] + taken[1] + 3 * taken[2]) / 13 / SIZE
    found = chances(of_texts(1, text), [])
    assert float(found[1]) == pytest.approx((2 - taken[1]) / 13 + shared)
    assert float(found[4]) == pytest.approx((4 - taken[2]) / 13 + shared)
    assert float(found[5]) == pytest.approx(shared)


def test_prose_may_begin_with_any_paragraph_and_is_else_counted_once() -> None:
    newline, text = 5, [1, 2, 3, 5, 5, 2, 3, 1, 5, 5, 2, 1, 1, 5]
    document = Document(np.array(text, np.uint16), ends=False)
    for levels in (1, 2, 3):
        *_, plain = ngrams([document], 0, SIZE, levels)
        *_, prose = ngrams([document], 0, SIZE, levels, newline)
        network = counting_network(architecture(levels, "categorical"), prose)
        if levels == 1:
            assert prose["counts"][1:].tolist() == [4, 3, 2, 5]
            continue
        likeliest = chances(network, [])
        assert likeliest[2] > likeliest[1] > likeliest[3], "two begin with a 2, one with a 1"
        before = counting_network(architecture(levels, "categorical"), plain)
        assert chances(before, [])[1] > chances(before, [])[2]
        assert chances(network, [4, 3]).argmax() == chances(before, [4, 3]).argmax()


def small_roll() -> np.ndarray:
    roll = np.zeros((7, KEYS), np.uint8)
    roll[[1, 2, 4, 5], 40] = 1  # 0 1 1 0 1 1 0
    roll[:, 50] = 1
    return roll


def test_keys_are_counted_one_by_one() -> None:
    silence = np.zeros((1, 1, KEYS), np.uint8)
    chance = sigmoid(heard(of_rolls(1, small_roll()), silence)[0, 0])
    assert float(chance[40]) == pytest.approx((4 + 2 / 2) / (7 + 2))
    assert float(chance[50]) == pytest.approx((7 + 1 / 2) / (7 + 1))
    assert float(chance[3]) == pytest.approx((0 + 1 / 2) / (7 + 1))
    assert not heard(of_rolls(0, small_roll()), silence).any()


def test_a_key_does_what_it_did_after_its_last_frames() -> None:
    """Before the first frame is silence. A context without counts uses the one a frame shorter."""
    one, roll = (4 + 1) / 9, small_roll()
    # After silence: frames 0, 1, 4 (0, 1, 1). After a sound: 2, 3, 5, 6 (1, 0, 1, 0).
    after_0, after_1 = (2 + 2 * one) / (3 + 2), (2 + 2 * one) / (4 + 2)
    keys = np.zeros((1, 2, KEYS), np.uint8)
    keys[0, 1, 40] = 1
    chance = sigmoid(heard(of_rolls(2, roll), keys)[0])
    assert chance[:, 40].tolist() == pytest.approx([after_0, after_1])
    chance = sigmoid(heard(of_rolls(3, roll), keys)[0])
    # After 0 0: frames 0, 1 (0, 1). After 0 1: frames 2, 5 (1, 1).
    expected = [(1 + 2 * after_0) / 4, (2 + 1 * after_1) / 3]
    assert chance[:, 40].tolist() == pytest.approx(expected)
    assert float(chance[1, 50]) == pytest.approx(1 - 0.5 / 8), "never surer"


def test_a_stretch_of_keys_is_what_its_last_frames_are() -> None:
    network, dice = of_rolls(4, small_roll()), np.random.default_rng(5)
    symbols = (dice.random((2, 9, KEYS)) < 0.5).astype(np.uint8)
    contexts = network.zero_state(2)
    for time in range(9):
        contexts = network.contexts_after(symbols[:, time], contexts)
    assert np.array_equal(contexts, symbols[:, 6] * 4 + symbols[:, 7] * 2 + symbols[:, 8])


@given(st.floats(5e-324, 1e300), st.floats(0.5, 2.0))
def test_logarithms_are_right_to_within_float64(wide: float, near: float) -> None:
    for x in (wide, near):
        found = float(logarithm(np.array([x]))[0])
        assert found == pytest.approx(math.log(x), rel=1e-15, abs=1e-16)


@pytest.mark.parametrize(
    ("most", "kind"), [(0, "u1"), (255, "u1"), (256, "i2"), (32768, "i4"), (2**31, "i8")]
)
def test_tables_take_as_few_bytes_as_they_need(most: int, kind: str) -> None:
    table = np.array([most, 0])
    assert narrow(table).dtype == np.dtype(kind) and narrow(table).tolist() == table.tolist()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t | {"symbols": t["symbols"] + SIZE}, "not those of contexts"),
        (lambda t: t | {"counts": -t["counts"]}, "not those of contexts"),
        (lambda t: t | {"counts": t["counts"][:-1]}, "not those of contexts"),
        (
            lambda t: t | {"counts": t["counts"].astype(np.float32)},
            "counts must be of whole numbers",
        ),
        (lambda t: {"symbols": t["symbols"]}, "its tables must be branches, symbols, counts"),
        (lambda t: t | {"branches": t["branches"][1:]}, "not those of contexts"),
        (lambda t: t | {"symbols": t["symbols"][::-1]}, "out of order"),
    ],
)
def test_spoilt_tables_are_refused(spoil: object, said: str) -> None:
    *_, tables = ngrams([Document(np.array(random_text(), np.uint16))], 0, SIZE, 3)
    with pytest.raises(CheckpointError, match=said):
        counting_network(architecture(3, "categorical"), spoil(tables))  # type: ignore[operator]


def test_spoilt_tables_of_keys_are_refused() -> None:
    *_, tables = key_chains([Document(small_roll())], 3)
    for spoilt, said in (
        ({"frames": tables["frames"][:, :2]}, "88 x 4"),
        ({"sounding": tables["frames"] + 1}, "more frames than there are"),
    ):
        with pytest.raises(CheckpointError, match=said):
            counting_network(architecture(3, "bernoulli"), tables | spoilt)
