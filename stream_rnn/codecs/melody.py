"""What ABC tokens sound like: a tune read token by token, as a value.

Lengths stand behind the note that they are of, `<` shortens the one before it, and a tie joins
the next. So a note is *settled*, and can sound, when the next one begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from stream_rnn.codecs.base import Sound
from stream_rnn.codecs.performance import Note

BARS = ("|", "||", "|:", ":|", "::")
BEAT = 0.5  # quarter notes in an eighth
PAUSE = 4.0  # eighths between two tunes
ROUNDING = 1e-6  # of an eighth: triplets do not add up exactly

NOTHING: Mapping[str, int] = MappingProxyType({})

# How many fifths above its major key a mode's signature lies.
_FIFTHS = {"maj": 0, "mix": -1, "dor": -2, "min": -3, "phr": -4, "loc": -5, "lyd": 1}
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"^": 1, "^^": 2, "=": 0, "_": -1, "__": -2}

TOKEN_NOTE = re.compile(r"(\^{0,2}|_{0,2}|=?)([A-Ga-gz])([,']*)$")
_TOKEN_LENGTH = re.compile(r"(\d*)(?:/(\d+))?$")
_TOKEN_TUPLET = re.compile(r"\((\d)(?::(\d?))?(?::(\d?))?$")


class Waiting(NamedTuple):
    """A note that is not settled yet.

    Attributes:
        pitch: none for a rest.
        length: in eighths, of its last part; of those that are tied before it, `tied`.
        ago: how many tokens back it begins.
        heard: whether it sounds. What was fed does not.
        bends: whether what follows may change its length; not that of the pause between tunes.
    """

    pitch: int | None
    length: float
    tied: float = 0.0
    ago: int = 0
    heard: bool = True
    bends: bool = True


class Tune(NamedTuple):
    """A tune in mid-reading; `after` is the same one token further."""

    signature: Mapping[str, int] = NOTHING
    in_bar: Mapping[str, int] = NOTHING
    meter: Fraction = Fraction(4, 4)
    tuplet: float = 1.0
    left: int = 0  # notes of the tuplet to come
    stretch: float = 1.0  # of the next note
    tie: bool = False
    waiting: Waiting | None = None

    def after(self, token: str) -> tuple[Tune, Sound | None]:
        """The tune after a token, and the note that it settles.

        The empty token ends the tune; a pause begins, in which the next one may.
        """
        if not token:
            return Tune(waiting=Waiting(None, PAUSE, bends=False)), self._settled()
        if found := TOKEN_NOTE.match(token):
            return self._note(token, *found.groups())
        waiting = self.waiting and self.waiting._replace(ago=self.waiting.ago + 1)
        return self._replace(waiting=waiting)._bent(token), None

    def unheard(self) -> Tune:
        """The same, if what waits was fed: it has been played already."""
        return self._replace(waiting=self.waiting and self.waiting._replace(heard=False))

    def _settled(self) -> Sound | None:
        note = self.waiting
        if note is None or not note.heard:
            return None
        return Sound(note.pitch, (note.tied + note.length) * BEAT, note.ago + 1)

    def _note(self, token: str, accidental: str, letter: str, _: str) -> tuple[Tune, Sound | None]:
        name, in_bar, before = token[len(accidental) :], self.in_bar, self.waiting
        if accidental:
            in_bar = {**in_bar, name: _ACCIDENTALS[accidental]}
        by = in_bar.get(name, self.signature.get(letter.upper(), 0))
        pitch = None if letter == "z" else natural_pitch(name) + by
        note = Waiting(pitch, self.tuplet * self.stretch if self.left else self.stretch)
        settled = self._settled()
        if self.tie and before is not None and before.bends:
            # An accidental goes over the bar line with a tie.
            note = note._replace(pitch=before.pitch)
            if before.heard:
                tied, settled = before.tied + before.length, None
                note = note._replace(tied=tied, ago=before.ago + 1)
        left = max(0, self.left - 1)
        tune = self._replace(in_bar=in_bar, left=left, stretch=1.0, tie=False, waiting=note)
        return tune, settled

    def _bent(self, token: str) -> Tune:
        """After a token that is no note."""
        plain, waiting = token.strip("[]"), self.waiting
        if token in BARS:
            return self._replace(in_bar=NOTHING)
        if plain.startswith("K:"):
            return self._replace(signature=key_signature(plain[2:]))
        if plain.startswith("M:"):
            return self._replace(meter=Fraction(plain[2:]))
        if token == "-":
            return self._replace(tie=True)
        if bent := _TOKEN_TUPLET.match(token):
            count = int(bent[1])
            # Two in the time of three, three of two, and so on; five in that of the meter.
            usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(count) or (
                3 if self.meter.denominator == 8 or self.meter.numerator % 3 == 0 else 2
            )
            tuplet = int(bent[2] or usual) / (count or 1)
            return self._replace(tuplet=tuplet, left=int(bent[3] or count))
        if waiting is None or not waiting.bends:
            return self
        if token[0] in "<>":
            short = 0.5 ** len(token)
            first, second = (2 - short, short) if token[0] == ">" else (short, 2 - short)
            bent_note = waiting._replace(length=waiting.length * first)
            return self._replace(stretch=second, waiting=bent_note)
        if times := _TOKEN_LENGTH.match(token):
            by = int(times[1] or 1) / int(times[2] or 1)
            return self._replace(waiting=waiting._replace(length=waiting.length * by))
        return self


def natural_pitch(name: str) -> int:
    """The MIDI pitch of a note without its accidental, such as `c'`; −1 for a rest."""
    letter = name[0]
    if letter in "zx":
        return -1
    octave = 12 * (letter.islower() + name.count("'") - name.count(","))
    return 60 + _LETTERS[letter.upper()] + octave


def key_signature(key: str) -> dict[str, int]:
    """Sharps (1) and flats (-1) by letter, of a key such as `Gmaj` or `F#min`."""
    tonic, mode = key[:-3], key[-3:]
    fifths = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}[tonic[0]]
    fifths += 7 * (tonic.count("#") - tonic.count("b")) + _FIFTHS[mode]
    order = "FCGDAEB"
    if fifths >= 0:
        return {letter: 1 + (fifths - 7 > i) for i, letter in enumerate(order[:fifths])}
    return dict.fromkeys(order[::-1][:-fifths], -1)


def melody(tokens: Iterable[str]) -> list[tuple[int | None, float]]:
    """The MIDI pitches (None for a rest) and lengths in eighths of a tune, repeats once.

    Accidentals hold to the end of their bar, ties join notes, and `>` and tuplets are worked
    out.
    """
    tune, sounds = Tune(), []
    for token in tokens:
        tune, settled = tune.after(token)
        sounds.append(settled)
    sounds.append(tune.after("")[1])
    return [(s.pitch, s.beats / BEAT) for s in sounds if s is not None]


def notes_of(tokens: Sequence[str], bpm: float) -> list[Note]:
    """The notes of some tunes, one after another, as they are played; `bpm` is quarter notes."""
    notes: list[Note] = []
    now, eighth = 0.0, 30.0 / bpm
    breaks = [i for i, token in enumerate(tokens) if not token]
    for begin, end in pairwise([-1, *breaks, len(tokens)]):
        for pitch, length in melody(tokens[begin + 1 : end]):
            lasts = float(length) * eighth
            if pitch is not None and 0 <= pitch <= 127:
                notes.append(Note(now, now + 0.9 * lasts, pitch, 80))
            now += lasts
        now += PAUSE * eighth
    return notes


def bars_add_up(tokens: Sequence[str]) -> bool:
    """Whether a tune has a meter, a key and notes, and each bar is as long as its meter says.

    The first and the last bar between two double bars, repeats or endings may be shorter, as
    upbeats make them; lines of repeat with nothing between are no bars.
    """
    if len(tokens) < 3 or not tokens[0].startswith("M:") or not tokens[1].startswith("K:"):
        return False
    header = list(tokens[:2])
    eighths = float(8 * Fraction(tokens[0][2:]))
    bars = 0
    now: list[str] = []
    edge = True  # the bar before this one ended a part
    for token in [*tokens[2:], "||"]:
        if token.startswith("[M:"):
            eighths = float(8 * Fraction(token[3:-1]))
        if token not in BARS:
            now.append(token)
            # An ending may begin with a short bar, where the repeat leads into it.
            edge = edge or (token[0] == "[" and token[1].isdigit())
            continue
        length = sum(length for _, length in melody([*header, *now]))
        ends = token != "|"
        if length > eighths + ROUNDING or (length < eighths - ROUNDING and not (edge or ends)):
            return False
        bars += length > 0
        edge, now = ends or (edge and not length), []
    return bars >= 4
