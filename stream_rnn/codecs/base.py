"""What every codec offers: it maps the symbols of a domain to numbers and back.

Outside the tensors a *symbol* is a non-negative `int`: an index into a vocabulary, or a set of
keys as a bit mask. All symbols of a codec take the same number of bytes, so that a history is a
flat `bytes`, and a message between processes can carry a batch. For the tensors `unpack` turns
the same bytes into an array.
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
"""Symbols in a quarter note, for codecs whose symbols all last equally long."""

LETTERS = 8

Head = Literal["categorical", "bernoulli"]
Symbols = NDArray[Any]


@dataclass(frozen=True)
class Sound:
    """A note or a rest that a stream spells with several symbols.

    Attributes:
        pitch: a MIDI pitch, perhaps beyond 0 to 127; None for a rest.
        beats: its length, in quarter notes.
        ago: how many symbols before the current one it was written.
    """

    pitch: int | None
    beats: float
    ago: int


class Reading(Protocol):
    """How far a stream has been read, as an immutable value."""

    def after(self, symbol: int) -> tuple[Reading, Sound | None]:
        """The reading after one more symbol, and the sound that begins with it, if any."""

    def unheard(self) -> Reading:
        """The same reading, with the last symbol marked as fed, so that it does not sound."""


class Codec(Protocol):
    """Maps one domain to symbols and back.

    Attributes:
        domain: the name in cards and in the protocol, such as `text`.
        head: how the network's outputs are read: one of `size`, or each of `size` on its own.
        size: how many inputs and outputs the network has for a symbol.
        width: bytes a symbol takes in a history.
        boundary: the begin-and-end symbol, before the first and after the last symbol of a
            document; the network reads it at position 0.
        suppressed: vocabulary indices that are never drawn.
        transitions: the transition mask `[size, size]`: whether the second symbol may follow the
            first. None where every symbol may.
        endings: the endings of files that `write_file` makes, such as `.mid`. `read_prime` reads
            files of the first one.
        printable: whether the text of `show` is a result in itself, and not only a view.
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
        """The fields that a card keeps, from which `from_json` makes this codec again."""

    def parse(self, value: object) -> list[int]:
        """The symbols of a value that a client sent (a prime or a feed).

        Raises:
            DataError: the value is not of this domain; the message says what the domain takes.
        """

    def event(self, symbol: int) -> dict[str, Any]:
        """The fields that a `symbol` message carries for this symbol.

        They are some of the fields of `wire.events.Symbol`: `text`, `notes` and `onsets`, or
        `event`, an object of the domain's own.
        """

    def seconds(self, symbol: int) -> float | None:
        """How long a symbol lasts in the stream, if the symbol itself says so.

        None if the session's rate decides, as for a character or a frame. 0.0 means that the
        next symbol comes at the same moment, as after a note-on.
        """

    def velocity(self, symbol: int) -> int | None:
        """The velocity of the notes after this symbol, 1 to 127, if the symbol sets it."""

    def reading(self) -> Reading | None:
        """A reading at the beginning of a stream, if several symbols spell a note; else None.

        Such a stream takes its time from its notes: the symbol with which a note begins to
        sound lasts as long as that note, and all other symbols take no time.
        """

    def show(self, symbols: Sequence[int]) -> str:
        """Symbols as text for a person to look at."""

    def read_prime(self, prime: str | Path) -> list[int]:
        """Symbols of a prime from the command line: a text, or (a `Path`) a file of this domain.

        In a domain that has no text form, a string is a file's path, too.

        Raises:
            DataError: it cannot be read.
        """

    def prime_bpm(self, prime: str | Path) -> float | None:
        """The tempo of a file that `read_prime` reads, in quarter notes a minute.

        None if the symbols carry their own times, or the file has no tempo.

        Raises:
            DataError: it cannot be read.
        """

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        """Writes symbols as a file of one of `endings`; `bpm` matters if the domain has beats."""

    def pack(self, array: Symbols) -> bytes:
        """The bytes of an array of symbols: `[n]` indices, or `[n, size]` of 0 and 1."""

    def unpack(self, data: bytes) -> Symbols:
        """The array whose bytes these are: the inverse of `pack`."""


class CategoricalCodec:
    """The common base of codecs whose symbols are indices into a vocabulary.

    Index 0 is the begin-and-end symbol.

    Attributes:
        letters: how many characters of text, spaces included, a client may send for each symbol
            that it may send. A longer text is refused without being parsed.
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
    """One symbol as a history stores it: little-endian, `width` bytes."""
    return symbol.to_bytes(width, "little")


def ints_from_bytes(data: bytes | bytearray | memoryview, width: int) -> list[int]:
    """The symbols in a piece of a history."""
    if width in (1, 2, 4, 8):
        return np.frombuffer(data, f"<u{width}").tolist()  # type: ignore[no-any-return]
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]
