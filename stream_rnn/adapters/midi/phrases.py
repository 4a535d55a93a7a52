"""Collects what a performer plays and encodes it for a model, as frames or as events. No I/O.

Times are in seconds on one clock: when each key was received.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from stream_rnn.codecs.performance import Note, encode_notes, event_of
from stream_rnn.codecs.pianoroll import HIGHEST_PITCH, LOWEST_PITCH

CHORD = 0.040  # seconds within which keys count as struck together
FORGOTTEN = 20.0  # seconds after which a key that is still down no longer keeps a phrase open
MAX_NOTES = 8192  # notes of a phrase that are kept, the last ones


class Phrase:
    """The notes that one keyboard plays in one turn.

    The pedal keeps released keys sounding, but it does not keep the phrase from ending.
    """

    def __init__(self) -> None:
        self._notes: deque[Note] = deque(maxlen=MAX_NOTES)
        self._down: dict[int, tuple[float, int]] = {}  # pitch: (since, velocity)
        self._ringing: dict[int, tuple[float, int]] = {}  # released, but held by the pedal
        self._pedal = False
        self._last = -math.inf

    def on(self, pitch: int, velocity: int, time: float) -> None:
        """Handles a key that goes down; ignores keys beyond a piano's."""
        if not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
            return
        self._last = time
        self._end(self._down, pitch, time)
        self._end(self._ringing, pitch, time)
        self._down[pitch] = time, velocity

    def off(self, pitch: int, time: float) -> None:
        """Handles a key that goes up."""
        if pitch in self._down:
            self._last = time
            if self._pedal:
                self._ringing[pitch] = self._down.pop(pitch)
            else:
                self._end(self._down, pitch, time)

    def pedal(self, down: bool, time: float) -> None:
        """Handles the sustain pedal."""
        self._pedal = down
        if not down:
            for pitch in list(self._ringing):
                self._end(self._ringing, pitch, time)

    def _end(self, keys: dict[int, tuple[float, int]], pitch: int, time: float) -> None:
        if pitch in keys:
            since, velocity = keys.pop(pitch)
            self._notes.append(Note(since, time, pitch, velocity))

    def over_at(self, silence: float) -> float:
        """When the phrase is over if nothing more is played, after `silence` seconds."""
        return self._last + (max(silence, FORGOTTEN) if self._down else silence)

    def notes(self) -> list[Note]:
        """All notes by their beginnings; notes that still sound end with the last key."""
        ringing = [
            Note(since, max(self._last, since), pitch, velocity)
            for pitch, (since, velocity) in {**self._ringing, **self._down}.items()
        ]
        return sorted([*self._notes, *ringing], key=lambda n: (n.start, n.pitch))


def as_frames(
    notes: Sequence[Note], step_of: Callable[[float], float], *, first: int, limit: int
) -> list[list[int]]:
    """Encodes notes as frames of pitches.

    Each note begins at the nearest step, and lasts for at least one. Keys that are struck
    within 40 ms begin together. A frame cannot tell a key that is struck again from one that is
    held, so a note ends a frame early if its key is struck again, unless it has only one frame.

    Args:
        notes: the notes, in order.
        step_of: converts a time to a step, with its fraction.
        first: the step of the first frame; earlier notes begin there.
        limit: how many frames there may be; of more, the last are taken.
    """
    spans: dict[int, list[tuple[int, int]]] = {}
    chord = -math.inf
    for note in notes:
        if note.start > chord + CHORD:
            chord = note.start
        begin = max(0, round(step_of(chord)) - first)
        end = max(round(step_of(note.stop)) - first, begin + 1)
        of_key = spans.setdefault(note.pitch, [])
        if of_key and of_key[-1][1] >= begin:
            before = of_key[-1][0]
            of_key[-1] = before, max(before + 1, begin - 1)
        of_key.append((begin, end))
    stop = max((end for of_key in spans.values() for _, end in of_key), default=0)
    start = max(0, stop - limit)
    frames: list[list[int]] = [[] for _ in range(stop - start)]
    for pitch in sorted(spans):
        held = {n for begin, end in spans[pitch] for n in range(max(begin, start), end)}
        for n in held:
            frames[n - start].append(pitch)
    return frames


def as_events(notes: Iterable[Note], *, speed: float, limit: int) -> list[dict[str, Any]]:
    """Encodes notes as performance events, from the first note on.

    Args:
        speed: seconds of the stream in a second of playing.
        limit: how many events there may be; of too many notes, the last are taken.
    """
    kept = list(notes)
    while len(events := _events(kept, speed)) > limit:
        kept = kept[len(kept) // 8 + 1 :]
    return events


def _events(notes: Sequence[Note], speed: float) -> list[dict[str, Any]]:
    start = notes[0].start if notes else 0.0
    moved = [
        Note((n.start - start) * speed, (n.stop - start) * speed, n.pitch, n.velocity)
        for n in notes
    ]
    return [event_of(int(symbol)) for symbol in encode_notes(moved)]
