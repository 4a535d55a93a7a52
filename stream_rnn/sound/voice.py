"""Symbols as notes: which notes begin and end when a symbol sounds, in any protocol.

A `Voice` follows one stream in one place and remembers which notes it left sounding there, so
every note that begins also ends. It does no I/O and has no clock: a symbol's notes begin when
the symbol is due.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream_rnn.codecs.snippets import loudness
from stream_rnn.sound.symbols import SpeltNote, Symbol, Touched, TouchPoint

# Letters in order of their frequency in English. The commonest sound near middle C, on a major
# pentatonic scale, alternately above and below it. So a verse hovers, and rare letters leap.
LETTERS = "etaoinshrdlcumwfgypbvkjxqz"
PENTATONIC = (0, 2, 4, 7, 9)
MIDDLE_C = 60
ACCENT = 24  # added to the velocity of a capital letter
MAX_VELOCITY = 127
LONGEST = 5.0  # seconds that a performance may hold a key; 99.9 % of its corpus's notes are shorter
RING = 2.0  # seconds that a plucked string rings on, if nothing ends it
UNSCALED = 80  # the `velocity` control that leaves the stream's own dynamics as they are


@dataclass(frozen=True)
class Note:
    """A note that begins, or one that ends (`velocity` 0); `player` is 0 outside ensembles."""

    pitch: int
    velocity: int
    player: int = 0


@dataclass(frozen=True)
class _String:
    """A string of an instrument, as the owner of the pitch that it sounds."""

    number: int


def letter_pitch(character: str) -> int | None:
    """The MIDI pitch of a character's plain letter or digit; None for a rest.

    Digits are low notes, an octave and more below middle C. All other characters, such as
    spaces and line ends, are rests.
    """
    plain = unicodedata.normalize("NFKD", character)[:1].lower()
    rank = LETTERS.find(plain) if plain else -1
    if rank >= 0:
        return _degree((rank + 1) // 2 * (1 if rank % 2 else -1))
    if plain.isdecimal() and plain.isascii():
        return _degree(int(plain) - 12)
    return None


def _degree(degree: int) -> int:
    octave, step = divmod(degree, len(PENTATONIC))
    return MIDDLE_C + 12 * octave + PENTATONIC[step]


def is_verse(symbol: Symbol | Touched) -> bool:
    """Whether a symbol is a letter of a text (note or rest), and not a token of a notation."""
    if symbol.touch is not None or symbol.text is None:
        return False
    return len(symbol.text) == 1 and symbol.event is None and symbol.sounds is None


class Voice:
    """The notes of one stream that sound in one place.

    A key that is in successive frames is held. It is struck again where the symbol says so
    (`onsets`), and in texts, where each letter is a note of its own. A finger of an ensemble's
    player sounds while it is down, and plays a new note when it moves to another pitch.

    Args:
        led: whether players that a person leads sound here too, though their touches are fed.
    """

    def __init__(self, *, led: bool = False) -> None:
        self._led = led
        self._fingers: dict[int, int] = {}  # pitch, by player
        self._sounding: dict[int, float] = {}  # when each pitch began
        # The pitch at which a performance's key, or a string, began. It ends at that pitch, even
        # if `transpose` has changed since.
        self._keys: dict[Hashable, int] = {}

    @property
    def sounding(self) -> tuple[int, ...]:
        """The pitches that have begun and not ended."""
        return tuple(self._sounding)

    def play(
        self, symbol: Symbol | Touched, *, velocity: int = UNSCALED, transpose: int = 0
    ) -> list[Note]:
        """The notes that end and begin when a symbol sounds; those that end come first.

        Args:
            symbol: has `notes` and perhaps `onsets`; or `event`, which is `{"on": pitch}`,
                `{"off": pitch}`, `{"velocity": v}`, `{"shift": seconds}`, `{"rest": 1}`,
                `{"end": 1}`, or `{"string": s, "note": pitch}`, which ends the string's last
                note; or `sounds`, which, if there are any, replace the sounding notes; or
                `text`; or a touch. A fed symbol is shown but does not sound.
            velocity: of the notes that begin. If the stream has dynamics of its own (the symbol's
                `velocity`), this scales them; 80 leaves them as they are.
            transpose: semitones. Pitches outside the MIDI range are silent.
        """
        if symbol.touch is not None:
            return self._touch(symbol.touch, symbol.fed and not self._led, velocity, transpose)
        if symbol.fed:
            return self._fed(symbol.event or {})
        due, text = symbol.due, symbol.text
        if symbol.sounds is not None:
            return self._melody(symbol.sounds, velocity, transpose, due)
        if symbol.event is not None:
            play = self._pluck if "note" in symbol.event else self._event
            own = UNSCALED if symbol.velocity is None else symbol.velocity
            loud = min(max(round(own * velocity / UNSCALED), 1), MAX_VELOCITY)
            return [*self._overdue(due), *play(symbol.event, loud, transpose, due)]
        pitches, struck = symbol.notes or (), symbol.onsets or ()
        if text is not None:
            # A text longer than one letter is a token of a notation, such as a bar line.
            if len(text) > 1:
                return self._overdue(due)
            pitch = letter_pitch(text)
            pitches = struck = () if pitch is None else (pitch,)
            if text.isupper():
                velocity = min(MAX_VELOCITY, velocity + ACCENT)
        now = dict.fromkeys((p + transpose for p in pitches if 0 <= p + transpose < 128), due)
        again = {p + transpose for p in struck}
        ended = [p for p in self._sounding if p not in now or p in again]
        begun = [p for p in now if p not in self._sounding or p in again]
        self._sounding = now
        return [Note(p, 0) for p in ended] + [Note(p, velocity) for p in begun]

    def _fed(self, event: Mapping[str, Any]) -> list[Note]:
        """The notes that a fed symbol ends. Its own notes sound only where a person plays them."""
        if "off" in event:
            return self._let_go(event["off"])
        # A performance's key is added to those that sound, and a leader's gesture leaves the other
        # players alone; a frame or a letter replaces the sounding notes.
        added = {"on", "velocity", "shift", "gesture"} & event.keys()
        return [] if added else self.release()

    def _overdue(self, due: float) -> list[Note]:
        """Ends notes that have sounded too long: a network may forget to release a key."""
        strings = {pitch for key, pitch in self._keys.items() if isinstance(key, _String)}
        longest = {p: RING if p in strings else LONGEST for p in self._sounding}
        ended = [p for p, since in self._sounding.items() if due - since > longest[p]]
        for pitch in ended:
            del self._sounding[pitch]
        return [Note(p, 0) for p in ended]

    def _event(
        self, event: Mapping[str, Any], velocity: int, transpose: int, due: float
    ) -> list[Note]:
        if "end" in event or "rest" in event:
            return self.release()
        if "on" in event:
            return self._strike(event["on"], event["on"] + transpose, velocity, due)
        return self._let_go(event["off"]) if "off" in event else []

    def _strike(self, key: Hashable, pitch: int, velocity: int, due: float) -> list[Note]:
        """Begins a pitch for a key or a string, which is from now on the pitch's only owner."""
        ended = self._let_go(key)
        if not 0 <= pitch < 128:
            return ended
        if pitch in self._sounding:
            ended.append(Note(pitch, 0))
        self._keys = {k: p for k, p in self._keys.items() if p != pitch}
        self._keys[key] = pitch
        self._sounding[pitch] = due
        return [*ended, Note(pitch, velocity)]

    def _let_go(self, key: Hashable) -> list[Note]:
        pitch = self._keys.pop(key, None)
        if pitch is None or self._sounding.pop(pitch, None) is None:
            return []
        return [Note(pitch, 0)]

    def _melody(
        self, sounds: Sequence[SpeltNote], velocity: int, transpose: int, due: float
    ) -> list[Note]:
        if not sounds:
            return []
        ended = self.release()
        pitches = [s.pitch + transpose for s in sounds if s.pitch is not None]
        self._sounding = {p: due for p in pitches if 0 <= p < 128}
        return [*ended, *(Note(p, velocity) for p in self._sounding)]

    def _pluck(
        self, event: Mapping[str, Any], velocity: int, transpose: int, due: float
    ) -> list[Note]:
        string = _String(event.get("string", 0))
        return self._strike(string, event["note"] + transpose, velocity, due)

    def _touch(self, touch: TouchPoint, silent: bool, velocity: int, transpose: int) -> list[Note]:
        player, pitch = touch.player, touch.pitch + transpose
        before = self._fingers.get(player)
        sounds = touch.down and not silent and 0 <= pitch < 128
        if sounds and pitch == before:
            return []
        self._fingers.pop(player, None)
        ended = [] if before is None else [Note(before, 0, player)]
        if not sounds:
            return ended
        self._fingers[player] = pitch
        return [*ended, Note(pitch, loudness(touch.y, velocity), player)]

    def release(self) -> list[Note]:
        """Ends all sounding notes."""
        ended = [Note(p, 0) for p in self._sounding]
        ended += [Note(p, 0, player) for player, p in self._fingers.items()]
        self._sounding, self._keys, self._fingers = {}, {}, {}
        return ended
