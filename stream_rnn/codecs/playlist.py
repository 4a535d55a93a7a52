"""Any sequence of names as symbols, such as songs, places or games: each name is a symbol.

Index 0 is the begin-and-end symbol, which separates sessions. Index 1 stands for a name that is
not in the vocabulary: it may be fed, but is never drawn.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stream_rnn import schema
from stream_rnn.codecs.base import CategoricalCodec
from stream_rnn.codecs.files import read_utf8
from stream_rnn.errors import CheckpointError, DataError

UNKNOWN = "…"
MAX_NAMES = 20_000
_FIELDS = schema.table(
    {"names": schema.items(schema.line(500, least=1), MAX_NAMES, least=1, unique=True)},
    {"domain": schema.ANYTHING},
)


class PlaylistCodec(CategoricalCodec):
    """Names to indices and back.

    Args:
        names: the vocabulary after the two special entries, in index order.

    Raises:
        CheckpointError: a name appears twice, is empty, or has a line break or needless spaces
            in it.
    """

    domain = "playlist"
    endings: tuple[str, ...] = (".txt",)
    printable = True
    suppressed: tuple[int, ...] = (1,)
    letters = 500

    def __init__(self, names: Iterable[str]) -> None:
        self.vocabulary = ("", UNKNOWN, *names)
        self._index = {name: i for i, name in enumerate(self.vocabulary)}
        if any(name != _plain(name) for name in self.vocabulary) or len(self._index) != len(
            self.vocabulary
        ):
            raise CheckpointError("a playlist's names must be single lines, each once")
        if len(self.vocabulary) > MAX_NAMES + 2:
            raise CheckpointError(f"more than {MAX_NAMES} names")
        self.size = len(self.vocabulary)

    @classmethod
    def learn(cls, lists: Iterable[Iterable[str]], *, least: int) -> PlaylistCodec:
        """The codec for some lists, without the names that occur fewer than `least` times.

        Raises:
            DataError: nothing is left to learn from, or too much.
        """
        counts: Counter[str] = Counter()
        for names in lists:
            counts.update(names)
        kept = sorted(name for name, n in counts.items() if n >= least and name != UNKNOWN)
        if not kept:
            raise DataError(f"no name occurs {least} times or more in the training lists")
        if len(kept) > MAX_NAMES:
            raise DataError(f"{len(kept)} names; at most {MAX_NAMES}: raise data.least")
        return cls(kept)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PlaylistCodec:
        """The codec that `to_json` described."""
        _FIELDS.check(data, "codec")
        return cls(data["names"])

    def to_json(self) -> dict[str, Any]:
        return {"domain": self.domain, "names": list(self.vocabulary[2:])}

    def encode(self, names: Iterable[str]) -> list[int]:
        """Indices of names; unknown ones are 1."""
        return [self._index.get(name, 1) for name in names]

    def decode(self, symbols: Iterable[int]) -> list[str]:
        """The names of some symbols; the begin-and-end symbol is the empty name."""
        return [self.vocabulary[s] for s in symbols]

    def parse(self, value: object) -> list[int]:
        if isinstance(value, str):
            value = value.split("\n")
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise DataError("a playlist model takes a list of names, or a text with a name a line")
        return self.encode(name for name in map(_plain, value) if name)

    def event(self, symbol: int) -> dict[str, Any]:
        name = self.vocabulary[symbol]
        return {"text": name + "\n", "event": {"name": name} if name else {"end": 1}}

    def show(self, symbols: Sequence[int]) -> str:
        return "\n".join(self.decode(symbols))

    def read_prime(self, prime: str | Path) -> list[int]:
        path = Path(prime)
        if not isinstance(prime, Path) and path.suffix not in self.endings:
            return self.parse(prime)
        # A blank line ends a session, as in the training file and in the files of `write_file`.
        sessions = map(self.parse, re.split(r"\n\s*\n", read_utf8(path)))
        return [
            symbol
            for i, session in enumerate(s for s in sessions if s)
            for symbol in ([self.boundary] if i else []) + session
        ]

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        path.write_text(self.show(symbols) + "\n", encoding="utf-8")


def _plain(name: str) -> str:
    """A name as the vocabulary has it: on one line, with single spaces."""
    return " ".join(name.split())
