"""The models in the box are what their cards say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from boxed import DATA, MODELS, ROOT, held_out, needs_data
from support import assert_groups_alike
from whole import hash_of

from stream_rnn.checkpoint import (
    WEIGHTS,
    load_network,
    load_quantised,
    read_card,
    save_quantised,
)
from stream_rnn.engine.library import load_kernel
from stream_rnn.engine.messages import Settings
from stream_rnn.engine.offline import generate
from stream_rnn.engine.scoring import serve
from stream_rnn.sessions.controls import default_controls
from stream_rnn.train.data import corpus_of_card
from stream_rnn.train.evaluate import (
    artist_vectors,
    boundary_of,
    symbol_losses,
)

RECIPES = {
    path.stem
    for path in (ROOT / "configs").glob("*.toml")
    if "[model]" in path.read_text(encoding="utf-8")
}
OWN = {"playlist"}  # learnt from a list of one's own: none comes in the box
TOGETHER = 80_000_000  # bytes of weights
# Hashes of the 8-bit networks, made of the floats that were trained.
QUANTISED = {
    "band": "6cb8c863e5e78551", "chorales": "0826ce48c65cf258",
    "chorales-joint": "e0d67539566a202f", "controller": "066280d4de397fa9",
    "death-metal": "da735fb58376e00c", "death-metal-lstm": "eb8a938cbf37bbc7",
    "folk": "37a3083bcdbe735b", "kernel": "aa9922fce98081f8", "lyrics": "c96689f94a58176e",
    "lyrics-any": "1cd1a0031fc3f135", "macdonald": "110e7dcefab30edd",
    "muse": "08df6066ee85d331", "nottingham": "3097b59e0672fbd7",
    "nottingham-joint": "ba1f2d4ccd190fe5", "performance": "eb4cd5980630aeaf",
    "piano": "96e740e35b01c2c0", "shakespeare": "a03a5c43a6edb581",
    "star-trek": "e00315d4c1bacbfe", "tabs": "62e14c2eb9feb169",
    "war-and-peace": "dbb41f2cc9d7a5cf",
}  # fmt: skip


def test_every_recipe_has_its_model_and_all_of_them_are_small_enough() -> None:
    assert MODELS.keys() == RECIPES - OWN
    assert sum((folder / WEIGHTS).stat().st_size for folder in MODELS.values()) <= TOGETHER


@pytest.mark.parametrize("name", MODELS)
def test_a_card_tells_what_a_person_wants_to_know(name: str) -> None:
    card, weights = read_card(MODELS[name]), MODELS[name] / WEIGHTS
    assert card.name == name and card.title
    assert card.data["recipe"]["licence"] and card.data["recipe"]["origin"]
    assert card.data["sizes"].keys() == {"train", "valid", "test"}
    assert card.training["seconds"] > 0 and card.training["hardware"]
    assert card.scores["test"]["nll"] > 0 and "stream-rnn eval" in card.scores["measure"]
    assert weights.stat().st_size == card.weights["bytes"] <= 20_000_000
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == card.weights["sha256"]
    assert default_controls(card, 1).seed == 1


@pytest.mark.parametrize("name", QUANTISED)
def test_what_is_served_is_what_was_made_of_the_trained_floats(name: str, tmp_path: Path) -> None:
    card = read_card(MODELS[name])
    network = load_quantised(MODELS[name], card)
    assert hash_of(network) == QUANTISED[name]
    again = save_quantised(tmp_path, card, network)
    assert hash_of(load_quantised(tmp_path, again)) == QUANTISED[name]


def test_each_network_is_known_in_8_bits() -> None:
    assert QUANTISED.keys() == {n for n in MODELS if "hidden" in read_card(MODELS[n]).architecture}


@pytest.mark.parametrize("name", MODELS)
def test_a_step_of_a_shipped_model_gives_the_same_bits_in_any_group(name: str) -> None:
    """At the sizes that are really served: a matrix library may sum differently at each size."""
    assert_groups_alike(load_kernel(MODELS[name], read_card(MODELS[name])))


@needs_data
@pytest.mark.parametrize("name", QUANTISED)
@torch.no_grad()
def test_what_is_lost_by_stepping_in_whole_numbers(name: str) -> None:
    """In nats, over up to 20,000 symbols of the test split; `network.forward` is in floats."""
    card = read_card(MODELS[name])
    network, (codec, test, _) = load_network(MODELS[name], card), held_out(name)
    pieces = [p for d in test for p in d.pieces(150)]
    length = int(np.median([len(p.symbols) for p in pieces]))
    whole = [p for p in pieces if len(p.symbols) >= length]
    documents = whole[:: max(1, len(whole) * length // 20_000)]
    boundary = boundary_of(codec)[None]
    stacked = np.stack([np.concatenate([boundary, d.symbols[:length]]) for d in documents])
    symbols = torch.from_numpy(stacked.astype(np.int64))
    artists = artist_vectors(network, torch.tensor([d.artist for d in documents]))
    logits, _ = network(symbols[:, :-1], artists, network.zero_state(len(documents)))
    expected = float(symbol_losses(network, logits, symbols[:, 1:]).mean())
    served = serve(load_quantised(MODELS[name], card))
    inputs = symbols if codec.head == "categorical" else symbols.float()
    logits, _ = served(inputs[:, :-1], artists, served.zero_state(len(documents)))
    losses = symbol_losses(served, logits, symbols[:, 1:])
    lost = float(losses.mean()) - expected
    assert abs(lost) < 0.001 * expected, f"{lost:+.5f} nats beside {expected:.5f}"


def test_the_verse_is_english_and_knows_its_artists() -> None:
    card = read_card(MODELS["lyrics"])
    codec, kernel = card.make_codec(), load_kernel(MODELS["lyrics"], card)
    assert len(card.artists) == 64
    prime = codec.parse("O my ")
    texts = set()
    for artist in (0, 15, 63):
        blend = tuple(float(i == artist) for i in range(64))
        symbols = generate(
            kernel, codec, Settings(temperature=0.5, artists=blend), prime=prime, length=600
        )
        texts.add("".join(codec.event(s)["text"] for s in symbols))
    assert len(texts) == 3
    common = {"the", "and", "of", "to", "in", "a", "my", "with", "that", "his", "her", "i"}
    words = " ".join(texts).lower().split()
    assert sum(word.strip(",.;!?'\"") in common for word in words) / len(words) > 0.2


def test_the_rolls_are_neither_silent_nor_noise() -> None:
    card = read_card(MODELS["nottingham"])
    codec, kernel = card.make_codec(), load_kernel(MODELS["nottingham"], card)
    symbols = generate(kernel, codec, Settings(temperature=0.8), prime=[], length=400)
    sounding = [len(codec.event(s)["notes"]) for s in symbols]
    assert 1.5 < sum(sounding) / len(sounding) < 8


def roll_of(name: str, temperature: float) -> np.ndarray:
    """`[frames, 88]` that a model of rolls makes."""
    card = read_card(MODELS[name])
    codec, kernel = card.make_codec(), load_kernel(MODELS[name], card)
    settings = Settings(temperature=temperature)
    symbols = generate(kernel, codec, settings, prime=[], length=300)
    packed = b"".join(symbol.to_bytes(codec.width, "little") for symbol in symbols)
    return np.asarray(codec.unpack(packed))


def test_chords_stay_in_four_parts_at_any_temperature() -> None:
    for temperature in (0.5, 0.7, 1.0, 1.3):
        parts = roll_of("chorales-joint", temperature).sum(1)
        assert 3.4 < parts.mean() < 4.3 and (parts == 4).mean() > 0.5


@needs_data
def test_notes_that_depend_on_each_other_make_chords_of_bachs() -> None:
    corpus = corpus_of_card(read_card(MODELS["chorales"]), DATA)

    def shapes(frames: np.ndarray) -> list[bytes]:
        """Chords, in whatever key."""
        return [frame.tobytes().strip(b"\0") for frame in frames]

    known = {shape for d in corpus.splits["train"] for shape in shapes(d.symbols)}
    share = {
        name: np.mean([shape in known for shape in shapes(roll_of(name, 0.9))])
        for name in ("chorales", "chorales-joint")
    }
    assert share["chorales-joint"] > 0.8 > 0.5 > share["chorales"]
