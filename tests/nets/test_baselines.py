"""Baselines: their probabilities add up, and are the same as when counted by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stream_rnn.checkpoint import Card, load_network, read_card, save_model
from stream_rnn.codecs.pianoroll import KEYS, PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.baselines import CountingArchitecture, CountingNetwork, counting_network
from stream_rnn.train.corpus import Document
from stream_rnn.train.counting import key_chains, ngrams

SIZE = 6
NONE = torch.zeros(1, 0)


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


def chances(network: CountingNetwork, symbols: list[int]) -> Tensor:
    """Probabilities of the next symbol, `[symbols]`, after the begin-and-end symbol and these."""
    logits, _ = network(torch.tensor([[0, *symbols]]), NONE, network.zero_state(1))
    return logits[0, -1].double().exp()


def random_text(length: int = 400) -> list[int]:
    """A text with habits: each symbol depends on the two before it."""
    dice, made = np.random.default_rng(3), [1, 2]
    while len(made) < length:
        likely = 1 + (made[-1] * 2 + made[-2]) % (SIZE - 2)  # never 5
        made.append(likely if dice.random() < 0.8 else int(dice.integers(1, SIZE - 1)))
    return made


@pytest.mark.parametrize("levels", range(6))
def test_chances_add_up_after_anything_and_none_is_nothing(levels: int) -> None:
    network = of_texts(levels, random_text(), random_text(30))
    symbols = torch.randint(SIZE, (8, 60), generator=torch.Generator().manual_seed(1))
    logits, _ = network(symbols, torch.zeros(8, 0), network.zero_state(8))
    assert logits.shape == (8, 60, SIZE) and logits.isfinite().all()
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(8, 60))


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
    assert torch.equal(chances(network, [5, 2, 4]), chances(network, [5, 5, 2, 4]))
    assert not torch.equal(chances(network, [5, 2, 4]), met)
    assert torch.equal(chances(network, [3, 3, 1, 2, 4]), chances(network, [2, 3, 1, 2, 4]))


def test_more_to_look_at_foretells_more_of_what_depends_on_it() -> None:
    text, held_out = random_text(4000)[:3000], random_text(4000)[3000:]
    losses = []
    for levels in range(4):
        network = of_texts(levels, text)
        logits, _ = network(torch.tensor([held_out]), NONE, network.zero_state(1))
        foretold = logits[0, :-1].gather(1, torch.tensor(held_out[1:])[:, None])
        losses.append(-float(foretold.mean()))
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
            assert torch.equal(prose["counts"][1:], torch.tensor([4, 3, 2, 5]))
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
    network = of_rolls(1, small_roll())
    logits, _ = network(torch.zeros(1, 1, KEYS), NONE, network.zero_state(1))
    chance = logits[0, 0].sigmoid()
    assert float(chance[40]) == pytest.approx((4 + 2 / 2) / (7 + 2))
    assert float(chance[50]) == pytest.approx((7 + 1 / 2) / (7 + 1))
    assert float(chance[3]) == pytest.approx((0 + 1 / 2) / (7 + 1))
    uniform = of_rolls(0, small_roll())
    logits, _ = uniform(torch.zeros(1, 1, KEYS), NONE, uniform.zero_state(1))
    assert not logits.any()


def test_a_key_does_what_it_did_after_its_last_frames() -> None:
    """Before the first frame is silence. A context without counts uses the one a frame shorter."""
    one, roll = (4 + 1) / 9, small_roll()
    # After silence: frames 0, 1, 4 (0, 1, 1). After a sound: 2, 3, 5, 6 (1, 0, 1, 0).
    after_0, after_1 = (2 + 2 * one) / (3 + 2), (2 + 2 * one) / (4 + 2)
    first = of_rolls(2, roll)
    keys = torch.zeros(1, 2, KEYS)
    keys[0, 1, 40] = 1
    logits, _ = first(keys, NONE, first.zero_state(1))
    assert logits[0, :, 40].sigmoid().tolist() == pytest.approx([after_0, after_1])
    second = of_rolls(3, roll)
    logits, _ = second(keys, NONE, second.zero_state(1))
    # After 0 0: frames 0, 1 (0, 1). After 0 1: frames 2, 5 (1, 1).
    expected = [(1 + 2 * after_0) / 4, (2 + 1 * after_1) / 3]
    assert logits[0, :, 40].sigmoid().tolist() == pytest.approx(expected)
    assert float(logits[0, 1, 50].sigmoid()) == pytest.approx(1 - 0.5 / 8), "never surer"


@pytest.mark.parametrize("levels", [0, 1, 4])
@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
def test_a_stretch_is_the_same_in_parts(head: str, levels: int) -> None:
    """A state holds all that matters of the past."""
    if head == "categorical":
        network, symbols = of_texts(levels, random_text()), torch.randint(SIZE, (3, 40))
    else:
        network, symbols = of_rolls(levels, small_roll()), torch.randint(2, (3, 40, KEYS))
    artists = torch.zeros(3, 0)
    expected, last = network(symbols, artists, network.zero_state(3))
    state, found = network.zero_state(3), []
    for part in symbols.split([1, 1, 17, 21], 1):
        logits, state = network(part, artists, state)
        found.append(logits)
    assert torch.equal(torch.cat(found, 1), expected)
    assert torch.equal(state.hidden, last.hidden)


@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
@pytest.mark.parametrize("levels", [0, 1, 3])
def test_a_folder_gives_the_baseline_back(tmp_path: Path, levels: int, head: str) -> None:
    codec = TextCodec("abcd") if head == "categorical" else PianorollCodec(4)
    network = (
        of_texts(levels, random_text()) if head == "categorical" else of_rolls(levels, small_roll())
    )
    card = Card("it", "It", codec.to_json(), network.architecture.to_json())
    written = save_model(tmp_path, card, network, half=True)
    assert written.weights["dtype"] == "integers"
    loaded = load_network(tmp_path, read_card(tmp_path))
    assert isinstance(loaded, CountingNetwork) and loaded.architecture == network.architecture
    shape = (2, 30) if head == "categorical" else (2, 30, KEYS)
    symbols = torch.randint(2, shape)
    expected, _ = network(symbols, torch.zeros(2, 0), network.zero_state(2))
    assert torch.equal(loaded(symbols, torch.zeros(2, 0), loaded.zero_state(2))[0], expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cell": "markov", "order": 0}, "order is 0; for markov it is 1 to 12"),
        ({"cell": "unigram"}, "order is 3; for unigram it is 0 to 0"),
        ({"order": 99}, "order is 99"),
        ({"order": 2}, "does not fit the card: the tables are not those of contexts up to 2"),
        ({"order": 4}, "does not fit the card: the tables are not those of contexts up to 4"),
        ({"cell": "lstm"}, "architecture.hidden is missing; it must be a whole number"),
        ({"hidden": 4}, "architecture.hidden is no field; there are: symbols, artists, head, cell"),
        ({"head": "bernoulli"}, "architecture.head is 'bernoulli'; it must be categorical"),
        ({"symbols": 7}, "architecture.symbols is 7; it must be 6, since its codec of text has"),
    ],
)
def test_a_card_that_does_not_fit_its_tables_gets_one_line(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    network = of_texts(4, random_text())
    described = {**network.architecture.to_json(), **change}
    save_model(tmp_path, Card("it", "It", TextCodec("abcd").to_json(), described), network,
               half=False)  # fmt: skip
    with pytest.raises(CheckpointError, match=said) as error:
        load_network(tmp_path, read_card(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t | {"symbols": t["symbols"] + SIZE}, "not those of contexts"),
        (lambda t: t | {"counts": -t["counts"]}, "not those of contexts"),
        (lambda t: t | {"counts": t["counts"][:-1]}, "not those of contexts"),
        (lambda t: t | {"counts": t["counts"].float()}, "counts must be of whole numbers"),
        (lambda t: {"symbols": t["symbols"]}, "its tables must be branches, symbols, counts"),
        (lambda t: t | {"branches": t["branches"][1:]}, "not those of contexts"),
        (lambda t: t | {"symbols": t["symbols"].flip(0)}, "out of order"),
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
