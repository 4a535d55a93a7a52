"""Folk tunes as symbols: the tokens of ABC notation.

After Sturm, Santos, Ben-Tal and Korshunova (2016, arXiv 1604.08723): a tune is its meter,
its key, and then bars, notes and lengths, a token each. Lengths are in eighths, whatever the
source's `L:` was. Grace notes, slurs, decorations and chord names are left out, and only the
highest note of a chord is kept. `abc_text` reads a text into tokens, `melody` plays them.

The tokens:

* `M:6/8` and `K:Gmaj` begin a tune; within a tune they have brackets. `M:none` is a free meter;
  `K:none`, `K:Hp`, `K:Dphr ^f` and `K:D exp _b ^f` are keys, too;
* `|`, `||`, `|:`, `:|`, `::` are bar lines, and `[1`, `[2` the endings after them;
* `^c'` or `B,` is a note, `z` a rest, and `2`, `/2`, `3/2` the length of the note before; an
  accidental holds for its letter in all octaves, to the bar line;
* `>`, `<` and `(3` change lengths, `-` ties a note to the next one, which has the same name.

Index 0 is the begin-and-end symbol, which separates tunes. A tune's tokens, written one after
another (see `text_of`), are ABC that other programs read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_rnn import schema
from stream_rnn.codecs.abc_text import tokenize
from stream_rnn.codecs.base import CategoricalCodec, Sound
from stream_rnn.codecs.files import read_utf8
from stream_rnn.codecs.melody import BARS, Tune, notes_of
from stream_rnn.codecs.performance import midi_from_notes
from stream_rnn.errors import CheckpointError, DataError

HEADER = "X:1\n{}\nL:1/8\n"
MAX_VOCABULARY = 1024
LONGEST = 40  # characters of a token, enough for a key with seven accidentals
_FIELDS = schema.table(
    {
        "tokens": schema.items(
            schema.line(LONGEST, least=1), MAX_VOCABULARY - 1, least=1, unique=True
        )
    },
    {"domain": schema.ANYTHING},
)

# Header fields as people write them before a prime's notes, all on one line.
_INLINE_FIELD = re.compile(
    r"(?<![\[\w])(M:[ \t]*\S+|L:[ \t]*\S+"
    r"|K:[ \t]*(?:HP|none|[A-G][#b]?(?:[ \t]*exp(?:[ \t]*(?:\^{1,2}|_{1,2}|=)[a-g])+"
    r"|[ \t]*(?:maj|min|ion|aeo|mix|dor|lyd|phr|loc)[A-Za-z]*|m)?)(?!\w))",
    re.IGNORECASE,
)


class AbcCodec(CategoricalCodec):
    """ABC tokens to indices and back.

    Args:
        tokens: the vocabulary after the begin-and-end symbol, in index order.

    Raises:
        CheckpointError: a token appears twice, or is not an ABC token.
    """

    domain = "abc"
    endings: tuple[str, ...] = (".abc", ".mid")
    printable = True
    letters = 2

    def __init__(self, tokens: Iterable[str]) -> None:
        self.vocabulary = ("", *tokens)
        self._index = {token: i for i, token in enumerate(self.vocabulary)}
        if len(self._index) != len(self.vocabulary):
            raise CheckpointError("an ABC token appears twice in the vocabulary")
        if len(self.vocabulary) > MAX_VOCABULARY:
            raise CheckpointError(f"more than {MAX_VOCABULARY} ABC tokens")
        note, _ = Tune().after("A")
        for token in self.vocabulary:
            try:
                note.after(token)
            except (ArithmeticError, LookupError, ValueError):
                raise CheckpointError(f"{token!r} is no ABC token") from None
        self.size = len(self.vocabulary)

    @classmethod
    def learn(cls, tunes: Iterable[Sequence[str]], *, least: int) -> AbcCodec:
        """The codec for some tunes, without the tokens that occur in fewer than `least` of them.

        Raises:
            DataError: nothing is left to learn from.
        """
        counts: Counter[str] = Counter()
        for tune in tunes:
            counts.update(set(tune))
        kept = sorted(token for token, n in counts.items() if n >= least)
        if not kept:
            raise DataError(f"no ABC token occurs in {least} tunes or more; is the corpus empty?")
        return cls(kept)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AbcCodec:
        """The codec that `to_json` described."""
        _FIELDS.check(data, "codec")
        return cls(data["tokens"])

    def to_json(self) -> dict[str, Any]:
        return {"domain": self.domain, "tokens": list(self.vocabulary[1:])}

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Indices of tokens.

        Raises:
            DataError: one is not in the vocabulary.
        """
        symbols = []
        for token in tokens:
            if token not in self._index:
                raise DataError(f"this model does not know the ABC token {token!r}")
            symbols.append(self._index[token])
        return symbols

    def decode(self, symbols: Iterable[int]) -> list[str]:
        """The tokens of some symbols; the begin-and-end symbol is the empty token."""
        return [self.vocabulary[s] for s in symbols]

    def parse(self, value: object) -> list[int]:
        if isinstance(value, list) and all(isinstance(t, str) for t in value):
            if all(t in self._index for t in value):
                return self.encode(t for t in value if t)
            value = " ".join(value)
        if not isinstance(value, str):
            raise DataError('this model takes ABC, such as "M:6/8\\nK:G\\nG2A B2c|"')
        if all(re.search(rf"^{field}:", value, re.MULTILINE) for field in "XMK"):
            return self.encode(tokenize(value, whole=True))
        return self.encode(tokenize(_INLINE_FIELD.sub(r"\n\1\n", value)))

    def event(self, symbol: int) -> dict[str, Any]:
        return {"text": text_of(self.vocabulary[symbol])}

    def reading(self) -> AbcReading:
        return AbcReading(self.vocabulary)

    def show(self, symbols: Sequence[int]) -> str:
        """ABC, with its tunes numbered."""
        tunes = "".join(text_of(t) for t in self.decode(symbols)).strip().split("X:1\n")
        numbered = [f"X:{n}\n{tune}" for n, tune in enumerate(tunes[1:], 1)]
        return "".join([tunes[0], *numbered])

    def read_prime(self, prime: str | Path) -> list[int]:
        return self.parse(read_utf8(prime).removesuffix("\n") if isinstance(prime, Path) else prime)

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        if path.suffix == ".mid":
            midi_from_notes(notes_of(self.decode(symbols), bpm), bpm=bpm).save(path)
        else:
            path.write_text(self.show(symbols) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class AbcReading:
    """How far ABC tokens have been read; a note begins to sound with the token that settles it."""

    vocabulary: tuple[str, ...]
    tune: Tune = Tune()

    def after(self, symbol: int) -> tuple[AbcReading, Sound | None]:
        tune, sound = self.tune.after(self.vocabulary[symbol])
        return AbcReading(self.vocabulary, tune), sound

    def unheard(self) -> AbcReading:
        return AbcReading(self.vocabulary, self.tune.unheard())


def text_of(token: str) -> str:
    """A token as it is written in a tune; a meter opens the header, the empty token ends a tune."""
    if not token:
        return "\n\n"
    if token.startswith("M:"):
        return HEADER.format(token)
    if token.startswith("K:"):
        return token + "\n"
    if token in BARS:
        return token + ("\n" if token in ("||", ":|", "::") else " ")
    return token
