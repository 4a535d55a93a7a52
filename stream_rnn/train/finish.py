"""Ends a run: scores the best model and completes its card; also makes other parts of cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch

from stream_rnn.card import Card, check_card
from stream_rnn.checkpoint import load_network, read_card, save_model
from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import CheckpointError, ConfigError
from stream_rnn.nets.baselines import Network
from stream_rnn.train.corpus import Corpus
from stream_rnn.train.evaluate import evaluate
from stream_rnn.train.split import SPLITS

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
    folder: Path, corpus: Corpus, training: dict[str, Any], *, half: bool, device: torch.device
) -> Card:
    """Scores a run's best model, as it is on disk, and completes its card.

    Args:
        training: facts about the run that are known only at its end.
        half: whether its weights are 16-bit floats.
    """
    card = read_card(folder)
    network = load_network(folder, card).to(device)
    scores = scores_of(card, network, corpus)
    done = {**vars(card), "scores": scores, "training": {**card.training, **training}}
    return save_model(folder, Card(**done), network, half=half)


def scores_of(
    card: Card,
    network: Network,
    corpus: Corpus,
    *,
    progress: Callable[[int], None] = lambda symbols: None,
) -> dict[str, Any]:
    """All scores of a model for its card: those on the validation and the test set.

    Args:
        progress: called with the number of symbols done since the last call.
    """
    return {
        **{
            split: evaluate(
                network, corpus.splits[split], corpus.codec, progress=progress
            ).to_json()
            for split in SPLITS[1:]
        },
        "measure": measure_of(card),
    }


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
        f"document from a zero state, with the weights as shipped: stream-rnn eval{first}"
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
