"""The network in whole numbers of a model folder whose weights are floats (format 1)."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load

from stream_rnn.checkpoint import WEIGHTS, Card, read_weights
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import Architecture, architecture_from_json
from stream_rnn.nets.quantised import QuantisedNetwork, quantise


def load_quantised(folder: Path, card: Card) -> QuantisedNetwork:
    """Reads and converts; without torch.

    Raises:
        CheckpointError: the weights are missing, damaged, another model's, do not fit the card,
            or are those of a counting network, which has no such form.
    """
    data = read_weights(folder, card)  # which checks the card's architecture, too
    architecture = architecture_from_json(card.architecture)
    if not isinstance(architecture, Architecture):
        raise CheckpointError(f"{folder}: counts ({architecture.cell}); it has no 8-bit weights")
    try:
        return quantise(architecture, load(data))
    except (SafetensorError, CheckpointError) as error:
        raise CheckpointError(f"{folder / WEIGHTS}: {error}") from None
