"""Deals documents out as chunks for truncated back-propagation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.train.augment import Augment
from stream_rnn.train.corpus import Document
from stream_rnn.train.stretches import Stretch, Stretches

ANYONE = -1  # instead of an artist's index: an even blend of all


@dataclass(frozen=True)
class Chunk:
    """The data of one step: inputs, the symbol after each, and a mask of those that count."""

    inputs: NDArray[Any]  # [rows, time] or [rows, time, 88]
    targets: NDArray[Any]  # the same shape
    mask: NDArray[np.float32]  # [rows, time]
    artists: NDArray[np.int64]  # [rows, time]: indices, or `ANYONE`
    restart: NDArray[np.bool_]  # [rows]: begin from a zero state


class Feed:
    """Deals documents to rows, chunk by chunk and without end, each epoch in a new order.

    A document is read from the begin-and-end symbol before it to the one that ends it or, if it
    does not end, to its last symbol. A share `restart` of the documents begins a new chunk with a
    zero state, as in a session that is opened; the rest of the chunk before is masked. The other
    documents go on with the state after the document before, as in a stream that never stops.

    A document that is longer than a row's share of the corpus is dealt in stretches, cut elsewhere
    in each epoch. So no two rows read the same. Each stretch begins as a session does, with the
    begin-and-end symbol and a zero state.

    Args:
        documents: the documents to deal.
        boundary: the begin-and-end symbol between them.
        rows: how many are read side by side.
        chunk: symbols in a chunk.
        seed: of all random choices.
        restart: see above.
        augment: changes a document each time it is dealt.
        epochs: how often the run will deal all documents.
        whole: do not cut long documents: `augment` makes passages of them.
        newline: the symbol of a line break; stretches begin after one.
        anyone: share of the documents that are dealt without their artist.
    """

    def __init__(
        self,
        documents: list[Document],
        boundary: NDArray[Any],
        *,
        rows: int,
        chunk: int,
        seed: int,
        restart: float,
        augment: Augment | None = None,
        epochs: float = 1.0,
        whole: bool = False,
        newline: int | None = None,
        anyone: float = 0.0,
    ) -> None:
        self._documents = [d for d in documents if len(d.symbols)]
        self._boundary = boundary
        self._chunk, self._seed = chunk, seed
        self._restart, self._augment = restart, augment
        self._anyone = anyone
        self._stretches = Stretches(
            self._documents, rows=1 if whole else rows, chunk=chunk, seed=seed, newline=newline
        )
        self._deals = max(1, round(epochs * len(self._stretches)))
        self._cache: dict[int, tuple[NDArray[Any], int]] = {}
        self.dealt = rows
        self.lanes = [(deal, 0) for deal in range(rows)]  # (which deal, symbols read of it)

    def state(self) -> dict[str, Any]:
        """How far it has dealt, for `restore`."""
        return {"dealt": self.dealt, "lanes": [list(lane) for lane in self.lanes]}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state`."""
        self.dealt = state["dealt"]
        self.lanes = [(deal, offset) for deal, offset in state["lanes"]]
        self._cache.clear()

    def _deal(self, deal: int) -> Document:
        stretch = self._stretches.stretch(deal)
        document = self._documents[stretch.document]
        if not self._is_whole(stretch):
            ends = document.ends and stretch.stop == len(document.symbols)
            part = document.symbols[stretch.start : stretch.stop]
            document = Document(part, document.artist, ends)
        if self._augment:
            dice = np.random.default_rng((self._seed, 1, deal))
            document = self._augment(document, dice, min(1.0, deal / self._deals))
        if self._anyone and np.random.default_rng((self._seed, 4, deal)).random() < self._anyone:
            document = Document(document.symbols, ANYONE, document.ends)
        return document

    def _is_whole(self, stretch: Stretch) -> bool:
        length = len(self._documents[stretch.document].symbols)
        return stretch.start == 0 and stretch.stop == length

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        rows, time, shape = len(self.lanes), self._chunk, self._boundary.shape
        inputs = np.zeros((rows, time, *shape), self._documents[0].symbols.dtype)
        targets = np.zeros_like(inputs)
        mask = np.zeros((rows, time), np.float32)
        artists = np.zeros((rows, time), np.int64)
        restart = np.zeros(rows, np.bool_)
        for row, (deal, read) in enumerate(self.lanes):
            restart[row] = read == 0 and self._restarts(deal)
            filled = 0
            while filled < time and not (filled and read == 0 and self._restarts(deal)):
                framed, artist = self._framed(deal)
                count = min(time - filled, len(framed) - 1 - read)
                here = slice(filled, filled + count)
                inputs[row, here] = framed[read : read + count]
                targets[row, here] = framed[read + 1 : read + 1 + count]
                mask[row, here] = 1.0
                artists[row, here] = artist
                filled, read = filled + count, read + count
                if read == len(framed) - 1:
                    del self._cache[deal]
                    deal, read = self.dealt, 0
                    self.dealt += 1
            self.lanes[row] = (deal, read)
        return Chunk(inputs, targets, mask, artists, restart)

    def _restarts(self, deal: int) -> bool:
        if deal < len(self.lanes) or self._stretches.stretch(deal).start:
            return True
        return bool(np.random.default_rng((self._seed, 2, deal)).random() < self._restart)

    def _framed(self, deal: int) -> tuple[NDArray[Any], int]:
        """A document's symbols with its begin-and-end symbols, and its artist."""
        if deal not in self._cache:
            document, edge = self._deal(deal), self._boundary[None]
            parts = [edge, document.symbols, *([edge] if document.ends else [])]
            framed = np.concatenate(parts).astype(document.symbols.dtype)
            self._cache[deal] = (framed, document.artist)
        return self._cache[deal]
