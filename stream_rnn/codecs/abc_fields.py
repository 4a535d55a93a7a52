"""Fields of ABC that change what is heard: key, meter, unit length, and a voice's transposition.

After the standard, abc 2.1: sections 3.1.6 (`M:`), 3.1.7 (`L:`), 3.1.14 (`K:`) and 4.6 (clefs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from stream_rnn.codecs.melody import ACCIDENTALS, FIFTHS, FREE, LETTERS, PIPES, key_signature
from stream_rnn.errors import DataError

_MODES = {
    "": "maj", "maj": "maj", "ion": "maj", "m": "min", "min": "min", "aeo": "min", "mix": "mix",
    "dor": "dor", "lyd": "lyd", "phr": "phr", "loc": "loc",
}  # fmt: skip
_METERS = {"": FREE, "none": FREE, "c": "4/4", "c|": "2/2"}
_BEATS = re.compile(r"(?:\d{1,2}(?:/\d{1,2})?\+){0,15}\d{1,2}/\d{1,2}")
_UNIT = re.compile(r"(\d{1,3})(?:\s*/\s*(\d{1,4}))?$")
_SETTING = re.compile(
    r"\b(clef|octave|transpose|middle|stafflines|name|nm|subname|snm|stem)"
    r"\s*=\s*(\"[^\"]*\"|\S+)"
)
_CLEF = re.compile(r"(?:treble|alto|tenor|bass|perc|none)\d?(?P<shift>[+-](?:8|15))?")
_TONIC = re.compile(r"(?P<tonic>[A-G][#b]?)\s*(?P<mode>[A-Za-z]*)")
_OWN = re.compile(r"(\^{1,2}|_{1,2}|=)([A-Ga-g])")
_OCTAVES = {"+8": 12, "-8": -12, "+15": 24, "-15": -24}
SIGNS = {by: sign for sign, by in ACCIDENTALS.items()}


def read_unit(value: str) -> Fraction:
    """The length that `L:` gives to a note without its own, as a share of a whole note.

    Raises:
        DataError: it is not a length.
    """
    found = _UNIT.match(value)
    if found is None or not int(found[1]) or not int(found[2] or 1):
        raise DataError(f"not understood as ABC: L:{value}")
    return Fraction(int(found[1]), int(found[2] or 1))


def usual_unit(meter: str) -> Fraction:
    """The length of a note in a tune without `L:`: a sixteenth in meters below 3/4."""
    top, _, below = meter.partition("/")
    short = meter != FREE and Fraction(int(top), int(below)) < Fraction(3, 4)
    return Fraction(1, 16 if short else 8)


def read_meter(value: str) -> str:
    """A meter as its token writes it, such as `6/8`; `2+3/8` and `(2+3)/8` are 5/8.

    Raises:
        DataError: it is not a meter.
    """
    if value.lower() in _METERS:
        return _METERS[value.lower()]
    plain = re.sub(r"[\s()]", "", value)
    refused = DataError(f"not understood as an ABC meter: M:{value}")
    if not _BEATS.fullmatch(plain):
        raise refused
    beats: list[tuple[int, int]] = []
    below = 0
    for term in reversed(plain.split("+")):  # a number alone has the next one's denominator
        top, _, own = term.partition("/")
        below = int(own or below)
        beats.append((int(top), below))
    most = max(below for _, below in beats)
    if any(below not in (1, 2, 4, 8, 16, 32, 64) for _, below in beats):
        raise refused
    total = sum(top * most // below for top, below in beats)
    if not 0 < total < 100:
        raise refused
    return f"{total}/{most}"


class Voice(NamedTuple):
    """How a voice's settings transpose its notes.

    Attributes:
        clef, octave, transpose: semitones that each of these adds.
    """

    clef: int = 0
    octave: int = 0
    transpose: int = 0

    @property
    def semitones(self) -> int:
        """How much higher the voice sounds than it is written."""
        return self.clef + self.octave + self.transpose


def read_voice(value: str, voice: Voice) -> tuple[Voice, str]:
    """A voice after the settings in a `K:` or `V:`, and the rest of that field.

    Raises:
        DataError: a transposition is not a number.
    """
    rest = value
    for found in _SETTING.finditer(value):
        name, said = found[1].lower(), found[2].strip('"')
        rest = rest.replace(found[0], " ", 1)
        if name == "clef":
            clef = _CLEF.match(said)
            voice = voice._replace(clef=_OCTAVES.get(clef["shift"], 0) if clef else 0)
        elif name in ("octave", "transpose"):
            if not re.fullmatch(r"[+-]?\d{1,2}", said):
                raise DataError(f"not understood as ABC: {found[0]}")
            by = int(said) * (12 if name == "octave" else 1)
            voice = voice._replace(**{name: by})
    kept: list[str] = []
    for word in rest.split():
        clef = _CLEF.fullmatch(word)
        if clef and (word != FREE or kept):  # a `none` that stands first is a key
            voice = voice._replace(clef=_OCTAVES.get(clef["shift"], 0))
        else:
            kept.append(word)
    return voice, " ".join(kept)


def read_key(value: str) -> str:
    """A key as its token writes it, such as `Gmaj`, `Dphr ^f`, `D exp _b _e ^f`, `Hp` or `none`.

    Args:
        value: a `K:` without voice settings.

    Raises:
        DataError: it is not a key.
    """
    refused = DataError(f"not understood as an ABC key: K:{value}")
    plain = value.replace("♯", "#").replace("♭", "b").strip()
    name, own = FREE, plain
    if plain.upper() == "HP":
        return PIPES
    if plain.lower().startswith(FREE):
        own = plain[len(FREE) :]
    elif found := _TONIC.match(plain):
        own = plain[found.end() :]
        mode = found["mode"].lower()
        if mode == "exp":
            name = f"{found['tonic']} exp"
        elif mode[:3] in _MODES:
            name = found["tonic"] + _MODES[mode[:3]]
        else:
            raise refused
    accidentals = dict[str, str]()
    while own := own.strip():
        accidental = _OWN.match(own)
        if accidental is None and (own[0] in "_^=" or name == FREE):
            raise refused
        if accidental is None:
            break  # a remark of the tune's collector
        accidentals[accidental[2].upper()] = accidental[1]
        own = own[accidental.end() :]
    return _named(name, {letter: ACCIDENTALS[sign] for letter, sign in accidentals.items()})


def _named(name: str, accidentals: Mapping[str, int]) -> str:
    """A key's token: its name, and the accidentals that differ from its signature."""
    tonic, _, explicit = name.partition(" ")
    base = {} if explicit or name == FREE else key_signature(name)
    new = {k: by for k, by in accidentals.items() if base.get(k, 0) != by}
    if not base and not new:
        return name if name not in (FREE, f"{tonic} exp") else FREE
    if name == FREE:
        name = "C exp"
    return " ".join([name, *(SIGNS[new[k]] + k.lower() for k in sorted(new))])


class Shift(NamedTuple):
    """A transposition of written notes, in semitones and in fifths around the circle.

    Letters move as when a piece is rewritten in another key, so that accidentals stay at the notes
    where they are.
    """

    semitones: int = 0
    fifths: int = 0

    @classmethod
    def of(cls, semitones: int, signature: Mapping[str, int]) -> Shift:
        """The shift that gives a key the fewest sharps or flats."""
        now = sum(signature.values())
        fifths = (7 * semitones) % 12
        if fifths:
            fifths = min((fifths, fifths - 12), key=lambda by: abs(now + by))
        return cls(semitones, fifths)

    def key(self, key: str) -> str:
        """The key that a tune in `key` moves to."""
        if not self.fifths:
            return key
        tonic, mode = key[:-3], key[-3:]
        if mode in _MODES.values() and " " not in key:
            at = FIFTHS.index(tonic[0]) + 7 * (tonic.count("#") - tonic.count("b")) + self.fifths
            return FIFTHS[at % 7] + ("#" if at >= 7 else "b" if at < 0 else "") + mode
        before = key_signature(key)
        moved = dict(self.letter(letter, before.get(letter, 0)) for letter in FIFTHS)
        return _named("C exp", moved)

    def letter(self, letter: str, by: int) -> tuple[str, int]:
        """The letter and the accidental that a letter with its accidental moves to."""
        at = FIFTHS.index(letter) + 7 * by + self.fifths
        return FIFTHS[at % 7], at // 7

    def note(self, letter: str, by: int, octave: int) -> tuple[str, int, int]:
        """The same for a note with its octave, counted from that of `C`."""
        moved, now = self.letter(letter, by)
        pitch = LETTERS[letter] + by + 12 * octave + self.semitones
        return moved, now, (pitch - now - LETTERS[moved]) // 12
