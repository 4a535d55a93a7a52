"""Scores a network: negative log-likelihood in nats a symbol, each document from a zero state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from stream_rnn.codecs.base import Codec
from stream_rnn.nets.architecture import Architecture, CountingArchitecture
from stream_rnn.nets.network import State
from stream_rnn.nets.quantised import QuantisedNetwork
from stream_rnn.train.corpus import Document

ROWS = 64
TIME = 256


class JointHead(Protocol):
    """Makes logits of a network's outputs, and of the frames that they foretell."""

    def logits(self, outputs: Tensor, chords: Tensor) -> Tensor:
        """See `nets.heads.Chords`."""
        ...


class Scored(Protocol):
    """What can be scored: a network as it is trained, what only counts, or what is served."""

    @property
    def architecture(self) -> Architecture | CountingArchitecture: ...

    @property
    def chords(self) -> JointHead | None: ...

    def eval(self) -> object:
        """Ends training: nothing is dropped."""
        ...

    def zero_state(self, rows: int) -> State:
        """See `RecurrentNetwork`."""
        ...

    def __call__(self, symbols: Tensor, artists: Tensor, state: State) -> tuple[Tensor, State]:
        """See `RecurrentNetwork.forward`."""
        ...


Serve = Callable[[QuantisedNetwork], Scored]
"""Makes of a network what can be scored as it is served: the engine knows how."""


@dataclass(frozen=True)
class Score:
    """`nll` is the mean over `symbols` symbols of all documents, in nats.

    Attributes:
        nll_after_first: for rolls, the mean over all frames but the first of each piece. Bai,
            Kolter and Koltun (2018) leave that one out, since their networks begin with it.
    """

    nll: float
    symbols: int
    nll_after_first: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The score as a card has it, under the split's name."""
        facts: dict[str, Any] = {"nll": round(self.nll, 4), "symbols": self.symbols}
        if self.nll_after_first is not None:
            facts["nll_after_first"] = round(self.nll_after_first, 4)
        return facts


def boundary_of(codec: Codec) -> np.ndarray:
    """The begin-and-end symbol as an array element: `[]` or `[88]`."""
    element: np.ndarray = codec.unpack(codec.boundary.to_bytes(codec.width, "little"))[0]
    return np.asarray(element)


def symbol_losses(network: Scored, outputs: Tensor, targets: Tensor) -> Tensor:
    """Nats of each symbol, `[rows, time]`; for keys, the sum over the 88.

    Args:
        outputs: the network's, `[rows, time, outputs]`.
        targets: `[rows, time]` indices or `[rows, time, 88]` keys.
    """
    if network.architecture.head == "categorical":
        return functional.cross_entropy(outputs.transpose(1, 2), targets.long(), reduction="none")
    logits = network.chords.logits(outputs, targets) if network.chords else outputs
    losses = functional.binary_cross_entropy_with_logits(logits, targets.float(), reduction="none")
    return losses.sum(2)


def artist_vectors(network: Scored, artists: Tensor) -> Tensor:
    """One-hot artist vectors `[..., artists]` of indices `[...]`; below 0, an even blend of all."""
    count = network.architecture.artists
    if not count:
        return torch.zeros(*artists.shape, 0)
    told = functional.one_hot(artists.clamp(min=0), count).float()
    return torch.where(artists[..., None] < 0, 1 / count, told)


@torch.no_grad()
def evaluate(
    network: Scored,
    documents: Sequence[Document],
    codec: Codec,
    *,
    progress: Callable[[int], None] = lambda symbols: None,
) -> Score:
    """Scores documents; every symbol counts, including the first.

    The begin-and-end symbol after a document counts, too, since the network has to predict it;
    a document that does not end, such as a part of a book, has none. In rolls it does not count,
    as in the published scores. Some of those also leave out the first frame of each piece, so
    rolls get a second score without it.

    Args:
        progress: called with the number of symbols done since the last call.
    """
    network.eval()
    device = network.zero_state(1).hidden.device
    boundary = boundary_of(codec)
    categorical = codec.head == "categorical"
    by_length = sorted((d for d in documents if len(d.symbols)), key=lambda d: len(d.symbols))
    total, count = 0.0, 0
    opening, opened = 0.0, 0  # the same of first symbols only
    for first in range(0, len(by_length), ROWS):
        group = by_length[first : first + ROWS]
        longest = len(group[-1].symbols) + categorical
        padded = np.zeros((len(group), longest + 1, *boundary.shape), group[0].symbols.dtype)
        mask = np.zeros((len(group), longest), np.float32)
        padded[:, 0] = boundary
        for row, document in enumerate(group):
            length, ending = len(document.symbols), categorical and document.ends
            padded[row, 1 : length + 1] = document.symbols
            if ending:
                padded[row, length + 1] = boundary
            mask[row, : length + ending] = 1.0
        symbols = torch.from_numpy(padded.astype(np.int64 if categorical else np.uint8)).to(device)
        artists = artist_vectors(network, torch.tensor([d.artist for d in group])).to(device)
        state: State = network.zero_state(len(group))
        for start in range(0, longest, TIME):
            stop = min(start + TIME, longest)
            outputs, state = network(symbols[:, start:stop], artists, state)
            losses = symbol_losses(network, outputs, symbols[:, start + 1 : stop + 1]).cpu()
            part = torch.from_numpy(mask[:, start:stop])
            total += float((losses * part).double().sum())
            count += int(part.sum())
            if start == 0:
                opening += float(losses[:, 0].double().sum())
                opened += len(group)
            progress(int(part.sum()))
    left = count - opened
    after = (total - opening) / left if left and not categorical else None
    return Score(total / count, count, after)
