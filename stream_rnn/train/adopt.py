"""Fine-tuning: begins a run with the weights of a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from stream_rnn.checkpoint import load_network, read_card
from stream_rnn.errors import ConfigError
from stream_rnn.nets.network import RecurrentNetwork

FREE = ("artists", "dropout", "weight_drop")  # fields that may differ


@torch.no_grad()
def adopt(network: RecurrentNetwork, artists: Sequence[str], folder: Path) -> None:
    """Gives a network the weights of a trained model.

    An artist that the model does not know begins with the mean of the weights of those it knows,
    or with zeros if it knows none.

    Args:
        network: one of the model's size and symbols.
        artists: the network's artists, in the order of its inputs.
        folder: the model's folder.

    Raises:
        CheckpointError: the model cannot be loaded.
        ConfigError: the model has another size, or is a baseline.
    """
    card = read_card(folder)
    other = load_network(folder, card)
    if not isinstance(other, RecurrentNetwork):
        raise ConfigError(
            f"train.start: {card.name} is a baseline; a run can only start from a network"
        )
    theirs = other.architecture.to_json()
    for name, value in network.architecture.to_json().items():
        if name not in FREE and value != theirs[name]:
            raise ConfigError(
                f"train.start: {card.name} has {name} {theirs[name]}, and this recipe {value}"
            )
    weights = other.state_dict()
    symbols = network.architecture.symbols
    inputs = weights["recurrent.weight_ih_l0"]  # [gates, symbols + artists]
    known = dict(zip(card.artists, inputs[:, symbols:].t(), strict=True))
    nobody = inputs[:, symbols:].mean(1) if known else inputs.new_zeros(len(inputs))
    columns = [known.get(artist, nobody) for artist in artists]
    weights["recurrent.weight_ih_l0"] = torch.stack([*inputs[:, :symbols].t(), *columns], 1)
    network.load_state_dict(weights)
