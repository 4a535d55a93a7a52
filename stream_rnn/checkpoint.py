"""A trained model on disk: one folder with `card.json` and `weights.safetensors`.

The card describes the model to people and to programs: architecture, codec, artists, data,
training, scores. Nothing else is needed to load it. `read_card` needs no torch and is for the
gateway; `load_network` is for the engine and for training.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from stream_rnn.card import Card as Card
from stream_rnn.card import fitting_architecture, parse_card
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import CountingArchitecture
from stream_rnn.nets.counting import CountingNetwork, counting_network
from stream_rnn.schema import one_line
from stream_rnn.weights import MOST_BYTES, check_weights

if TYPE_CHECKING:
    from stream_rnn.nets.baselines import Network

CARD = "card.json"
WEIGHTS = "weights.safetensors"
MOST_CARD = 2**22  # bytes; the largest cards are those with the names of a playlist


def read_card(folder: Path) -> Card:
    """The card of a model folder, checked whole.

    Raises:
        CheckpointError: no such folder or card, not JSON, or a field that does not fit; in one
            line, with the file, the field, what is wrong and what would be right.
    """
    path = folder / CARD
    with _opened(path, MOST_CARD, f"not a model folder (no {CARD} in it)") as (file, _):
        data = file.read(MOST_CARD + 1)
    try:
        return parse_card(data)
    except CheckpointError as error:
        raise _fault(path, error) from None


def _fault(path: Path, reason: object) -> CheckpointError:
    return CheckpointError(f"{one_line(str(path), 4096)}: {one_line(str(reason))}")


@contextlib.contextmanager
def _opened(path: Path, most: int, missing: str) -> Iterator[tuple[BufferedReader, int]]:
    """An open file, and how many bytes it has.

    Pipes and devices are not opened: to read from one may block, perhaps for ever.

    Args:
        most: bytes that the file may have.
        missing: the error about the folder if the file is missing.

    Raises:
        CheckpointError: it is no file, is too large, or cannot be read.
    """

    def size(found: os.stat_result) -> int:
        if not stat.S_ISREG(found.st_mode):
            raise _fault(path, "cannot be read (a folder, a pipe or a device; it must be a file)")
        if found.st_size > most:
            raise _fault(path, f"has {found.st_size:,} bytes; there may be {most:,}")
        return found.st_size

    try:
        size(path.stat())  # first, since opening a device may have effects
        with open(path, "rb", opener=_at_once) as file:
            yield file, size(os.fstat(file.fileno()))
    except FileNotFoundError:
        raise _fault(path.parent, missing) from None
    except OSError as error:
        raise _fault(path, f"cannot be read ({error.strerror})") from None


def _at_once(path: str, flags: int) -> int:
    """Opens a file; never waits for a writer, should it have become a pipe in the meantime."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def write_card(folder: Path, card: Card) -> None:
    """Writes a card, whole or not at all."""
    text = json.dumps(card.to_json(), indent=2, ensure_ascii=False)
    write_whole(folder / CARD, (text + "\n").encode())


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file, whole or not at all.

    Raises:
        CheckpointError: it cannot be written; the old file, if any, is unchanged.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # frees its part of a full disk
        raise CheckpointError(f"{path}: cannot be written ({error.strerror})") from None


def find_models(root: Path) -> dict[str, Path]:
    """Model folders directly under `root`, by name."""
    if not root.is_dir():
        return {}
    return {p.parent.name: p.parent for p in sorted(root.glob(f"*/{CARD}"))}


def read_models(folders: Mapping[str, Path]) -> tuple[dict[str, Card], list[CheckpointError]]:
    """The cards of the models that can be used, and what is wrong with each of the others.

    The weights files are checked against the cards, but not yet the weights' values, which takes
    torch.
    """
    cards: dict[str, Card] = {}
    faults = []
    for name, folder in folders.items():
        try:
            card = read_card(folder)
            with _weights(folder, card) as file:
                _check_sum(folder / WEIGHTS, card, hashlib.file_digest(file, "sha256").hexdigest())
        except CheckpointError as error:
            faults.append(error)
        else:
            cards[name] = card
    return cards, faults


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
        raise _fault(folder / CARD, error) from None
    with _opened(path, MOST_BYTES, f"{WEIGHTS} is missing") as (file, size):
        try:
            check_weights(file, size, architecture)
        except CheckpointError as error:
            raise _fault(path, error) from None
        file.seek(0)
        yield file


def read_weights(folder: Path, card: Card) -> bytes:
    """The weights file of a model.

    Raises:
        CheckpointError: it is missing, damaged, does not fit the card, or is not the one that
            the card was written for.
    """
    with _weights(folder, card) as file:
        data = file.read(MOST_BYTES + 1)
    _check_sum(folder / WEIGHTS, card, hashlib.sha256(data).hexdigest())
    return data


def _check_sum(path: Path, card: Card, found: str) -> None:
    if found != card.weights.get("sha256", found):
        raise _fault(
            path,
            "damaged or cut short, or the weights of another model (their SHA-256 is not "
            f"the one in {CARD}): copy both files anew from where they were made",
        )


def save_model(folder: Path, card: Card, network: Network, *, half: bool) -> Card:
    """Writes weights and card; the weights in 16-bit floats if `half`. Integers stay integers.

    Returns:
        The card as written, with the weights' dtype and checksum.
    """
    import torch
    from safetensors.torch import save

    if isinstance(network, torch.nn.Module):
        dtype = torch.float16 if half else torch.float32
        tensors = {k: v.detach().cpu().to(dtype) for k, v in network.state_dict().items()}
        known = str(dtype).removeprefix("torch.")
    else:
        tensors = {k: torch.from_numpy(v) for k, v in network.counts.tables.items()}
        known = "integers"
    data = save(tensors)
    write_whole(folder / WEIGHTS, data)
    weights = {
        "dtype": known,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "parameters": sum(v.numel() for v in tensors.values()),
    }
    written = Card(**{**vars(card), "weights": weights})
    write_card(folder, written)
    return written


def load_network(folder: Path, card: Card) -> Network:
    """The network of a model folder, in 32-bit floats on the CPU.

    Raises:
        CheckpointError: the weights are missing, damaged, another model's, or do not fit the
            card.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from stream_rnn.nets.baselines import Baseline
    from stream_rnn.nets.network import RecurrentNetwork

    path = folder / WEIGHTS
    architecture = fitting_architecture(card)
    if isinstance(architecture, CountingArchitecture):
        return Baseline(load_counting(folder, card))
    data = read_weights(folder, card)
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise _fault(path, f"damaged or cut short ({error})") from None
    try:
        with torch.device("meta"):  # initial weights for training take long to make
            network = RecurrentNetwork(architecture)
        weights = {name: tensor.float() for name, tensor in tensors.items()}
        network.load_state_dict(weights, assign=True)
    except (RuntimeError, CheckpointError) as error:
        raise _fault(path, f"does not fit the card: {error}") from None
    for name, tensor in network.state_dict().items():
        if not bool(tensor.isfinite().all()):
            raise _fault(path, f"{name} has values that are NaN or infinite")
    return network.eval()


def load_counting(folder: Path, card: Card) -> CountingNetwork:
    """The counting network of a model folder, without torch.

    Raises:
        CheckpointError: the weights are missing, damaged, another model's, do not fit the card,
            or are those of a recurrent network.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = folder / WEIGHTS
    data = read_weights(folder, card)  # which checks the card's architecture, too
    architecture = fitting_architecture(card)
    if not isinstance(architecture, CountingArchitecture):
        raise _fault(folder, f"is no counting network ({architecture.cell})")
    try:
        return counting_network(architecture, load(data))
    except SafetensorError as error:
        raise _fault(path, f"damaged or cut short ({error})") from None
    except CheckpointError as error:
        raise _fault(path, f"does not fit the card: {error}") from None
