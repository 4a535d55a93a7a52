"""What every codec offers: a domain's symbols, as numbers.

A *symbol* is a non-negative `int` everywhere outside the tensors: an index into a
vocabulary, or a set of keys as a bit mask. It has a fixed width in bytes for a codec,
so that a history is a flat `bytes`, and a message between processes carries a batch.
For the tensors a codec turns that same byte string into an array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_rnn import schema

STEPS_PER_BEAT = schema.whole(1, 96)
"""Symbols in a quarter note, where all last alike."""

LETTERS = 8

Head = Literal["categorical", "bernoulli"]
Symbols = NDArray[Any]


@dataclass(frozen=True)
class Sound:
    """A note that a stream spells out, or a rest.

    Attributes:
        pitch: MIDI, perhaps beyond its range; none for a rest.
        beats: its length, in quarter notes.
        ago: how many symbols back it was written.
    """

    pitch: int | None
    beats: float
    ago: int


class Reading(Protocol):
    """A stream in mid-reading, as a value."""

    def after(self, symbol: int) -> tuple[Reading, Sound | None]:
        """The same one symbol further, and what begins to sound with that symbol, if anything."""
        ...

    def unheard(self) -> Reading:
        """The same, if what was read last was fed, so that it does not sound."""
        ...


class Codec(Protocol):
    """Maps one domain to symbols and back.

    Attributes:
        domain: the name in cards and in the protocol, such as `text`.
        head: how the network's outputs are read: one of `size`, or each of `size`.
        size: how many inputs and outputs the network has for a symbol.
        width: bytes a symbol takes in a history.
        boundary: the symbol that stands before the first and after the last symbol of a
            document; the network reads it at position 0.
        suppressed: vocabulary indices that are never drawn.
        transitions: which symbol may follow which, `[size, size]`, where symbols take turns.
        endings: of the files that `write_file` makes, such as `.mid`; the usual one first.
        printable: whether `show` is what a person wants of it, or a mere look.
    """

    domain: str
    head: Head
    size: int
    width: int
    boundary: int
    suppressed: tuple[int, ...]
    transitions: NDArray[np.bool_] | None
    endings: tuple[str, ...]
    printable: bool

    def to_json(self) -> dict[str, Any]:
        """What a card has to hold for `from_json` to make this codec again."""
        ...

    def parse(self, value: object) -> list[int]:
        """Symbols of what a client sent (a prime or a feed).

        Raises:
            DataError: the value is not of this domain; the message says what is.
        """
        ...

    def event(self, symbol: int) -> dict[str, Any]:
        """The fields that a `symbol` message carries for this symbol.

        They are among those that `wire.events.Symbol` has: `text`, `notes` and `onsets`, or
        `event`, an object of the domain's own.
        """
        ...

    def seconds(self, symbol: int) -> float | None:
        """How long a symbol lasts in the stream, where that is its own affair.

        None where the session's rate says it: a character, a frame. 0.0 is at once with
        what follows, as a note-on is.
        """
        ...

    def velocity(self, symbol: int) -> int | None:
        """How loud the notes after this symbol are, 1 to 127, where it says so."""
        ...

    def reading(self) -> Reading | None:
        """How a stream is read from its beginning, where it takes several symbols to spell a note.

        Such a stream keeps the time of what it spells: the symbol with which a note begins to
        sound lasts as long as the note, and all others take no time. None elsewhere.
        """
        ...

    def show(self, symbols: Sequence[int]) -> str:
        """A stretch of symbols as text, to look at."""
        ...

    def read_prime(self, prime: str | Path) -> list[int]:
        """Symbols of a prime from the command line: a text, or (a `Path`) a file of this domain.

        Of what is no text, a string is a file's path, too.

        Raises:
            DataError: it cannot be read.
        """
        ...

    def prime_bpm(self, prime: str | Path) -> float | None:
        """The tempo of a file that `read_prime` reads, in quarter notes a minute.

        None where symbols say their own times, or the file has no tempo.

        Raises:
            DataError: it cannot be read.
        """
        ...

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        """Writes a stretch as a file of one of `endings`; `bpm` where it has beats."""
        ...

    def pack(self, array: Symbols) -> bytes:
        """Bytes of an array of symbols: `[n]` indices or `[n, size]` of 0 and 1."""
        ...

    def unpack(self, data: bytes) -> Symbols:
        """The array of `pack`'s bytes."""
        ...


class CategoricalCodec:
    """What the codecs have in common whose symbols are indices into a vocabulary.

    Index 0 is the boundary.

    Attributes:
        letters: of a text that `parse` reads, so many to a symbol at most, spaces and all. A
            client's text that is longer than that many times the symbols it may send need not
            be read to know that it is too long.
    """

    letters = LETTERS
    head: Head = "categorical"
    width = 4
    boundary = 0
    suppressed: tuple[int, ...] = ()
    transitions: NDArray[np.bool_] | None = None

    def seconds(self, symbol: int) -> float | None:
        return None

    def velocity(self, symbol: int) -> int | None:
        return None

    def reading(self) -> Reading | None:
        return None

    def prime_bpm(self, prime: str | Path) -> float | None:
        return None

    def pack(self, array: Symbols) -> bytes:
        return np.ascontiguousarray(array, dtype="<i4").tobytes()

    def unpack(self, data: bytes) -> Symbols:
        return np.frombuffer(data, dtype="<i4")


def int_to_bytes(symbol: int, width: int) -> bytes:
    """One symbol as it lies in a history: little-endian, `width` bytes."""
    return symbol.to_bytes(width, "little")


def ints_from_bytes(data: bytes | bytearray | memoryview, width: int) -> list[int]:
    """The symbols of a stretch of history."""
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]
