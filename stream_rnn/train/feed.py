"""Documents dealt out as chunks for truncated back-propagation."""

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
    """One step's work: inputs, what follows each, and where there is something to learn."""

    inputs: NDArray[Any]  # [rows, time] or [rows, time, 88]
    targets: NDArray[Any]  # the same
    mask: NDArray[np.float32]  # [rows, time]
    artists: NDArray[np.int64]  # [rows, time]
    restart: NDArray[np.bool_]  # [rows]: begin from a zero state


class Feed:
    """Deals documents to rows, chunk by chunk, for ever; each epoch in a new order.

    A document is read from the boundary before it to the boundary that ends it, or, if it
    does not end, to its last symbol. A share
    `restart` of the documents begins a chunk with a zero state, as a session does that is
    opened (what is left of the chunk before is masked); the others follow on with the state
    that the document before left, as they do in a stream that runs for ever.

    Args:
        documents: what to deal out.
        boundary: the symbol between them.
        rows: how many are read side by side.
        chunk: symbols in a chunk.
        seed: of all that is left to chance.
        restart: see above.
        augment: makes each document that is dealt of the one in the corpus.
        deals: about how many there will be in the run.
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
        self.lanes = [(deal, 0) for deal in range(rows)]  # (which deal, how much of it is read)

    def state(self) -> dict[str, Any]:
        """Where it is, for `restore`."""
        return {"dealt": self.dealt, "lanes": [list(lane) for lane in self.lanes]}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a `state`."""
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
        """The boundary, the document's symbols, the boundary that ends it; and its artist."""
        if deal not in self._cache:
            document, edge = self._deal(deal), self._boundary[None]
            parts = [edge, document.symbols, *([edge] if document.ends else [])]
            framed = np.concatenate(parts).astype(document.symbols.dtype)
            self._cache[deal] = (framed, document.artist)
        return self._cache[deal]
