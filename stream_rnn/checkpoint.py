"""A trained model on disk: one folder with `card.json` and `weights.safetensors`.

The card describes the model to people and to programs: architecture, codec, artists, data,
training, scores. Nothing else is needed to load it. `read_card` does without torch, for the
gateway; `load_network` is for the engine and for training.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.registry import codec_from_json
from stream_rnn.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from stream_rnn.nets.baselines import Network

CARD = "card.json"
WEIGHTS = "weights.safetensors"
FORMAT = 1


@dataclass(frozen=True)
class Card:
    """What a model says of itself.

    Attributes:
        name: the folder's name, by which clients open it.
        title: a line for people.
        codec: `Codec.to_json`.
        architecture: `Architecture.to_json`.
        artists: names, in the order of the network's artist inputs.
        defaults: the controls that a session starts with.
        primes: a few primes that a person might like to try.
        data: source, licence, split and sizes of the corpus.
        training: how it was trained: steps, seconds, hardware.
        scores: by split: `nll` in nats a symbol, `symbols`, and how it was measured.
        weights: dtype and SHA-256 of the weights file; a card without it takes any that fit.
    """

    name: str
    title: str
    codec: dict[str, Any]
    architecture: dict[str, Any]
    artists: tuple[str, ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)
    primes: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    weights: dict[str, Any] = field(default_factory=dict)

    def make_codec(self) -> Codec:
        """The codec of this model."""
        return codec_from_json(self.codec)


def read_card(folder: Path) -> Card:
    """The card of a model folder.

    Raises:
        CheckpointError: no such folder or card, not JSON, or a field that does not belong.
    """
    path = folder / CARD
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: not a model folder (no {CARD} in it)") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
        raise CheckpointError(f"{path}: not a card of format {FORMAT}")
    for name in ("artists", "primes", "notes"):
        names = data.get(name, [])
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise CheckpointError(f"{path}: {name} must be a list of strings")
        data[name] = tuple(names)
    try:
        card = Card(**data)
    except TypeError as error:
        raise CheckpointError(f"{path}: {error}") from None
    for name in ("codec", "architecture", "defaults", "data", "training", "scores", "weights"):
        if not isinstance(getattr(card, name), dict):
            raise CheckpointError(f"{path}: {name} must be an object")
    if twice := [n for i, n in enumerate(card.artists) if n in card.artists[:i]]:
        raise CheckpointError(f"{path}: the artist {twice[0]!r} stands twice in artists")
    for split in ("valid", "test"):
        score = card.scores.get(split, {})
        nll = score.get("nll", 0.0) if isinstance(score, dict) else None
        if not isinstance(nll, int | float) or isinstance(nll, bool):
            raise CheckpointError(f"{path}: scores.{split} must be an object whose nll is a number")
    card.make_codec()
    return card


def write_card(folder: Path, card: Card) -> None:
    """Writes a card, whole or not at all."""
    text = json.dumps({"format": FORMAT, **vars(card)}, indent=2, ensure_ascii=False)
    write_whole(folder / CARD, (text + "\n").encode())


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file, whole or not at all.

    Raises:
        CheckpointError: it cannot be written; what stood there stands there still.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # its part of a full disk
        raise CheckpointError(f"{path}: cannot be written ({error.strerror})") from None


def find_models(root: Path) -> dict[str, Path]:
    """Model folders directly under `root`, by name."""
    if not root.is_dir():
        return {}
    return {p.parent.name: p.parent for p in sorted(root.glob(f"*/{CARD}"))}


def read_models(folders: Mapping[str, Path]) -> tuple[dict[str, Card], list[CheckpointError]]:
    """The cards of those models that can be used, and what is wrong with each of the others.

    Whether weights are those of the card is looked at, and not yet whether they fit it, which
    takes torch.
    """
    cards: dict[str, Card] = {}
    faults = []
    for name, folder in folders.items():
        try:
            card = read_card(folder)
            read_weights(folder, card)
        except CheckpointError as error:
            faults.append(error)
        else:
            cards[name] = card
    return cards, faults


def read_weights(folder: Path, card: Card) -> bytes:
    """The weights file of a model.

    Raises:
        CheckpointError: it is missing, damaged, or not the one that the card was written for.
    """
    path = folder / WEIGHTS
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: {WEIGHTS} is missing") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    wanted = card.weights.get("sha256")
    if wanted is not None and hashlib.sha256(data).hexdigest() != wanted:
        raise CheckpointError(
            f"{path}: damaged or cut short, or the weights of another model (their SHA-256 is not "
            f"the one in {CARD}): copy both files anew from where they were made"
        )
    return data


def save_model(folder: Path, card: Card, network: Network, *, half: bool) -> Card:
    """Writes weights and card; the weights in 16-bit floats if `half`. Whole numbers stay so.

    Returns:
        The card as written, with the weights' dtype and checksum.
    """
    import torch
    from safetensors.torch import save

    dtype = torch.float16 if half else torch.float32
    tensors = {k: v.detach().cpu() for k, v in network.state_dict().items()}
    floats = {k: v.to(dtype) for k, v in tensors.items() if v.is_floating_point()}
    data = save(tensors | floats)
    write_whole(folder / WEIGHTS, data)
    weights = {
        "dtype": str(dtype).removeprefix("torch.") if floats else "integers",
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
    from safetensors import SafetensorError
    from safetensors.torch import load

    from stream_rnn.nets.baselines import BASELINES, CountingArchitecture, counting_network
    from stream_rnn.nets.heads import FITTING
    from stream_rnn.nets.network import Architecture, RecurrentNetwork

    counted = card.architecture.get("cell") in BASELINES
    kind = CountingArchitecture if counted else Architecture
    architecture = kind.from_json(card.architecture)
    codec = card.make_codec()
    described = (codec.size, codec.head, len(card.artists))
    fits = described[::2] == (architecture.symbols, architecture.artists)
    if not fits or architecture.head not in FITTING[codec.head]:
        raise CheckpointError(
            f"{folder / CARD}: codec and artists ({described[0]} symbols, {described[1]}, "
            f"{described[2]} artists) do not fit the architecture"
        )
    path = folder / WEIGHTS
    data = read_weights(folder, card)
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged or cut short ({error})") from None
    try:
        if isinstance(architecture, CountingArchitecture):
            return counting_network(architecture, tensors).eval()
        network = RecurrentNetwork(architecture)
        if misfit := _misfit(network.state_dict(), tensors):
            raise CheckpointError(misfit)
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (RuntimeError, CheckpointError) as error:
        reason = str(error).replace("\n", " ")
        raise CheckpointError(f"{path}: does not fit the card: {reason}") from None
    return network.eval()


def _misfit(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str | None:
    """The first tensor that is missing, of another shape, or one too many, in a few words."""
    for name, tensor in wanted.items():
        if name not in found:
            return f"{name} is missing"
        if found[name].shape != tensor.shape:
            return f"{name} is {list(found[name].shape)}, and should be {list(tensor.shape)}"
    return next((f"{name} is none of its tensors" for name in found if name not in wanted), None)
