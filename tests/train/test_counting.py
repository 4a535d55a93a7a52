"""A run of a baseline: what it leaves, and what it refuses."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from stream_rnn.checkpoint import load_network, read_card
from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.preview import preview
from stream_rnn.engine.scoring import serve_slowly as serve
from stream_rnn.errors import ConfigError
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.evaluate import evaluate
from stream_rnn.train.recipe import DataRecipe, ModelRecipe, Recipe
from stream_rnn.train.runs import evolution, read_run
from stream_rnn.train.start import make_trainer

CODEC = TextCodec("abcdefgh ")


def corpus() -> Corpus:
    """Words of one list: two letters predict the next one, and more letters predict no better."""
    dice, words = random.Random(4), ["abc", "bcd", "cde", "dea", "gfb", "hhg"]

    def texts(count: int) -> list[Document]:
        made = (" ".join(dice.choice(words) for _ in range(8)) for _ in range(count))
        return [Document(np.array(CODEC.parse(t), np.uint16), i % 2) for i, t in enumerate(made)]

    return Corpus(CODEC, ("A", "B"), {"train": texts(60), "valid": texts(20), "test": texts(20)})


def recipe(cell: str, order: int) -> Recipe:
    model = ModelRecipe("it", "It", cell=cell, order=order)  # type: ignore[arg-type]
    return Recipe(DataRecipe("it", "songs_csv", by_artist=True), model)


@pytest.mark.parametrize(("cell", "order", "steps"), [("uniform", 0, 1), ("unigram", 0, 2)])
def test_the_simplest_are_what_was_asked_for(
    tmp_path: Path, cell: str, order: int, steps: int
) -> None:
    card = make_trainer(
        recipe(cell, order), corpus(), tmp_path, sampler=preview, serve=serve
    ).train()
    assert card.architecture["cell"] == cell
    assert len(card.training["validation_by_order"]) == steps
    if cell == "uniform":
        assert card.scores["test"]["nll"] == pytest.approx(np.log(CODEC.size), abs=1e-4)


def test_the_order_that_foretells_best_is_kept(tmp_path: Path) -> None:
    card = make_trainer(
        recipe("markov", 12), corpus(), tmp_path, sampler=preview, serve=serve
    ).train()
    losses = card.training["validation_by_order"]
    assert card.architecture["order"] == int(np.argmin(losses)) - 1 >= 2
    assert len(losses) <= int(np.argmin(losses)) + 3, "two in a row were no better"
    loaded = load_network(tmp_path / "best", read_card(tmp_path / "best"))
    splits = corpus().splits
    for split in ("valid", "test"):
        score = evaluate(loaded, splits[split], CODEC)
        assert round(score.nll, 4) == card.scores[split]["nll"]
    with (tmp_path / "log.csv").open() as file:
        logged = [round(float(row["loss"]), 4) for row in csv.DictReader(file)]
    assert logged == losses
    run = read_run(tmp_path)
    assert list(run.samples) == list(range(len(losses)))
    assert "step 0" in evolution(run) and "== step 3, B ==" in run.samples[3]


def test_what_a_baseline_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--steps 5: markov is a baseline, which has no steps"):
        make_trainer(recipe("markov", 2), corpus(), tmp_path, sampler=preview, serve=serve, steps=5)
    counter = make_trainer(recipe("markov", 2), corpus(), tmp_path, sampler=preview, serve=serve)
    with pytest.raises(ConfigError, match="a baseline cannot be resumed"):
        counter.resume()
