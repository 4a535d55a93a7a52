import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from whole import hash_of

from stream_rnn.checkpoint import (
    WEIGHTS,
    Card,
    find_models,
    load_network,
    load_quantised,
    read_card,
    read_models,
    save_model,
    save_quantised,
    write_card,
)
from stream_rnn.codecs.registry import CODECS
from stream_rnn.codecs.text import TextCodec
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


def converted(folder: Path, to: Path) -> Card:
    """Writes what is served of a folder into another."""
    card = read_card(folder)
    return save_quantised(to, card, load_quantised(folder, card))


@pytest.mark.parametrize("name", ["verse", "roll"])
@pytest.mark.parametrize("half", [False, True])
def test_both_formats_give_the_same_network(
    models: Path, tmp_path: Path, name: str, half: bool
) -> None:
    card = read_card(models / name)
    trained = load_network(models / name, card)
    first = save_model(tmp_path / "1", card, trained, half=half)
    second = converted(tmp_path / "1", tmp_path / "2")
    assert (first.format, second.format, second.weights["dtype"]) == (1, 2, "int8")
    assert second == read_card(tmp_path / "2")
    assert second.weights["parameters"] == first.weights["parameters"]
    assert second.weights["bytes"] == (tmp_path / "2" / WEIGHTS).stat().st_size
    assert second.fingerprint != first.fingerprint
    one, two = (load_quantised(tmp_path / str(c.format), c) for c in (first, second))
    assert hash_of(one) == hash_of(two)
    # And once more: what is read is written as it was.
    again = converted(tmp_path / "2", tmp_path / "3")
    assert again == second


def test_a_network_of_8_bit_weights_is_nearly_the_trained_one(models: Path, tmp_path: Path) -> None:
    trained = load_network(models / "verse", read_card(models / "verse"))
    network = load_network(tmp_path, converted(models / "verse", tmp_path))
    assert not network.training
    symbols, blend = torch.arange(30)[None], torch.tensor([[0.5, 0.25, 0.25]])
    with torch.no_grad():
        expected, _ = trained(symbols, blend, trained.zero_state(1))
        found, _ = network(symbols, blend, network.zero_state(1))
    assert 0 < float((found - expected).abs().max()) < 0.02 * float(expected.std())
    # As floats it can be saved again, which is format 1.
    card = save_model(tmp_path / "floats", read_card(tmp_path), network, half=False)
    assert card.format == 1 and card.weights["dtype"] == "float32"
    for key, tensor in load_network(tmp_path / "floats", card).state_dict().items():
        assert torch.equal(tensor, network.state_dict()[key])


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
        ("[1]", r"the document is \[1\]; it must be an object"),
        ("{}", "format is missing; it must be 1 or 2"),
        ('{"format": 1}', "name is missing; it must be 1 to 100 characters"),
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
        ({"format": 3}, "format is 3; it must be 1 or 2"),
        
        ({"stars": 5}, "stars is no field; there are: format, name, title, codec"),
        ({"name": "a/b"}, "name is 'a/b'; it must be 1 to 100 characters, as a folder"),
        ({"name": "..\\x"}, "name is "),
        ({"name": "a\n"}, r"name is 'a\\n'; it must be"),
        ({"name": ""}, "name is ''"),
        ({"title": "T" * 3_000_000}, "title is 'T.*T'; it must be a string of at most 200 char"),
        ({"title": "\x1b[2J"}, "title is .* without control characters"),
        ({"artists": 5}, "artists is 5; it must be a list of at most 1024, each a string"),
        ({"artists": "Ada"}, "artists is 'Ada'; it must be a list"),
        ({"artists": ["Ada", "Bo", ""]}, r"artists\[2\] is ''; it must be a string of 1 to 100"),
        ({"artists": ["Ada", "Bo", "Ada"]}, r"artists\[2\] is 'Ada', which is in the list twice"),
        ({"artists": [f"A{i}" for i in range(100_000)]}, "artists is .* a list of at most 1024"),
        ({"artists": ["Ada"]}, "architecture.artists is 3; it must be 1, since so many artists"),
        ({"primes": [1]}, r"primes\[0\] is 1; it must be a string of at most 1000"),
        ({"primes": ["x" * 2000]}, r"primes\[0\] is 'x"),
        ({"codec": []}, r"codec is \[\]; it must be an object"),
        ({"codec": {"domain": "tabla"}}, "codec: unknown domain 'tabla'; known: abc"),
        ({"codec": {"domain": "text"}}, "codec.characters is missing; it must be a string"),
        ({"codec": {"domain": "text", "characters": "aba"}}, "codec.characters is 'aba'; .* once"),
        ({"codec": {"domain": "text", "characters": "ab", "steps_per_beat": 4}},
         "codec.steps_per_beat is no field; there are: characters, domain"),
        ({"architecture": 3}, "architecture is 3; it must be an object"),
        ({"architecture": {}}, "architecture.symbols is missing; it must be a whole number from 1"),
        ({"defaults": {"tempo": 3}}, "defaults.tempo is not a control; there are: artist, bpm"),
        ({"defaults": {"rate": 0}}, "defaults.rate must be from 0.01 to 200, not 0"),
        ({"defaults": {"rate": "fast"}}, "defaults.rate must be a number, not 'fast'"),
        ({"defaults": {"bpm": 12_000, "rate": 1}}, "defaults.bpm and rate say different things"),
        ({"defaults": {"artist": "Poe"}}, "defaults.artist 'Poe' is not known to the model"),
        ({"defaults": {"pitches": "C major"}}, "defaults.pitches means nothing to the model"),
        ({"defaults": {"seed": 4}}, "defaults.seed is no default of a model; leave it out"),
        ({"defaults": {"temperature": [[[]]]}}, "defaults.temperature must be a number"),
        ({"scores": None}, "scores is None; it must be an object"),
        ({"scores": {"test": 5}}, "scores.test is 5; it must be an object"),
        ({"scores": {"valid": {"nll": "x"}}}, "scores.valid.nll is 'x'; it must be a number"),
        ({"scores": {"valid": {"nll": True}}}, "scores.valid.nll is True; it must be a number"),
        ({"training": {"symbols": "many"}}, "training.symbols is 'many'; it must be a whole"),
        ({"weights": {"sha256": "x"}}, "weights.sha256 is 'x'; it must be 64 hexadecimal digits"),
    ],
)  # fmt: skip
def test_a_field_that_does_not_belong_in_a_card_is_named(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    change_card(folder, lambda data: data.update(changes))
    with pytest.raises(CheckpointError, match=said) as caught:
        read_card(folder)
    line = str(caught.value)
    assert line.startswith(f"{folder / 'card.json'}: ") and line.isprintable()
    assert len(line) < 400 + len(str(folder))


@pytest.mark.parametrize("steps", [0, -4, 97, 10**400, 4.0, "4", True, None, [4], "absent"])
@pytest.mark.parametrize("domain", ["pianoroll", "tablature"])
def test_a_beat_has_a_whole_number_of_steps(models: Path, tmp_path: Path, domain: str, steps: Any
) -> None:  # fmt: skip
    folder = Path(shutil.copytree(models / "roll", tmp_path / "roll"))
    change_card(folder, lambda data: data["codec"].update(domain=domain, steps_per_beat=steps))
    if steps == "absent":
        change_card(folder, lambda data: data["codec"].pop("steps_per_beat"))
    with pytest.raises(CheckpointError) as caught:
        read_card(folder)
    said = "is missing; " if steps == "absent" else "is "
    assert f"card.json: codec.steps_per_beat {said}" in str(caught.value)
    assert str(caught.value).endswith("it must be a whole number from 1 to 96")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"temperature": 1.0', '"temperature": NaN', "NaN is no number in JSON"),
        ('"temperature": 1.0', '"temperature": -Infinity', "-Infinity is no number in JSON"),
        ('"temperature": 1.0', '"temperature": 1e999', "'1e999' is too large for a number"),
        ('"temperature": 1.0', '"rate": 1.0', "'rate' is given twice in one object"),
        ("a tiny", r"a \ud83d tiny", "surrogates not allowed"),
        ("hello", r"\udc00", "surrogates not allowed"),
        ('"hello"', "[" * 500 + "]" * 500, "nested deeper than 32 levels"),
        ('"hello"', '{"a":' * 200_000 + "1" + "}" * 200_000, "nested deeper than 32 levels"),
        ('"hello"', "1" * 5000, "Exceeds the limit"),
    ],
)
def test_json_is_read_strictly(folder: Path, old: str, new: str, said: str) -> None:
    text = json.dumps(json.loads((folder / "card.json").read_text()))
    assert old in text
    (folder / "card.json").write_text(text.replace(old, new))
    with pytest.raises(CheckpointError, match=f"card.json: cannot be read .*{said}") as caught:
        read_card(folder)
    assert str(caught.value).isprintable()


def test_primes_are_what_the_codec_can_read(models: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models / "roll", tmp_path / "roll"))
    change_card(folder, lambda data: data.update(primes=["C E G"]))
    with pytest.raises(CheckpointError, match=r"primes\[0\]: a piano-roll model takes a list of"):
        read_card(folder)


def test_a_domain_that_was_added_may_leave_checking_to_us(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CODECS, "drums", lambda data: TextCodec(data["kit"]["drums"]))
    change_card(folder, lambda data: data.update(codec={"domain": "drums", "kit": 3}))
    with pytest.raises(CheckpointError, match="codec: cannot make a drums codec of it .*TypeError"):
        read_card(folder)


@pytest.mark.parametrize("name", ["card.json", "weights.safetensors"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "link to itself", "huge"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_what_is_no_file_or_too_large_a_one_is_not_read(folder: Path, name: str, kind: str) -> None:
    """Reading would wait for ever, or take all memory."""
    path = folder / name
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(2**40)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    cards, faults = read_models({"verse": folder})
    assert not cards and len(faults) == 1
    said = {"huge": "has 1,099,511,627,776 bytes; there may be", "link to itself": "cannot be read"}
    assert str(faults[0]).startswith(
        f"{path}: {said.get(kind, 'cannot be read (a folder, a pipe')}"
    )


def test_a_path_that_would_break_the_line_is_told_in_one(folder: Path) -> None:
    bad = folder.rename(folder.parent / "a\nb\x1b[2J")
    (bad / "card.json").write_text("{}")
    with pytest.raises(CheckpointError) as caught:
        read_card(bad)
    assert str(caught.value).isprintable() and r"a\nb\x1b[2J" in str(caught.value)


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
    """They have the right shapes, so that only the checksum tells."""
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
    # With a card that has no checksum, any weights that fit are loaded.
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
        (lambda d: d["architecture"].update(symbols=88), "architecture.symbols is 88; it must be"),
        (lambda d: d["architecture"].update(cell="qrnn"),
         "cell is 'qrnn'; it must be 'lstm' .* or 'markov'"),
        (lambda d: d["architecture"].pop("hidden"), "architecture.hidden is missing; it must be"),
        (lambda d: d["architecture"].update(hidden=10**9), "hidden is 1000000000; it must be a"),
        (lambda d: d["architecture"].update(hidden=-1), "hidden is -1; it must be a whole number"),
        (lambda d: d["architecture"].update(hidden=16_384, layers=64), "weights, and the most is"),
        (lambda d: d["architecture"].update(head="bernoulli"), "head is 'bernoulli'; it must be"),
        (lambda d: d["artists"].append("Dot"), "artists is 3; it must be 4, since so many artists"),
        (lambda d: d["codec"].update(characters="abc"),
         "symbols is 30; it must be 5, since its codec of text has so many symbols"),
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
