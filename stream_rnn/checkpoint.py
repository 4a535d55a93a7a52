"""A trained model on disk: one folder with `card.json` and `weights.safetensors`.

The card describes the model to people and to programs: architecture, codec, artists, data,
training, scores. Nothing else is needed to load it. `read_card` needs no torch and is for the
gateway. The engine steps what `load_quantised` and `load_counting` give, `load_network` is for
training and looking into a network.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.card import FLOATS as FLOATS
from stream_rnn.card import SERVED as SERVED
from stream_rnn.card import Card as Card
from stream_rnn.card import fitting_architecture, parse_card
from stream_rnn.errors import CheckpointError
from stream_rnn.model_files import CARD, WEIGHTS, fault, opened, write_whole
from stream_rnn.nets.architecture import Architecture, CountingArchitecture
from stream_rnn.nets.counting import CountingNetwork, counting_network
from stream_rnn.nets.quantised import QuantisedNetwork, quantise
from stream_rnn.nets.stored import dequantised, from_tensors, to_tensors
from stream_rnn.weights import MOST_BYTES, check_weights, tensors_of

if TYPE_CHECKING:
    from stream_rnn.nets.baselines import Network

MOST_CARD = 2**22  # bytes; the largest cards are those with the names of a playlist


def read_card(folder: Path) -> Card:
    """The card of a model folder, checked whole.

    Raises:
        CheckpointError: no such folder or card, not JSON, or a field that does not fit; in one
            line, with the file, the field, what is wrong and what would be right.
    """
    path = folder / CARD
    with opened(path, MOST_CARD, f"not a model folder (no {CARD} in it)") as (file, _):
        data = file.read(MOST_CARD + 1)
    try:
        return parse_card(data)
    except CheckpointError as error:
        raise fault(path, error) from None


def write_card(folder: Path, card: Card) -> None:
    """Writes a card, whole or not at all."""
    text = json.dumps(card.to_json(), indent=2, ensure_ascii=False)
    write_whole(folder / CARD, (text + "\n").encode())


def find_models(root: Path) -> dict[str, Path]:
    """Model folders directly under `root`, by name."""
    if not root.is_dir():
        return {}
    return {p.parent.name: p.parent for p in sorted(root.glob(f"*/{CARD}"))}


def read_models(folders: Mapping[str, Path]) -> tuple[dict[str, Card], list[CheckpointError]]:
    """The cards of the models that can be used, and what is wrong with each of the others."""
    cards: dict[str, Card] = {}
    faults = []
    for name, folder in folders.items():
        try:
            cards[name] = check_model(folder)
        except CheckpointError as error:
            faults.append(error)
    return cards, faults


def check_model(folder: Path) -> Card:
    """The card of a model folder whose weights file is the one that fits it.

    The weights' values are not looked at; who loads them does that.

    Raises:
        CheckpointError: a file is missing or damaged, or they do not fit each other.
    """
    card = read_card(folder)
    with _weights(folder, card) as file:
        _check_sum(folder / WEIGHTS, card, hashlib.file_digest(file, "sha256").hexdigest())
    return card


@contextlib.contextmanager
def _weights(folder: Path, card: Card) -> Iterator[BufferedReader]:
    """The weights file of a model, opened at its beginning; its header fits the card.

    Raises:
        CheckpointError: it is missing, damaged, or does not fit.
    """
    path = folder / WEIGHTS
    try:
        architecture = fitting_architecture(card)
    except CheckpointError as error:
        raise fault(folder / CARD, error) from None
    with opened(path, MOST_BYTES, f"{WEIGHTS} is missing") as (file, size):
        try:
            check_weights(file, size, architecture, card.format)
        except CheckpointError as error:
            raise fault(path, error) from None
        file.seek(0)
        yield file


def read_tensors(folder: Path, card: Card) -> dict[str, NDArray[Any]]:
    """The tensors of a model; see `weights.tensors_of`.

    Raises:
        CheckpointError: they are missing, damaged, do not fit the card, or are not those that
            the card was written for.
    """
    with _weights(folder, card) as file:
        data = file.read(MOST_BYTES + 1)
    _check_sum(folder / WEIGHTS, card, hashlib.sha256(data).hexdigest())
    return tensors_of(data)


def _check_sum(path: Path, card: Card, found: str) -> None:
    if found != card.weights.get("sha256", found):
        raise fault(
            path,
            "damaged or cut short, or the weights of another model (their SHA-256 is not "
            f"the one in {CARD}): copy both files anew from where they were made",
        )


def save_model(folder: Path, card: Card, network: Network, *, half: bool) -> Card:
    """Writes a network as it was trained, and its card: format 1, but what only counts has 2.

    Args:
        half: whether the floats have 16 bits. Integers stay integers.

    Returns:
        The card as written, with the weights' dtype and checksum.
    """
    import torch
    from safetensors.torch import save

    if isinstance(network, torch.nn.Module):
        dtype = torch.float16 if half else torch.float32
        tensors = {k: v.detach().cpu().to(dtype) for k, v in network.state_dict().items()}
        known, number = str(dtype).removeprefix("torch."), FLOATS
    else:
        tensors = {k: torch.from_numpy(v) for k, v in network.counts.tables.items()}
        known, number = "integers", SERVED
    parameters = sum(v.numel() for v in tensors.values())
    return _write(folder, card, number, save(tensors), dtype=known, parameters=parameters)


def save_quantised(folder: Path, card: Card, network: QuantisedNetwork) -> Card:
    """Writes a network as it is served, and its card: format 2. Without torch.

    Args:
        card: of the folder that the network was read from.

    Returns:
        The card as written, with the weights' checksum and, as `trained`, that of the floats.
    """
    from safetensors.numpy import save

    known = {"dtype": "int8", "parameters": network.architecture.parameters}
    was = card.weights
    trained = {k: was[k] for k in ("dtype", "sha256") if k in was}
    if card.format == SERVED:
        trained = was.get("trained", {})
    if trained:
        known["trained"] = trained
    return _write(folder, card, SERVED, save(to_tensors(network)), **known)


def copy_model(folder: Path, to: Path) -> None:
    """Copies a model's two files.

    Raises:
        CheckpointError: they cannot be written.
    """
    for name in (WEIGHTS, CARD):
        write_whole(to / name, (folder / name).read_bytes())


def _write(folder: Path, card: Card, number: int, data: bytes, **facts: Any) -> Card:
    write_whole(folder / WEIGHTS, data)
    weights = {**facts, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    written = replace(card, format=number, weights=weights)
    write_card(folder, written)
    return written


def load_network(folder: Path, card: Card) -> Network:
    """The network of a model folder, in 32-bit floats on the CPU.

    Of format 2 it has the 8-bit weights as floats, not those that were trained.

    Raises:
        CheckpointError: the weights are missing, damaged, another model's, or do not fit the
            card.
    """
    import torch

    from stream_rnn.nets.baselines import Baseline
    from stream_rnn.nets.network import RecurrentNetwork

    architecture = fitting_architecture(card)
    if isinstance(architecture, CountingArchitecture):
        return Baseline(load_counting(folder, card))
    if card.format == SERVED:
        weights = dequantised(load_quantised(folder, card))
    else:
        with np.errstate(over="ignore"):  # infinity is refused below
            weights = {k: v.astype(np.float32) for k, v in read_tensors(folder, card).items()}
    with torch.device("meta"):  # initial weights for training take long to make
        network = RecurrentNetwork(architecture)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, assign=True)
    for name, tensor in network.state_dict().items():
        if not bool(tensor.isfinite().all()):
            raise fault(folder / WEIGHTS, f"{name} has values that are NaN or infinite")
    return network.eval()


def load_quantised(folder: Path, card: Card) -> QuantisedNetwork:
    """The network of a model folder as it is served, without torch; of format 1, converted.

    Raises:
        CheckpointError: the weights are missing, damaged, another model's, do not fit the card,
            or are those of a counting network, which has no such form.
    """
    tensors = read_tensors(folder, card)  # which checks the card's architecture, too
    architecture = fitting_architecture(card)
    if not isinstance(architecture, Architecture):
        raise fault(folder, f"counts ({architecture.cell}); it has no 8-bit weights")
    try:
        if card.format == SERVED:
            return from_tensors(architecture, tensors)
        return quantise(architecture, tensors)
    except CheckpointError as error:
        raise fault(folder / WEIGHTS, error) from None


def load_counting(folder: Path, card: Card) -> CountingNetwork:
    """The counting network of a model folder, without torch.

    Raises:
        CheckpointError: the weights are missing, damaged, another model's, do not fit the card,
            or are those of a recurrent network.
    """
    tensors = read_tensors(folder, card)
    architecture = fitting_architecture(card)
    if not isinstance(architecture, CountingArchitecture):
        raise fault(folder, f"is no counting network ({architecture.cell})")
    try:
        return counting_network(architecture, tensors)
    except CheckpointError as error:
        raise fault(folder / WEIGHTS, f"does not fit the card: {error}") from None
