"""The walk-through of docs/training.md: its code adds a domain."""

from __future__ import annotations

import importlib
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import stream_rnn.codecs
from stream_rnn.checkpoint import load_network, load_quantised, read_card
from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.registry import codec_from_json
from stream_rnn.engine.messages import Settings
from stream_rnn.engine.offline import generate, kernel_of
from stream_rnn.engine.preview import preview
from stream_rnn.engine.scoring import serve_slowly as serve
from stream_rnn.errors import CheckpointError, DataError
from stream_rnn.sound.voice import Note, Voice
from stream_rnn.train.data import corpus_of_card, load_corpus
from stream_rnn.train.evaluate import evaluate
from stream_rnn.train.loop import Trainer
from stream_rnn.train.recipe import read_recipe
from stream_rnn.wire.events import Symbol

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
GRID = "kick  x..x..x...x.....\nsnare ....x.......x..x\nhat   x.x.x.x.x.x.x.xx\n"


def block(first: str) -> str:
    """The page's block of code that begins with a line."""
    found = re.search(rf"^```\w*\n({re.escape(first)}.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert found, first
    return found[1]


@pytest.fixture
def codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Codec]:
    """The page's codec, in a second folder of the package `codecs`."""
    added = tmp_path / "codecs"
    added.mkdir()
    (added / "drums.py").write_text(block("# stream_rnn/codecs/drums.py"))
    monkeypatch.setattr(stream_rnn.codecs, "__path__", [*stream_rnn.codecs.__path__, str(added)])
    importlib.invalidate_caches()
    yield codec_from_json({"domain": "drums"})
    del sys.modules["stream_rnn.codecs.drums"]


def test_the_pages_codec_reads_and_writes_its_grid_and_sounds(codec: Codec, tmp_path: Path) -> None:
    assert block("kick  ") == GRID
    (tmp_path / "one.drums").write_text(GRID)
    steps = codec.read_prime(str(tmp_path / "one.drums"))
    assert len(steps) == 16
    codec.write_file(steps, tmp_path / "again.drums", 120.0)
    assert (tmp_path / "again.drums").read_text() == GRID
    assert codec_from_json(codec.to_json()).parse([["kick", "hat"], []]) == [steps[0], steps[1]]
    voice = Voice()
    struck = Symbol("s", 0, 0.0, **codec.event(steps[0]))
    assert voice.play(struck) == [Note(36, 80), Note(42, 80)]
    then = Symbol("s", 1, 0.1, **codec.event(steps[1]))
    assert voice.play(then) == [Note(36, 0), Note(42, 0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [("kick x. x.", "bad.drums: not lines of"), ("gong x.", "no drum 'gong'"),
     ("kick x.\nhat x", "equally long"), ("", "equally long")],
)  # fmt: skip
def test_grids_that_cannot_be_read_are_refused(
    codec: Codec, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "bad.drums").write_text(text)
    with pytest.raises(DataError, match=said):
        codec.read_prime(str(tmp_path / "bad.drums"))
    with pytest.raises(DataError, match=r'such as \[\["kick"'):
        codec.parse("kick")


@pytest.mark.slow
def test_the_pages_recipe_trains_and_scores_it(codec: Codec, tmp_path: Path) -> None:
    dice = random.Random(1)
    for i in range(60):
        folder = tmp_path / "data" / "drums" / ("funk", "march")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        rows = (f"{d:<6}" + "".join(dice.choice("x...") for _ in range(16)) for d in
                ("kick", "snare", "hat"))  # fmt: skip
        (folder / f"{i}.drums").write_text("\n".join(rows))
    (tmp_path / "drums.toml").write_text(block("# configs/drums.toml"))
    recipe = read_recipe(tmp_path / "drums.toml")
    shrunk = msgspec.structs.replace(recipe.train, steps=6, evaluate_every=2, sample_every=6)
    recipe = msgspec.structs.replace(recipe, train=shrunk)
    trainer = Trainer(
        recipe,
        load_corpus(recipe.data, tmp_path / "data"),
        tmp_path / "run",
        sampler=preview,
        serve=serve,
    )
    trainer.train()

    folder = tmp_path / "run" / "best"
    card = read_card(folder)
    assert card.artists == ("funk", "march")
    network = load_network(folder, card)
    made = generate(kernel_of(network), codec, Settings(artists=(0.5, 0.5)), prime=[], length=32)
    assert len(codec.show(made).split("\n")) == 3
    served = serve(load_quantised(folder, card))
    score = evaluate(served, corpus_of_card(card, tmp_path / "data").splits["test"], codec)
    assert round(score.nll, 4) == card.scores["test"]["nll"]


@pytest.mark.parametrize("domain", ["registry", "base", "no.such", "nonesuch", "", 3])
def test_what_is_no_domain_is_refused(domain: object) -> None:
    with pytest.raises(CheckpointError, match="unknown domain"):
        codec_from_json({"domain": domain})
