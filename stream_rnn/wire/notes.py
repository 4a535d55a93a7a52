"""Symbols as notes: what begins and what ends when a symbol sounds, in any protocol.

A `Voice` follows one stream towards one place, and remembers what it left sounding there, so
that whatever begins also ends. No I/O and no time: a symbol's notes begin when it is due.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Letters by how common they are in English. The commonest sound near middle C, on a major
# pentatonic scale, alternately above and below it; so a verse hovers, and rare letters leap.
LETTERS = "etaoinshrdlcumwfgypbvkjxqz"
PENTATONIC = (0, 2, 4, 7, 9)
MIDDLE_C = 60
ACCENT = 24  # a capital is louder by so much
MAX_VELOCITY = 127
LONGEST = 5.0  # seconds that a performance may hold a key; of the notes of its corpus 99.9 % end


@dataclass(frozen=True)
class Note:
    """A key that begins, or one that ends (`velocity` 0)."""

    pitch: int
    velocity: int


def letter_pitch(character: str) -> int | None:
    """The MIDI pitch of a character: of its plain letter or digit; none for a rest.

    Digits are low notes, an octave and more below the letters' middle; whatever else there
    is, spaces and line ends above all, is silent.
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


class Voice:
    """What of one stream sounds in one place.

    A key that stands in successive frames is held. It is struck again where the symbol says
    so (`onsets`), and in texts, where each letter is a note of its own.
    """

    def __init__(self) -> None:
        self._sounding: dict[int, float] = {}  # since when
        self._strings: dict[int, int] = {}
        self._dynamics: int | None = None  # velocity that the stream itself gives

    @property
    def sounding(self) -> tuple[int, ...]:
        """The pitches that were begun and not ended."""
        return tuple(self._sounding)

    def play(
        self, symbol: Mapping[str, Any], *, velocity: int = 80, transpose: int = 0
    ) -> list[Note]:
        """What changes when a symbol sounds: what ends first, then what begins.

        Args:
            symbol: the fields of its `symbol` message: `notes` and perhaps `onsets`; or
                `event`, which is `{"on": pitch}`, `{"off": pitch}`, `{"velocity": v}`,
                `{"shift": seconds}`, `{"end": 1}`, or `{"string": s, "note": pitch}`, which
                ends the string's last note; or `text`. One that was fed is shown and not
                sounded.
            velocity: of what begins; where the stream has dynamics of its own they are
                scaled by it, 80 leaving them as they are.
            transpose: semitones. What falls off the MIDI range is silent.
        """
        if symbol.get("fed"):
            return self._fed(symbol.get("event", {}), transpose)
        if "event" in symbol and "note" in symbol["event"]:
            return self._pluck(symbol["event"], velocity, transpose)
        if "event" in symbol:
            due = symbol.get("due", 0.0)
            return [*self._overdue(due), *self._event(symbol["event"], velocity, transpose, due)]
        if "text" in symbol:
            # What is longer than a letter is a token of a notation, such as a bar line.
            if len(symbol["text"]) > 1:
                return []
            pitch = letter_pitch(symbol["text"])
            pitches = struck = [] if pitch is None else [pitch]
            if symbol["text"].isupper():
                velocity = min(MAX_VELOCITY, velocity + ACCENT)
        else:
            pitches, struck = symbol.get("notes", []), symbol.get("onsets", [])
        due = symbol.get("due", 0.0)
        now = dict.fromkeys((p + transpose for p in pitches if 0 <= p + transpose < 128), due)
        again = {p + transpose for p in struck}
        ended = [p for p in self._sounding if p not in now or p in again]
        begun = [p for p in now if p not in self._sounding or p in again]
        self._sounding = now
        return [Note(p, 0) for p in ended] + [Note(p, velocity) for p in begun]

    def _fed(self, event: Mapping[str, Any], transpose: int) -> list[Note]:
        """What was fed sounds where it was played. Here it ends what it is in the place of."""
        if "off" in event:
            return self._event(event, 0, transpose, 0.0)
        # A performance's keys are added to those that sound; a frame or a letter replaces them.
        return [] if {"on", "velocity", "shift"} & event.keys() else self.release()

    def _overdue(self, due: float) -> list[Note]:
        """Ends what has sounded too long: a network may forget to let a key go."""
        ended = [p for p, since in self._sounding.items() if due - since > LONGEST]
        for pitch in ended:
            del self._sounding[pitch]
        return [Note(p, 0) for p in ended]

    def _event(
        self, event: Mapping[str, Any], velocity: int, transpose: int, due: float
    ) -> list[Note]:
        if "end" in event:  # of the piece, and of all that sounds
            return self.release()
        if "velocity" in event:
            self._dynamics = int(event["velocity"])
        elif "on" in event and 0 <= (pitch := event["on"] + transpose) < 128:
            ended = [Note(pitch, 0)] if pitch in self._sounding else []
            self._sounding[pitch] = due
            loud = velocity if self._dynamics is None else round(self._dynamics * velocity / 80)
            return [*ended, Note(pitch, min(max(loud, 1), MAX_VELOCITY))]
        elif "off" in event and (pitch := event["off"] + transpose) in self._sounding:
            del self._sounding[pitch]
            return [Note(pitch, 0)]
        return []

    def _pluck(self, event: Mapping[str, Any], velocity: int, transpose: int) -> list[Note]:
        pitch, string = event["note"] + transpose, event.get("string", 0)
        before = self._strings.pop(string, None)
        ended = [p for p in dict.fromkeys((before, pitch)) if p in self._sounding]
        for old in ended:
            del self._sounding[old]
        if not 0 <= pitch < 128:
            return [Note(p, 0) for p in ended]
        self._sounding[pitch] = 0.0
        self._strings[string] = pitch
        return [*(Note(p, 0) for p in ended), Note(pitch, velocity)]

    def release(self) -> list[Note]:
        """Ends all that sounds."""
        ended = [Note(p, 0) for p in self._sounding]
        self._sounding = {}
        return ended
