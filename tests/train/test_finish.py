"""What a run ends with: the network as it is served, both scores, and the trained floats."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from whole import hash_of

from stream_rnn.checkpoint import (
    CARD,
    WEIGHTS,
    Card,
    load_network,
    load_quantised,
    read_card,
    save_model,
)
from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.scoring import serve_slowly as serve
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.network import Architecture, RecurrentNetwork
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.evaluate import evaluate
from stream_rnn.train.finish import (
    finish,
    rescored,
    scores_of_floats,
    splits_scored,
    what_8_bits_cost,
)

CODEC = TextCodec("abcd")
CPU = torch.device("cpu")
DONE = {"seconds": 7}


def corpus(length: int = 40) -> Corpus:
    dice = np.random.default_rng(1)

    def texts(count: int) -> list[Document]:
        return [Document(dice.integers(1, 5, length).astype(np.uint16)) for _ in range(count)]

    return Corpus(CODEC, (), {"train": texts(3), "valid": texts(2), "test": texts(2)})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose last step is done."""
    torch.manual_seed(4)
    network = RecurrentNetwork(Architecture(CODEC.size, 0, 24, 1, "categorical"))
    with torch.no_grad():
        network.output.weight.mul_(9)
    save_best(tmp_path, network)
    return tmp_path


def save_best(run: Path, network: RecurrentNetwork) -> None:
    architecture = network.architecture.to_json()
    card = Card("it", "It", CODEC.to_json(), architecture, training={"steps": 3, "seconds": 1})
    save_model(run / "best", card, network, half=True)


def ended(run: Path) -> Card:
    return finish(run, corpus(), DONE, serve=serve, device=CPU)


def test_a_run_ends_with_both_networks_and_both_scores(run: Path) -> None:
    shutil.copytree(run / "best", run / "was")
    card = ended(run)
    assert card == read_card(run / "best") and card.format == 2
    assert card.training == {"steps": 3, "seconds": 7}
    was = read_card(run / "was")
    assert card.weights["trained"] == {k: was.weights[k] for k in ("dtype", "sha256")}
    for file in (CARD, WEIGHTS):
        assert (run / "trained" / file).read_bytes() == (run / "was" / file).read_bytes()
    served = load_quantised(run / "best", card)
    assert hash_of(served) == hash_of(load_quantised(run / "was", was))
    for network, scores in (
        (serve(served), card.scores),
        (load_network(run / "trained", was), card.scores["float"]),
    ):
        for split in ("valid", "test"):
            score = evaluate(network, corpus().splits[split], CODEC)
            assert scores[split] == score.to_json()
    assert card.scores["test"]["nll"] != card.scores["float"]["test"]["nll"]


def test_an_end_that_was_killed_anywhere_is_made_up_for(run: Path) -> None:
    """Each of the files may be there or not, and the two of a folder need not fit."""
    before = Path(shutil.copytree(run / "best", run / "before"))
    expected = ended(run)
    after = Path(shutil.copytree(run / "best", run / "after"))
    trained = Path(shutil.copytree(run / "trained", run / "kept"))

    def put(folder: str, files: dict[str, Path]) -> None:
        shutil.rmtree(run / folder, ignore_errors=True)
        (run / folder).mkdir()
        for file, source in files.items():
            shutil.copy(source / file, run / folder / file)

    whole = {WEIGHTS: trained, CARD: trained}
    for best, kept in (
        ({WEIGHTS: before, CARD: before}, {}),
        ({WEIGHTS: before, CARD: before}, {WEIGHTS: trained}),
        ({WEIGHTS: before, CARD: before}, whole),
        ({WEIGHTS: after, CARD: before}, whole),
    ):
        put("best", best)
        put("trained", kept)
        assert ended(run) == expected
    put("best", {WEIGHTS: after, CARD: before})
    shutil.rmtree(run / "trained")
    with pytest.raises(CheckpointError, match="best/weights.safetensors: does not fit the card"):
        ended(run)


def test_a_better_network_after_the_end_takes_the_place_of_both(run: Path) -> None:
    first = ended(run)
    again = ended(run)  # resumed, and nothing better was found
    assert again == first
    better = load_network(run / "trained", read_card(run / "trained"))
    assert isinstance(better, RecurrentNetwork)
    with torch.no_grad():
        better.output.weight.mul_(0.1)
    save_best(run, better)
    card = ended(run)
    assert card.scores["test"]["nll"] < first.scores["test"]["nll"]
    assert card.scores["float"]["test"]["nll"] < first.scores["float"]["test"]["nll"]
    kept = load_network(run / "trained", read_card(run / "trained"))
    assert torch.equal(kept.state_dict()["output.weight"], better.output.weight.half().float())


def scored(served: float | None, trained: float | None) -> Card:
    scores: dict[str, Any] = {}
    if served is not None:
        scores["test"] = {"nll": served, "symbols": 9}
    if trained is not None:
        scores["float"] = {"test": {"nll": trained, "symbols": 9}}
    return Card("it", "It", CODEC.to_json(), {}, scores=scores)


def test_a_network_that_loses_much_is_said_so_in_one_line() -> None:
    for served, trained in ((2.005, 2.0), (1.9, 2.0), (2.0, None), (None, 2.0), (0.1, 0.0)):
        assert what_8_bits_cost(scored(served, trained)) is None
    said = what_8_bits_cost(scored(2.0072, 2.0))
    assert said is not None and "\n" not in said
    assert said.startswith(
        "it loses 0.36% of its score as it is served, in 8-bit weights: test 2.0072 nats a symbol, "
        "in floats 2.0000"
    )


def test_scores_of_floats_that_are_gone_stay_if_they_are_of_the_same_sets(run: Path) -> None:
    card = ended(run)
    served = splits_scored(serve(load_quantised(run / "best", card)), corpus())
    again = rescored(card, corpus(), served, None)
    assert again.scores == card.scores
    longer = splits_scored(serve(load_quantised(run / "best", card)), corpus(41))
    assert "float" not in rescored(card, corpus(41), longer, None).scores


def test_scores_of_a_card_of_floats_become_those_of_its_floats(run: Path) -> None:
    test = {"nll": 2.0, "symbols": 9}
    card = replace(scored(2.0, None), scores={"test": test, "measure": "a mean"})
    assert scores_of_floats(card) == {"float": {"test": test}}
    assert scores_of_floats(replace(card, scores={})) == {}
    both = scored(2.1, 2.0)
    assert scores_of_floats(both) == both.scores
    assert scores_of_floats(replace(card, format=2)) == card.scores
