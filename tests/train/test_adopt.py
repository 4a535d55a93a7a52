"""A run that begins with a trained model is that model, until it learns something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support import ARTISTS, make_roll_model, make_text_model

from stream_rnn.checkpoint import load_network, load_quantised, read_card, save_quantised
from stream_rnn.cli import main
from stream_rnn.errors import ConfigError
from stream_rnn.nets.network import Architecture, RecurrentNetwork
from stream_rnn.train.adopt import adopt

NEW = ("Bo", "Dee")  # one whom the model knows, and one whom it does not


def of(architecture: Architecture, **changes: object) -> RecurrentNetwork:
    return RecurrentNetwork(replace(architecture, **changes)).eval()  # type: ignore[arg-type]


@torch.no_grad()
def test_known_artists_are_themselves_and_others_nobody_in_particular(tmp_path: Path) -> None:
    card = make_text_model(tmp_path / "verse")
    other = load_network(tmp_path / "verse", card)
    assert isinstance(other, RecurrentNetwork)
    network = of(other.architecture, artists=2, dropout=0.5)
    adopt(network, NEW, tmp_path / "verse")
    symbols = torch.randint(card.make_codec().size, (2, 20))
    blends = torch.zeros(2, len(ARTISTS))
    blends[0, ARTISTS.index("Bo")] = 1
    blends[1] = 1 / len(ARTISTS)
    expected, _ = other(symbols, blends, other.zero_state(2))
    found, _ = network(symbols, torch.eye(2), network.zero_state(2))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_artists_make_no_difference_where_none_was_known(tmp_path: Path) -> None:
    make_roll_model(tmp_path / "roll")
    other = load_network(tmp_path / "roll", read_card(tmp_path / "roll"))
    assert isinstance(other, RecurrentNetwork)
    network = of(other.architecture, artists=2)
    adopt(network, NEW, tmp_path / "roll")
    symbols = (torch.rand(2, 20, 88) < 0.1).float()
    expected, _ = other(symbols, torch.zeros(2, 0), other.zero_state(2))
    found, _ = network(symbols, torch.eye(2), network.zero_state(2))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_model_of_another_size_is_refused_by_what_differs(tmp_path: Path) -> None:
    make_text_model(tmp_path / "verse")
    other = load_network(tmp_path / "verse", read_card(tmp_path / "verse"))
    assert isinstance(other, RecurrentNetwork)
    with pytest.raises(ConfigError, match="verse has hidden 32, and this recipe 40"):
        adopt(of(other.architecture, hidden=40), ARTISTS, tmp_path / "verse")


@pytest.mark.parametrize("number", [1, 2])
def test_a_recipe_that_starts_with_a_model_goes_on_from_it_in_its_symbols(
    tmp_path: Path, number: int
) -> None:
    card = make_text_model(tmp_path / "verse")
    if number == 2:
        card = save_quantised(tmp_path / "verse", card, load_quantised(tmp_path / "verse", card))
    words = " ".join("she sells sea shells by the sea shore é".split() * 60)  # no é in the model
    (tmp_path / "data.txt").write_text(words)
    (tmp_path / "mine.toml").write_text(
        "[data]\nsource = 'data.txt'\nformat = 'text'\nsplit = [0.8, 0.1, 0.1]\nleast = 1\n"
        "[model]\nname = 'mine'\ntitle = 'Mine'\nhidden = 32\nlayers = 1\n"
        f"[train]\nstart = '{tmp_path / 'verse'}'\nrows = 2\nchunk = 16\nsteps = 1\n"
        "learning_rate = 1e-9\n"
    )
    run = tmp_path / "run"
    argv = ["train", str(tmp_path / "mine.toml"), "--data", str(tmp_path), "--run", str(run)]
    assert main(argv) == 0
    mine, kept = read_card(run / "best"), read_card(run / "trained")
    assert mine.codec == card.codec and mine.training["optimiser"]["start"].endswith("verse")
    symbols = torch.randint(card.make_codec().size, (2, 20))
    other, network = (
        load_network(tmp_path / "verse", card),
        load_network(run / "trained", kept),
    )
    with torch.no_grad():
        expected, _ = other(symbols, torch.zeros(2, len(ARTISTS)), other.zero_state(2))
        found, _ = network(symbols, torch.zeros(2, 0), network.zero_state(2))
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0)  # 16-bit weights, times 12
