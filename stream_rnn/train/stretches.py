"""Cuts documents that are too long for one row into stretches, elsewhere in each epoch.

Rows are read side by side. Where a corpus has fewer documents than rows, whole documents would be
dealt to several rows at once, and the rows would learn the same text in lockstep.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rnn.train.corpus import Document

GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, modulo 1, keep apart from one another


class Stretch(NamedTuple):
    """A part of a document, or all of it: symbols from `start` to before `stop`."""

    document: int
    start: int
    stop: int


class Stretches:
    """All documents of a corpus as stretches that are no longer than a row's share of it.

    Each epoch has equally many. A stretch begins after a blank line or a line break, if one is
    near, so that a network learns to begin a session with any paragraph.

    Args:
        documents: the corpus; none is empty.
        rows: how many are read side by side.
        chunk: symbols that a row reads in a step; a stretch is not cut to less.
        seed: of all random choices.
        newline: the symbol of a line break, if there is one.
    """

    def __init__(
        self,
        documents: Sequence[Document],
        *,
        rows: int,
        chunk: int,
        seed: int,
        newline: int | None,
    ) -> None:
        total = sum(len(d.symbols) for d in documents)
        share = max(chunk, math.ceil(total / rows))
        self._documents, self._seed = documents, seed
        # If one epoch does not fill the rows, two may begin near the same paragraph.
        self._newline = newline if share > chunk else None
        self._cuts = [
            math.ceil(len(d.symbols) / share) if len(d.symbols) > share else 0 for d in documents
        ]
        self._epoch = -1
        self._order: list[Stretch] = []

    def __len__(self) -> int:
        return len(self._documents) + sum(self._cuts)

    def stretch(self, place: int) -> Stretch:
        """The stretch that is dealt as number `place`, counted through all epochs."""
        epoch, within = divmod(place, len(self))
        if epoch != self._epoch:
            found = [s for i in range(len(self._documents)) for s in self._stretches(i, epoch)]
            shuffled = np.random.default_rng((self._seed, epoch)).permutation(len(found))
            self._order, self._epoch = [found[i] for i in shuffled], epoch
        return self._order[within]

    def _stretches(self, document: int, epoch: int) -> list[Stretch]:
        symbols, cuts = self._documents[document].symbols, self._cuts[document]
        if not cuts:
            return [Stretch(document, 0, len(symbols))]
        length = len(symbols) / cuts
        first = float(np.random.default_rng((self._seed, 5, document)).random())
        shift = 1 + (first + epoch * GOLDEN) % 1.0 * (length - 1)
        starts = [int(shift + length * i) for i in range(cuts)]
        near = int(length) // 4
        starts = [next_paragraph(symbols, start, near, self._newline) for start in starts]
        ends = [0, *starts, len(symbols)]
        return [Stretch(document, *pair) for pair in zip(ends, ends[1:], strict=False)]


def next_paragraph(symbols: NDArray[Any], start: int, near: int, newline: int | None) -> int:
    """The beginning of the next paragraph or else of the next line, or `start` if none is near."""
    if newline is None:
        return start
    ahead = symbols[start : start + near] == newline
    blank = np.flatnonzero(ahead[:-1] & ahead[1:])
    line = np.flatnonzero(ahead[:-1])
    if len(blank):
        return start + int(blank[0]) + 2
    return start + int(line[0]) + 1 if len(line) else start
