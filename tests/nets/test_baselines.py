"""Baselines: counting networks take and give tensors as recurrent ones do, and come of folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stream_rnn.checkpoint import Card, load_counting, load_network, read_card, save_model
from stream_rnn.codecs.pianoroll import KEYS, PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import CountingArchitecture
from stream_rnn.nets.baselines import Baseline, baseline
from stream_rnn.train.corpus import Document
from stream_rnn.train.counting import key_chains, ngrams

SIZE = 6


def make(head: str, levels: int) -> Baseline:
    dice = np.random.default_rng(3)
    cell = ("uniform", "unigram", "markov")[min(levels, 2)]
    order = max(0, levels - 1)
    if head == "categorical":
        text = np.cumsum(dice.integers(1, 3, 400)) % (SIZE - 1) + 1
        *_, tables = ngrams([Document(text.astype(np.uint16))], 0, SIZE, levels)
        return baseline(CountingArchitecture(SIZE, 0, "categorical", cell, order), tables)
    roll = np.repeat(dice.random((30, KEYS)) < 0.1, 3, 0).astype(np.uint8)
    *_, tables = key_chains([Document(roll)], levels)
    return baseline(CountingArchitecture(KEYS, 0, "bernoulli", cell, order), tables)


def some(head: str, rows: int, time: int) -> Tensor:
    """Symbols at random."""
    generator = torch.Generator().manual_seed(4)
    if head == "categorical":
        return torch.randint(SIZE, (rows, time), generator=generator)
    return torch.randint(2, (rows, time, KEYS), generator=generator)


@pytest.mark.parametrize("levels", [0, 1, 4])
@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
def test_a_stretch_is_the_same_in_parts(head: str, levels: int) -> None:
    """A state holds all that matters of the past."""
    network, symbols = make(head, levels), some(head, 3, 40)
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
    network = make(head, levels)
    card = Card("it", "It", codec.to_json(), network.architecture.to_json())
    written = save_model(tmp_path, card, network, half=True)
    assert written.weights["dtype"] == "integers"
    loaded = load_network(tmp_path, read_card(tmp_path))
    assert isinstance(loaded, Baseline) and loaded.architecture == network.architecture
    symbols = some(head, 2, 30)
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
    network = make("categorical", 4)
    described = {**network.architecture.to_json(), **change}
    save_model(tmp_path, Card("it", "It", TextCodec("abcd").to_json(), described), network,
               half=False)  # fmt: skip
    for load in (load_network, load_counting):
        with pytest.raises(CheckpointError, match=said) as error:
            load(tmp_path, read_card(tmp_path))
        assert "\n" not in str(error.value)


def test_a_recurrent_network_does_not_count(models: Path) -> None:
    with pytest.raises(CheckpointError, match="verse: is no counting network .lstm."):
        load_counting(models / "verse", read_card(models / "verse"))
