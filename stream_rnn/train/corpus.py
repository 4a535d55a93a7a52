"""Documents to train on, in sets.

A document is one song, one piece or one name. Sets are split by document, so that no song
is in two of them. A long text is one document in each set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec

TOLD = 100  # lines of a summary

Artists = tuple[str, ...] | None
"""The artists of a trained model, in the order of its inputs; None if there is no such model."""


@dataclass(frozen=True)
class Document:
    """Symbols `[length]` or keys `[length, 88]`, and an index into the artists.

    Attributes:
        symbols: those without the begin-and-end symbols.
        artist: the index of its artist.
        ends: whether a begin-and-end symbol follows; not if it is a part of something longer.
    """

    symbols: NDArray[Any]
    artist: int = 0
    ends: bool = True

    def pieces(self, longest: int) -> list[Document]:
        """The document in stretches of at most so many symbols; itself if it is no longer."""
        if len(self.symbols) <= longest:
            return [self]
        starts = range(0, len(self.symbols), longest)
        last = starts[-1]
        return [
            Document(self.symbols[i : i + longest], self.artist, self.ends and i == last)
            for i in starts
        ]


@dataclass(frozen=True)
class Corpus:
    """Documents by split, with what is needed to read them.

    Attributes:
        left_out: a line for each file, tune or row that could not be read: which, and why.
        remark: a remark on its sets, such as on near-duplicates; may be empty.
    """

    codec: Codec
    artists: tuple[str, ...]
    splits: dict[str, list[Document]]
    left_out: tuple[str, ...] = ()
    remark: str = ""

    def sizes(self) -> dict[str, dict[str, int]]:
        """Documents and symbols in each split, for the card."""
        return {
            name: {"documents": len(docs), "symbols": sum(len(d.symbols) for d in docs)}
            for name, docs in self.splits.items()
        }


def summary(left_out: Sequence[str]) -> str:
    """What was left out, for a person: how many there are, and a line for each."""
    lines = [f"left out: {len(left_out)}", *(f"  {line}" for line in left_out[:TOLD])]
    if len(left_out) > TOLD:
        lines.append(f"  and {len(left_out) - TOLD} more")
    return "\n".join(lines)
