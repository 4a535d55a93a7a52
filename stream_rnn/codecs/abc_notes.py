"""Notes as ABC writes them: their names, their lengths, and the reach of accidentals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from stream_rnn.codecs.melody import NOTHING
from stream_rnn.errors import DataError

NAME = r"(?:\^{1,2}|_{1,2}|=)?[A-Ga-gzx][,']*"
LENGTH = r"\d*(?:/+\d*)?"
STRUCK = re.compile(rf"(?P<note>{NAME})(?P<length>{LENGTH})(?P<tie>-?)")
REACHES = ("pitch", "octave", "not")  # how far an accidental holds in its bar


class Written(NamedTuple):
    """A note's letter, its accidental in semitones and its octave, counted from that of `C`."""

    letter: str
    by: int
    octave: int


class Accidentals:
    """The sharps and flats in force at the place that has been read to.

    Attributes:
        reach: what a sign holds for (`%%propagate-accidentals`). `pitch`: its letter in all
            octaves, to the end of the bar; `octave`: the same in its own octave; `not`: one note.
    """

    def __init__(self) -> None:
        self.reach = "pitch"
        self._signature: Mapping[str, int] = NOTHING
        self._bar: dict[tuple[str, int], int] = {}

    def _place(self, letter: str, octave: int) -> tuple[str, int]:
        return letter, octave if self.reach == "octave" else 0

    def of(self, letter: str, octave: int) -> int:
        """The accidental of a note that is written without one."""
        return self._bar.get(self._place(letter, octave), self._signature.get(letter, 0))

    def write(self, note: Written) -> None:
        """Puts the accidental that is written before a note into force."""
        if self.reach != "not":
            self._bar[self._place(note.letter, note.octave)] = note.by

    def change_key(self, signature: Mapping[str, int]) -> None:
        """Begins a key; the accidentals of the bar no longer hold."""
        self._signature = signature
        self._bar.clear()

    def end_bar(self) -> None:
        """Ends the bar, and with it its accidentals."""
        self._bar.clear()


def spelt(name: str) -> tuple[str, str, int]:
    """A note's accidental sign, its letter and its octave, counted from that of `C`."""
    base = name.lstrip("_^=")
    octave = base[0].islower() + base.count("'") - base.count(",")
    return name[: len(name) - len(base)], base[0].upper(), octave


def name_of(note: Written) -> str:
    """A note's name without its accidental."""
    if note.octave > 0:
        return note.letter.lower() + "'" * (note.octave - 1)
    return note.letter + "," * -note.octave


def read_length(text: str) -> Fraction:
    """A length such as `3`, `3/2`, `/`, `//` or `/4`, in units of `L:`."""
    number, slash, rest = text.partition("/")
    halves = 1 + len(rest) - len(rest.lstrip("/"))
    if max(len(number), len(rest)) > 4:
        raise DataError(f"not understood as an ABC length: {text[:20]}")
    below = int(rest.lstrip("/") or 2**halves) if slash else 1
    if below == 0:
        raise DataError(f"not understood as an ABC length: {text}")
    return Fraction(int(number or 1), below)


def length_token(length: Fraction) -> str:
    top = "" if length.numerator == 1 else str(length.numerator)
    return top + (f"/{length.denominator}" if length.denominator > 1 else "")
