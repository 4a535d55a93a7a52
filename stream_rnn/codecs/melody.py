"""Turns ABC tokens into notes: reads a tune token by token, with its state as a value.

A length follows its note, `<` shortens the note before it, and a tie adds the next note. So a note
is *settled*, and can sound, only when the next one begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from stream_rnn.codecs.base import Sound
from stream_rnn.codecs.performance import Note

BARS = ("|", "||", "|:", ":|", "::")
BEAT = 0.5  # quarter notes in an eighth
PAUSE = 4.0  # eighths between two tunes
LONGEST = 256.0  # eighths in a note; a network may multiply it by one length after another

NOTHING: Mapping[str, int] = MappingProxyType({})
FREE = "none"  # the meter whose bars may have any length, or the key without a tonic
PIPES = "Hp"  # the key of the Highland bagpipe
FIFTHS = "FCGDAEB"  # letters from fifth to fifth: the order of sharps, and backwards that of flats

# How many fifths a mode's signature lies above that of the major key with the same tonic.
_FIFTHS = {"maj": 0, "mix": -1, "dor": -2, "min": -3, "phr": -4, "loc": -5, "lyd": 1}
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"^": 1, "^^": 2, "=": 0, "_": -1, "__": -2}

TOKEN_NOTE = re.compile(r"(\^{0,2}|_{0,2}|=?)([A-Ga-gz])([,']*)$")
_TOKEN_LENGTH = re.compile(r"(\d*)(?:/(\d+))?$")
_TOKEN_TUPLET = re.compile(r"\((\d)(?::(\d?))?(?::(\d?))?$")


class Waiting(NamedTuple):
    """A note that is not settled yet.

    Attributes:
        pitch: None for a rest.
        length: in eighths, without the notes that are tied before it.
        tied: the length of those, in eighths.
        ago: how many tokens back it begins.
        heard: whether it will sound; a fed note does not.
        bends: whether later tokens may change its length; not that of the pause between tunes.
    """

    pitch: int | None
    length: float
    tied: float = 0.0
    ago: int = 0
    heard: bool = True
    bends: bool = True


class Tune(NamedTuple):
    """How far a tune has been read.

    Attributes:
        signature: sharps and flats by letter.
        in_bar: accidentals by letter that this bar has; each holds in all octaves (abc 2.1), to
            the bar line or a change of key.
        compound: whether the meter's beats divide into three parts.
    """

    signature: Mapping[str, int] = NOTHING
    in_bar: Mapping[str, int] = NOTHING
    compound: bool = False
    tuplet: float = 1.0
    left: int = 0  # notes still to come in the tuplet
    stretch: float = 1.0  # of the next note
    tie: bool = False
    waiting: Waiting | None = None

    def after(self, token: str) -> tuple[Tune, Sound | None]:
        """The tune after a token, and the note that the token settles.

        The empty token ends the tune and begins the pause before the next one.
        """
        if not token:
            return Tune(waiting=Waiting(None, PAUSE, bends=False)), self._settled()
        if found := TOKEN_NOTE.match(token):
            return self._note(token, *found.groups())
        waiting = self.waiting and self.waiting._replace(ago=self.waiting.ago + 1)
        return self._replace(waiting=waiting)._bent(token), None

    def unheard(self) -> Tune:
        """The same, with its unsettled note marked as fed: such a note has been played already."""
        return self._replace(waiting=self.waiting and self.waiting._replace(heard=False))

    def _settled(self) -> Sound | None:
        note = self.waiting
        if note is None or not note.heard:
            return None
        return Sound(note.pitch, (note.tied + note.length) * BEAT, note.ago + 1)

    def _note(self, token: str, accidental: str, letter: str, _: str) -> tuple[Tune, Sound | None]:
        in_bar, before, key = self.in_bar, self.waiting, letter.upper()
        if accidental:
            in_bar = {**in_bar, key: ACCIDENTALS[accidental]}
        by = in_bar.get(key, self.signature.get(key, 0))
        pitch = None if letter == "z" else natural_pitch(token[len(accidental) :]) + by
        note = Waiting(pitch, self.tuplet * self.stretch if self.left else self.stretch)
        settled = self._settled()
        if self.tie and before is not None and before.bends:
            # A tie carries an accidental over the bar line.
            note = note._replace(pitch=before.pitch)
            if before.heard:
                tied, settled = before.tied + before.length, None
                note = note._replace(tied=tied, ago=before.ago + 1)
        left = max(0, self.left - 1)
        tune = self._replace(in_bar=in_bar, left=left, stretch=1.0, tie=False, waiting=note)
        return tune, settled

    def _bent(self, token: str) -> Tune:
        """The tune after a token that is not a note."""
        plain, waiting = token.strip("[]"), self.waiting
        if token in BARS:
            return self._replace(in_bar=NOTHING)
        if plain.startswith("K:"):
            return self._replace(signature=key_signature(plain[2:]), in_bar=NOTHING)
        if plain.startswith("M:"):
            return self._replace(compound=is_compound(plain[2:]))
        if token == "-":
            return self._replace(tie=True)
        if bent := _TOKEN_TUPLET.match(token):
            count = int(bent[1])
            # Two in the time of three, three in that of two, …; for five the meter decides.
            usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(count) or (3 if self.compound else 2)
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
            length = min(waiting.length * by, LONGEST)
            return self._replace(waiting=waiting._replace(length=length))
        return self


def natural_pitch(name: str) -> int:
    """The MIDI pitch of a note without its accidental, such as `c'`; −1 for a rest."""
    letter = name[0]
    if letter in "zx":
        return -1
    octave = 12 * (letter.islower() + name.count("'") - name.count(","))
    return 60 + LETTERS[letter.upper()] + octave


def key_signature(key: str) -> dict[str, int]:
    """Sharps (1) and flats (-1) by letter, of a key as its token writes it.

    Such as `Gmaj` or `F#min`; `none`; `Hp`, in which F and C are sharp; `Dphr ^f`, with further
    accidentals; or `D exp _b _e ^f`, with only those that are named.
    """
    name, *more = key.split(" ")
    if more[:1] == ["exp"] or name == FREE:
        signature, more = {}, more[1:]
    elif name == PIPES:
        signature = {"F": 1, "C": 1}
    else:
        signature = _mode(name[:-3], name[-3:])
    for one in more:
        signature[one[-1].upper()] = ACCIDENTALS[one[:-1]]
    return {letter: by for letter, by in signature.items() if by}


def _mode(tonic: str, mode: str) -> dict[str, int]:
    fifths = FIFTHS.index(tonic[0]) - 1 + 7 * (tonic.count("#") - tonic.count("b")) + _FIFTHS[mode]
    sign, letters = (1, FIFTHS) if fifths >= 0 else (-1, FIFTHS[::-1])
    count = abs(fifths)  # with more than seven, the first ones are doubled
    return {letter: sign * (1 + (count - 7 > i)) for i, letter in enumerate(letters[:count])}


def bar_of(meter: str) -> float | None:
    """Eighths in a bar of a meter, as its token writes it; None if a bar may have any length."""
    if meter == FREE:
        return None
    top, _, below = meter.partition("/")
    return 8 * int(top) / int(below or 1)


def is_compound(meter: str) -> bool:
    """Whether a meter's beats divide into three parts: those of 6/8 do, those of 3/4 do not."""
    top, _, below = meter.partition("/")
    return bar_of(meter) is not None and int(top) % 3 == 0 and int(below or 1) >= 8


def melody(tokens: Iterable[str]) -> list[tuple[int | None, float]]:
    """The MIDI pitches (None for a rest) and lengths in eighths of a tune, without its repeats.

    Accidentals hold to the end of their bar, and ties, `>` and tuplets change lengths.
    """
    tune, sounds = Tune(), []
    for token in tokens:
        tune, settled = tune.after(token)
        sounds.append(settled)
    sounds.append(tune.after("")[1])
    return [(s.pitch, s.beats / BEAT) for s in sounds if s is not None]


def notes_of(tokens: Sequence[str], bpm: float) -> list[Note]:
    """The notes of some tunes played one after another; `bpm` counts quarter notes."""
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
