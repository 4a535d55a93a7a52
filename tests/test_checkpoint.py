import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from stream_rnn.checkpoint import find_models, load_network, read_card, save_model, write_card
from stream_rnn.errors import CheckpointError


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A copy of a good model, to be damaged."""
    return Path(shutil.copytree(models / "verse", tmp_path / "verse"))


def change_card(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((folder / "card.json").read_text())
    change(data)
    (folder / "card.json").write_text(json.dumps(data))


@pytest.mark.parametrize("name", ["verse", "roll"])
def test_a_model_comes_back_as_it_was_saved(models: Path, tmp_path: Path, name: str) -> None:
    card = read_card(models / name)
    network = load_network(models / name, card)
    assert not network.training
    again = save_model(tmp_path, card, network, half=False)
    assert again == read_card(tmp_path) == card
    weights = load_network(tmp_path, again).state_dict()
    for key, tensor in network.state_dict().items():
        assert torch.equal(weights[key], tensor)


def test_half_floats_take_half_the_space_and_are_read_as_floats(
    models: Path, tmp_path: Path
) -> None:
    card = read_card(models / "verse")
    network = load_network(models / "verse", card)
    half = save_model(tmp_path, card, network, half=True)
    assert half.weights["dtype"] == "float16"
    assert half.weights["bytes"] < card.weights["bytes"] * 0.6
    weights = load_network(tmp_path, half).state_dict()
    for key, tensor in network.state_dict().items():
        assert torch.equal(weights[key], tensor.half().float())


def test_models_are_folders_with_a_card(models: Path, tmp_path: Path) -> None:
    assert find_models(models) == {"roll": models / "roll", "verse": models / "verse"}
    assert find_models(tmp_path) == find_models(tmp_path / "none") == {}


def test_a_folder_without_a_card_is_no_model(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(CheckpointError, match=r"not a model folder \(no card.json in it\)"):
            read_card(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ('{"name": ', "cannot be read"),
        ("\xff", "cannot be read"),
        ("[1]", "not a card of format 1"),
        ("{}", "not a card of format 1"),
        ('{"format": 2}', "not a card of format 1"),
        ('{"format": 1}', "missing 4 required positional arguments: 'name'"),
    ],
)
def test_a_card_that_is_not_one_is_refused_by_its_path(folder: Path, text: str, said: str) -> None:
    (folder / "card.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=said) as caught:
        read_card(folder)
    assert str(folder / "card.json") in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stars": 5}, "unexpected keyword argument 'stars'"),
        ({"artists": 5}, "artists must be a list of strings"),
        ({"artists": "Ada"}, "artists must be a list of strings"),
        ({"primes": [1]}, "primes must be a list of strings"),
        ({"codec": []}, "codec must be an object"),
        ({"codec": {"domain": "tabla"}}, "unknown domain 'tabla'"),
        ({"codec": {"domain": "text"}}, "needs `characters`"),
        ({"architecture": 3}, "architecture must be an object"),
        ({"scores": None}, "scores must be an object"),
        ({"scores": {"test": 5}}, "scores.test must be an object whose nll is a number"),
        ({"scores": {"valid": {"nll": "x"}}}, "scores.valid must be an object whose nll"),
        ({"scores": {"valid": {"nll": True}}}, "scores.valid must be an object whose nll"),
        ({"artists": ["Ada", "Bo", "Ada"]}, "the artist 'Ada' stands twice in artists"),
    ],
)
def test_a_field_that_does_not_belong_in_a_card_is_named(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    change_card(folder, lambda data: data.update(changes))
    with pytest.raises(CheckpointError, match=said):
        read_card(folder)


@pytest.mark.parametrize("keep", [0, 7, 60, -1, -1000])
def test_weights_that_are_cut_short_are_refused(folder: Path, keep: int) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="weights.safetensors: damaged or cut short"):
        load_network(folder, read_card(folder))


def test_weights_that_are_missing_or_something_else_are_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(b"a pickle, perhaps" * 10)
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        load_network(folder, read_card(folder))
    path.unlink()
    with pytest.raises(CheckpointError, match="weights.safetensors is missing"):
        load_network(folder, read_card(folder))


def test_weights_that_are_not_the_cards_are_refused(folder: Path, tmp_path: Path) -> None:
    """Of the same shape, so that nothing else would tell."""
    path = folder / "weights.safetensors"
    good = path.read_bytes()
    network = load_network(folder, read_card(folder))
    with torch.no_grad():
        network.output.bias.add_(1.0)
    save_model(tmp_path / "other", read_card(folder), network, half=False)
    other = (tmp_path / "other" / "weights.safetensors").read_bytes()
    assert len(other) == len(good)
    for bad in (other, good[:-5000] + bytes(5000)):
        path.write_bytes(bad)
        with pytest.raises(CheckpointError, match="or the weights of another model ") as caught:
            load_network(folder, read_card(folder))
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    # A card that says nothing of them takes what fits.
    path.write_bytes(other)
    change_card(folder, lambda data: data["weights"].pop("sha256"))
    assert torch.equal(load_network(folder, read_card(folder)).output.bias, network.output.bias)


def test_a_tensor_too_many_is_named(folder: Path) -> None:
    change_card(folder, lambda data: data["weights"].pop("sha256"))
    path = folder / "weights.safetensors"
    save_file(load_file(path) | {"extra": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="does not fit the card: extra is none of its"):
        load_network(folder, read_card(folder))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["architecture"].update(hidden=33),
         r"the card: recurrent.weight_ih_l0 is \[128, 33\], and should be \[132, 33\]$"),
        (lambda d: d["architecture"].update(layers=2),
         "does not fit the card: recurrent.weight_ih_l1 is missing$"),
        (lambda d: d["architecture"].update(symbols=88), "do not fit the architecture"),
        (lambda d: d["architecture"].update(cell="qrnn"), "unknown cell 'qrnn'"),
        (lambda d: d["architecture"].pop("hidden"), "architecture: .*'hidden'"),
        (lambda d: d["artists"].append("Dot"), "4 artists.* do not fit the architecture"),
        (lambda d: d["codec"].update(characters="abc"), r"\(5 symbols.* do not fit"),
    ],
)  # fmt: skip
def test_a_card_that_does_not_fit_its_weights_is_refused_in_one_line(
    folder: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    change_card(folder, change)
    with pytest.raises(CheckpointError, match=said) as caught:
        load_network(folder, read_card(folder))
    assert "\n" not in str(caught.value)


def test_a_card_is_written_whole_or_not_at_all(folder: Path) -> None:
    card = read_card(folder)
    before = (folder / "card.json").read_bytes()
    broken = type(card)(**{**vars(card), "scores": {"test": object()}})
    with pytest.raises(TypeError):
        write_card(folder, broken)
    assert (folder / "card.json").read_bytes() == before
