"""Deals documents out as chunks for truncated back-propagation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.train.augment import Augment
from stream_rnn.train.corpus import Document


@dataclass(frozen=True)
class Chunk:
    """The data of one step: inputs, the symbol after each, and a mask of those that count."""

    inputs: NDArray[Any]  # [rows, time] or [rows, time, 88]
    targets: NDArray[Any]  # the same shape
    mask: NDArray[np.float32]  # [rows, time]
    artists: NDArray[np.int64]  # [rows, time]
    restart: NDArray[np.bool_]  # [rows]: begin from a zero state


class Feed:
    """Deals documents to rows, chunk by chunk and without end, each epoch in a new order.

    A document is read from the begin-and-end symbol before it to the one that ends it or, if it
    does not end, to its last symbol. A share `restart` of the documents begins a new chunk with a
    zero state, as in a session that is opened; the rest of the chunk before is masked. The other
    documents go on with the state after the document before, as in a stream that never stops.

    Args:
        documents: the documents to deal.
        boundary: the begin-and-end symbol between them.
        rows: how many are read side by side.
        chunk: symbols in a chunk.
        seed: of all random choices.
        restart: see above.
        augment: changes a document each time it is dealt.
        deals: about how many documents the run will deal.
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
        deals: int = 1,
    ) -> None:
        self._documents = [d for d in documents if len(d.symbols)]
        self._boundary = boundary
        self._chunk, self._seed = chunk, seed
        self._restart, self._augment = restart, augment
        self._deals = deals
        self._order: list[int] = []
        self._order_epoch = -1
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
        epoch, place = divmod(deal, len(self._documents))
        if epoch != self._order_epoch:
            shuffled = np.random.default_rng((self._seed, epoch)).permutation(len(self._documents))
            self._order, self._order_epoch = shuffled.tolist(), epoch
        document = self._documents[self._order[place]]
        if self._augment:
            dice = np.random.default_rng((self._seed, 1, deal))
            document = self._augment(document, dice, min(1.0, deal / self._deals))
        return document

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
        chance = np.random.default_rng((self._seed, 2, deal)).random()
        return deal < len(self.lanes) or bool(chance < self._restart)

    def _framed(self, deal: int) -> tuple[NDArray[Any], int]:
        """A document's symbols with its begin-and-end symbols, and its artist."""
        if deal not in self._cache:
            document, edge = self._deal(deal), self._boundary[None]
            parts = [edge, document.symbols, *([edge] if document.ends else [])]
            framed = np.concatenate(parts).astype(document.symbols.dtype)
            self._cache[deal] = (framed, document.artist)
        return self._cache[deal]
