"""Many-to-one training: from each window of symbols only the symbol after it is predicted.

Introductory courses train like this. Each window begins from a zero state and costs as much as a
chunk of its length, but teaches one symbol instead of all of them. It is here for comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.train.corpus import Document
from stream_rnn.train.feed import Chunk


class WindowFeed:
    """Deals windows from random places in the documents, without end.

    A window stays within its document; before the front of the document it is filled with
    begin-and-end symbols.
    """

    def __init__(
        self,
        documents: list[Document],
        boundary: NDArray[Any],
        *,
        rows: int,
        window: int,
        seed: int,
    ) -> None:
        edge = np.repeat(boundary[None], window, axis=0)
        framed = [
            np.concatenate([edge, d.symbols, *([boundary[None]] if d.ends else [])])
            for d in documents
            if len(d.symbols)
        ]
        self._text = np.concatenate(framed).astype(documents[0].symbols.dtype)
        # Where windows may begin: each is followed by a symbol of its own document.
        lengths = [len(f) for f in framed]
        begins = np.cumsum([0, *lengths[:-1]])
        self._starts = np.concatenate(
            [
                begin + np.arange(length - window)
                for begin, length in zip(begins, lengths, strict=True)
            ]
        )
        self._artists = np.repeat([d.artist for d in documents if len(d.symbols)],
                                  [length - window for length in lengths])  # fmt: skip
        self._rows, self._window, self._seed = rows, window, seed
        self.dealt = 0

    def state(self) -> dict[str, Any]:
        """How far it has dealt, for `restore`."""
        return {"dealt": self.dealt}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state`."""
        self.dealt = state["dealt"]

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        dice = np.random.default_rng((self._seed, 3, self.dealt))
        self.dealt += 1
        chosen = dice.integers(len(self._starts), size=self._rows)
        places = self._starts[chosen][:, None] + np.arange(self._window + 1)
        texts = self._text[places]  # [rows, window + 1, ...]
        mask = np.zeros((self._rows, self._window), np.float32)
        mask[:, -1] = 1.0
        artists = np.repeat(self._artists[chosen][:, None], self._window, axis=1).astype(np.int64)
        return Chunk(texts[:, :-1], texts[:, 1:], mask, artists, np.ones(self._rows, np.bool_))
