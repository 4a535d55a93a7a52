"""The values of every cell of a network while it reads.

Cells are numbered through all layers from the lowest up: unit `u` of layer `l` is
`l * hidden + u`. Networks are stepped one symbol at a time here (`nets/cells.py`), since torch's
fused kernels keep only the last cell state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream_rnn.codecs.base import Codec
from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.network import RecurrentNetwork, State
from stream_rnn.train.corpus import Document
from stream_rnn.train.evaluate import artist_vectors, boundary_of

ROWS = 64
BYTES = 200_000_000  # of activations in memory at a time

Floats = NDArray[np.float32]
Progress = Callable[[int], object]


def cell_count(network: RecurrentNetwork) -> int:
    """How many cells there are in all layers."""
    return network.architecture.layers * network.architecture.hidden


@torch.no_grad()
def activations(
    network: RecurrentNetwork,
    codec: Codec,
    documents: Sequence[Document],
    *,
    artists: Sequence[float] | None = None,
    progress: Progress = lambda symbols: None,
) -> Iterator[tuple[Document, Floats]]:
    """The cells' values after each symbol of each document, read from a zero state.

    Args:
        documents: the documents to read; they come back longest first.
        artists: a blend `[artists]` for all documents; None: each document's own artist.
        progress: called with the number of symbols read since the last call.

    Yields:
        A document, and `[length, cells]` from -1 to 1: the tanh of the cell state, or the hidden
        state of networks that have no cell state.
    """
    for group, inputs, blends in _groups(network, codec, documents, artists):
        held = np.empty((inputs.shape[1], len(group), cell_count(network)), np.float32)
        for time, state in enumerate(_steps(network, inputs, blends)):
            shown = state.cell.tanh() if state.cell.shape[2] else state.hidden
            held[time] = shown.transpose(0, 1).flatten(1).numpy()
        for row, document in enumerate(group):
            progress(len(document.symbols))
            # The begin-and-end symbol is read first, so the document's symbols follow at 1.
            yield document, held[1 : len(document.symbols) + 1, row]


@torch.no_grad()
def final_states(
    network: RecurrentNetwork,
    codec: Codec,
    documents: Sequence[Document],
    *,
    artists: Sequence[float] | None = None,
    progress: Progress = lambda symbols: None,
) -> Floats:
    """The hidden state of all layers after the last symbol of each document.

    Args: see `activations`.

    Returns:
        `[documents, cells]`, in the order of the documents; zeros for one that is empty.
    """
    found = np.zeros((len(documents), cell_count(network)), np.float32)
    places: dict[int, list[int]] = {}  # a document may be listed twice
    for i, document in enumerate(documents):
        places.setdefault(id(document), []).append(i)
    for group, inputs, blends in _groups(network, codec, documents, artists):
        ends: dict[int, list[int]] = {}
        for row, document in enumerate(group):
            ends.setdefault(len(document.symbols), []).append(row)
        for time, state in enumerate(_steps(network, inputs, blends)):
            for row in ends.get(time, ()):
                found[places[id(group[row])]] = state.hidden[:, row].flatten().numpy()
                progress(len(group[row].symbols))
    return found


def _groups(
    network: RecurrentNetwork,
    codec: Codec,
    documents: Sequence[Document],
    artists: Sequence[float] | None,
) -> Iterator[tuple[list[Document], Tensor, Tensor]]:
    """Groups to be read side by side: documents, symbols `[rows, time, ...]`, `[rows, artists]`."""
    boundary = boundary_of(codec)
    wide: Any = np.int64 if codec.head == "categorical" else np.uint8
    left = sorted((d for d in documents if len(d.symbols)), key=lambda d: -len(d.symbols))
    while left:
        time = len(left[0].symbols) + 1
        rows = max(1, min(ROWS, BYTES // (4 * time * cell_count(network))))
        group, left = left[:rows], left[rows:]
        padded = np.zeros((len(group), time, *boundary.shape), wide)
        padded[:, 0] = boundary
        for row, document in enumerate(group):
            padded[row, 1 : len(document.symbols) + 1] = document.symbols
        blends = artist_vectors(network, torch.tensor([d.artist for d in group]))
        if artists is not None:
            blends = torch.tensor(artists, dtype=torch.float32).expand(len(group), -1)
        yield group, torch.from_numpy(padded), blends


def _steps(network: RecurrentNetwork, symbols: Tensor, blends: Tensor) -> Iterator[State]:
    """The state after each symbol of `[rows, time, ...]`."""
    a = network.architecture
    update = CELLS[a.cell].update
    layers = [network.layer_weights(layer) for layer in range(a.layers)]
    first, by_artist = layers[0].inputs[: a.symbols], layers[0].inputs[a.symbols :]
    constant = blends @ by_artist + layers[0].bias
    state = network.zero_state(len(symbols))
    for time in range(symbols.shape[1]):
        now = symbols[:, time]
        below = first[now] if a.head == "categorical" else now.float() @ first
        sums = below + constant
        hidden: list[Tensor] = []
        cell: list[Tensor] = []
        for layer, weights in enumerate(layers):
            if layer:
                sums = hidden[-1] @ weights.inputs + weights.bias
            before = state.hidden[layer]
            h, c = update(
                sums, before @ weights.recurrent, before, state.cell[layer], weights.parameters
            )
            hidden.append(h)
            cell.append(c)
        state = State(torch.stack(hidden), torch.stack(cell))
        yield state
