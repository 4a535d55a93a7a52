"""Ends a run: scores the best model and completes its card; also makes other parts of cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from stream_rnn.card import SERVED, Card, check_card
from stream_rnn.checkpoint import (
    copy_model,
    load_network,
    load_quantised,
    read_card,
    read_tensors,
    save_quantised,
    write_card,
)
from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import CheckpointError, ConfigError
from stream_rnn.nets.baselines import Network
from stream_rnn.train.corpus import Corpus
from stream_rnn.train.evaluate import Scored, Serve, evaluate
from stream_rnn.train.split import SPLITS

MUCH = 0.003  # of a score, to lose by 8 bits

Sampler = Callable[[Network, Card, int], str]
"""Makes a sample as text from (network, card, step)."""


def check_recipe(card: Card) -> None:
    """Checks the card that a run begins with, so that its model can be played when it is done.

    Raises:
        ConfigError: the model could not be played; the message says what the recipe has wrong.
    """
    try:
        check_card(card)
    except CheckpointError as error:
        raise ConfigError(f"this recipe's model could not be played: {error}") from None


def finish(
    run: Path, corpus: Corpus, training: dict[str, Any], *, serve: Serve, device: torch.device
) -> Card:
    """Makes what is served of a run's best network, and scores both.

    `run/best` then has it in 8-bit weights, and `run/trained` as it was trained.

    Args:
        training: facts about the run that are known only at its end.
        device: scores the network as it was trained.
    """
    best, trained = run / "best", run / "trained"
    card = read_card(best)
    if card.format == SERVED:  # the run was resumed, and found nothing better
        return _completed(best, card, training)
    _keep(best, trained)
    card = read_card(trained)
    floats = splits_scored(load_network(trained, card).to(device), corpus)
    quantised = load_quantised(trained, card)
    served = splits_scored(serve(quantised), corpus)
    card = rescored(save_quantised(best, card, quantised), corpus, served, floats)
    return _completed(best, card, training)


def finish_counted(best: Path, corpus: Corpus, training: dict[str, Any]) -> Card:
    """Scores a baseline, and completes its card."""
    card = read_card(best)
    scores = splits_scored(load_network(best, card), corpus)
    return _completed(best, rescored(card, corpus, scores, None), training)


def _completed(folder: Path, card: Card, training: dict[str, Any]) -> Card:
    done = replace(card, training={**card.training, **training})
    write_card(folder, done)
    return done


def _keep(best: Path, trained: Path) -> None:
    """Copies the best network, unless it was being replaced when an earlier end was killed."""
    try:
        read_tensors(best, read_card(best))
    except CheckpointError:
        if not trained.exists():
            raise
    else:
        copy_model(best, trained)


def splits_scored(
    network: Scored,
    corpus: Corpus,
    splits: Sequence[str] = SPLITS[1:],
    *,
    progress: Callable[[int], None] = lambda symbols: None,
) -> dict[str, Any]:
    """The scores of a network on some splits, as a card has them.

    Args:
        progress: called with the number of symbols done since the last call.
    """
    return {
        split: evaluate(network, corpus.splits[split], corpus.codec, progress=progress).to_json()
        for split in splits
    }


def scores_of_floats(card: Card) -> dict[str, Any]:
    """The scores of a card whose weights are floats, where none is of what is served."""
    if "float" in card.scores or card.format == SERVED:
        return card.scores
    floats = {split: card.scores[split] for split in SPLITS[1:] if split in card.scores}
    return {"float": floats} if floats else {}


def rescored(
    card: Card, corpus: Corpus, served: dict[str, Any], floats: dict[str, Any] | None
) -> Card:
    """The card with new scores, and the sizes of the sets that gave them.

    Args:
        floats: of the floats that were trained; None if those are gone. What the card has of them
            then stays, if it is of the same sets.
    """
    if floats is None:
        known = card.scores.get("float", {})
        floats = {
            split: known[split]
            for split in served
            if known.get(split, {}).get("symbols") == served[split]["symbols"]
        }
    scores = {**served, "measure": measure_of(card), **({"float": floats} if floats else {})}
    facts = {"sizes_in_training": card.data.get("sizes"), **card.data, "sizes": corpus.sizes()}
    if facts["sizes_in_training"] in (None, facts["sizes"]):
        del facts["sizes_in_training"]  # it was trained on the sets of today
    return replace(card, data=facts, scores=scores)


def what_8_bits_cost(card: Card) -> str | None:
    """A line about what serving in 8 bits costs, if that is much."""
    served, trained = card.scores.get("test"), card.scores.get("float", {}).get("test")
    if not served or not trained or not trained["nll"]:
        return None
    share = (served["nll"] - trained["nll"]) / abs(trained["nll"])
    if share <= MUCH:
        return None
    return (
        f"{card.name} loses {share:.2%} of its score as it is served, in 8-bit weights: test "
        f"{served['nll']:.4f} nats a symbol, in floats {trained['nll']:.4f}; a few large weights "
        "may be why, which train.weight_decay keeps small"
    )


def plain(value: object) -> Any:
    """The value as it comes back from JSON."""
    return msgspec.json.decode(msgspec.json.encode(value))


def newline_of(codec: Codec) -> int | None:
    """The symbol of a line break, if the codec is of text and has one."""
    if not isinstance(codec, TextCodec) or "\n" not in codec.vocabulary:
        return None
    return codec.vocabulary.index("\n")


def measure_of(card: Card) -> str:
    """What the scores of this model measure, for the card."""
    unit = {"text": "character", "pianoroll": "frame"}.get(card.codec["domain"], "symbol")
    first = "; nll_after_first leaves out the first frame of each piece" if unit == "frame" else ""
    return (
        f"mean negative log-likelihood in nats a {unit}, over every {unit} of the split, each "
        f"document from a zero state, of what is served: stream-rnn eval{first}"
    )


def hardware(device: torch.device) -> str:
    """The processor or GPU that a run uses, for the card."""
    import platform

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        name = names[0].partition(":")[2].strip() if names else name
    return f"{name}, {torch.get_num_threads()} thread(s)"
