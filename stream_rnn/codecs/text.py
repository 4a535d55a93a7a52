"""Text as symbols: one character a symbol, over a vocabulary learnt from the corpus.

Two entries come before the corpus's own characters:

* index 0, `BOUNDARY` (form feed), is the begin-and-end symbol. A stream begins with it in
  the network's input, and a network that draws it ends one text and begins another.
* index 1, `UNKNOWN` (U+FFFD), stands for every character that is not in the vocabulary.
  It may be fed, and rare characters of the corpus train it, but it is never drawn.

A character that is missing from the vocabulary is first looked for under a plainer
spelling (`é` as `e`, curly quotes as straight ones, an en dash as `-`), since that is
what a person who types it means.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stream_rnn import schema
from stream_rnn.codecs.base import CategoricalCodec
from stream_rnn.codecs.files import read_utf8
from stream_rnn.errors import CheckpointError, DataError

BOUNDARY = "\f"
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
MAX_VOCABULARY = 4096
REMEMBERED = 4096  # characters outside the vocabulary whose substitutes are cached
MARKS = 30  # on one letter, as in Unicode's stream-safe text: to normalise more takes long
_FIELDS = schema.table(
    {
        "characters": schema.Kind(
            f"a string of 1 to {MAX_VOCABULARY - 2} characters, each once, without form feed and "
            "U+FFFD",
            lambda value: (
                isinstance(value, str)
                and 1 <= len(value) <= MAX_VOCABULARY - 2
                and len({*value, BOUNDARY, UNKNOWN}) == len(value) + 2
            ),
        )
    },
    {"domain": schema.ANYTHING},
)

_PLAINER = {
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{HYPHEN}": "-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "--",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{LATIN SMALL LETTER AE}": "ae",
    "\N{LATIN CAPITAL LETTER AE}": "Ae",
    "\N{LATIN SMALL LIGATURE OE}": "oe",
    "\N{LATIN SMALL LETTER SHARP S}": "ss",
    "\t": " ",
}


class TextCodec(CategoricalCodec):
    """Characters to vocabulary indices and back.

    Args:
        characters: the vocabulary after the two special entries, in index order.

    Raises:
        CheckpointError: a character appears twice, or is not a single character.
    """

    domain = "text"
    endings: tuple[str, ...] = (".txt",)
    printable = True
    suppressed: tuple[int, ...] = (1,)
    letters = 4  # a character may be sent as a letter and separate marks

    def __init__(self, characters: Iterable[str]) -> None:
        self.vocabulary = (BOUNDARY, UNKNOWN, *characters)
        self._index = {character: i for i, character in enumerate(self.vocabulary)}
        self._nearest: dict[str, list[int]] = {}  # substitutes for other characters
        if len(self._index) != len(self.vocabulary) or any(len(c) != 1 for c in self.vocabulary):
            raise CheckpointError("the vocabulary must be single characters, each of them once")
        if len(self.vocabulary) > MAX_VOCABULARY:
            raise CheckpointError(f"the vocabulary has more than {MAX_VOCABULARY} characters")
        self.size = len(self.vocabulary)

    @classmethod
    def learn(cls, texts: Iterable[str], *, least: int = 10) -> TextCodec:
        """The codec of the characters that occur at least `least` times in `texts`.

        Raises:
            DataError: nothing is left to learn from.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        kept = sorted(c for c, n in counts.items() if n >= least and c not in (BOUNDARY, UNKNOWN))
        if not kept:
            raise DataError(
                f"no character occurs at least {least} times in the training texts; "
                "is the corpus empty?"
            )
        if len(kept) + 2 > MAX_VOCABULARY:
            often = sorted((counts[c] for c in kept), reverse=True)[MAX_VOCABULARY - 2] + 1
            raise DataError(
                f"{len(kept)} different characters occur at least {least} times in the training "
                f"texts, and at most {MAX_VOCABULARY - 2} can be known; set data.least to {often}"
            )
        return cls(kept)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TextCodec:
        """The codec that `to_json` described."""
        _FIELDS.check(data, "codec")
        return cls(data["characters"])

    def to_json(self) -> dict[str, Any]:
        return {"domain": self.domain, "characters": "".join(self.vocabulary[2:])}

    def encode(self, text: str) -> list[int]:
        """Indices of a text's characters; those without a substitute become `UNKNOWN`.

        The text is first composed (NFC), as the training texts are, so that a letter with an
        accent is one character, however a keyboard or a file writes it.
        """
        index = self._index
        symbols: list[int] = []
        for character in unicodedata.normalize("NFC", _unstacked(text)):
            known = index.get(character)
            symbols.extend((known,) if known is not None else self._approximate(character))
        return symbols

    def _approximate(self, character: str) -> list[int]:
        found = self._nearest.get(character)
        if found is None:
            if len(self._nearest) >= REMEMBERED:
                self._nearest.clear()
            found = self._nearest[character] = self._look_up(character)
        return found

    def _look_up(self, character: str) -> list[int]:
        plainer = _PLAINER.get(character)
        if plainer is None:
            decomposed = unicodedata.normalize("NFKD", character)
            plainer = "".join(c for c in decomposed if not unicodedata.combining(c))
        found = [self._index[c] for c in plainer if c in self._index]
        return found if found and len(found) == len(plainer) else [self._index[UNKNOWN]]

    def decode(self, symbols: Iterable[int]) -> str:
        """The text of some symbols."""
        return "".join(self.vocabulary[s] for s in symbols)

    def parse(self, value: object) -> list[int]:
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise DataError(
                    f"the text has half a surrogate pair at character {error.start}"
                ) from None
            return self.encode(value)
        if isinstance(value, list) and all(isinstance(c, str) for c in value):
            return self.parse("".join(value))
        raise DataError("a text model takes a string, or a list of strings")

    def event(self, symbol: int) -> dict[str, Any]:
        return {"text": self.vocabulary[symbol]}

    def show(self, symbols: Sequence[int]) -> str:
        return self.decode(symbols).replace(BOUNDARY, "\n\n\n")

    def read_prime(self, prime: str | Path) -> list[int]:
        return self.parse(read_utf8(prime).removesuffix("\n") if isinstance(prime, Path) else prime)

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        path.write_text(self.show(symbols) + "\n", encoding="utf-8")


def _unstacked(text: str) -> str:
    """The text without the marks that exceed `MARKS` on one letter; no script has so many."""
    if text.isascii():
        return text
    kept, stacked = [], 0
    for character in text:
        stacked = stacked + 1 if unicodedata.combining(character) else 0
        if stacked <= MARKS:
            kept.append(character)
    return "".join(kept)
