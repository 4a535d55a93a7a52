"""Piano performances as symbols: note-on, note-off, time shift and velocity, one vocabulary.

The events of Oore, Simon, Dieleman, Eck and Simonyan (2018, arXiv 1808.03715), on the 88 keys:

* 0 is the begin-and-end symbol: the piece ends, and every note with it;
* 1 to 88: a key goes down, at the velocity set last;
* 89 to 176: a key is released;
* 177 to 276: time passes, 10 ms to 1 s;
* 277 to 308: the velocity of the notes that follow, in 32 steps.

The sustain pedal has no symbol: a note that it holds is released when the pedal is.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
from numpy.typing import NDArray

from stream_rnn import schema
from stream_rnn.codecs.base import CategoricalCodec
from stream_rnn.codecs.midi_notes import (
    HIGHEST_PITCH,
    KEYS,
    LOWEST_PITCH,
    TICKS_PER_BEAT,
    Moment,
    midi_file,
    one_keyboard,
    read_midi,
)
from stream_rnn.errors import DataError

TICK = 0.01  # seconds
MAX_SHIFT = 100  # ticks in one time shift
VELOCITIES = 32
PAUSE = 2.0  # seconds of silence at a begin-and-end symbol

ON = 1
OFF = ON + KEYS
SHIFT = OFF + KEYS
VELOCITY = SHIFT + MAX_SHIFT
SIZE = VELOCITY + VELOCITIES
_FIELDS = schema.table({}, {"events": schema.one_of(SIZE), "domain": schema.ANYTHING})

START_VELOCITY = 64
# A network may forget to release a key. Of the notes of piano-midi.de, with the pedal, one in a
# thousand lasts longer than 4.6 seconds.
LONGEST_NOTE = 5.0
MAX_SECONDS = 36_000.0

Events = NDArray[np.uint16]


@dataclass(frozen=True)
class Note:
    """A key held from `start` to `stop`, in seconds."""

    start: float
    stop: float
    pitch: int
    velocity: int


class PerformanceCodec(CategoricalCodec):
    """Performance events to indices and back."""

    domain = "performance"
    size = SIZE
    endings: tuple[str, ...] = (".mid",)
    printable = False

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PerformanceCodec:
        """The codec that `to_json` described."""
        _FIELDS.check(data, "codec")
        return cls()

    def to_json(self) -> dict[str, Any]:
        return {"domain": self.domain, "events": SIZE}

    def parse(self, value: object) -> list[int]:
        if not isinstance(value, list):
            raise DataError(
                'a performance model takes a list of events: {"on": pitch}, {"off": pitch}, '
                '{"shift": seconds} or {"velocity": 1 to 127}'
            )
        symbols: list[int] = []
        for i, event in enumerate(value):
            symbols += _parsed(event, f"event {i}")
        return symbols

    def event(self, symbol: int) -> dict[str, Any]:
        return {"event": event_of(symbol)}

    def seconds(self, symbol: int) -> float | None:
        if symbol == self.boundary:
            return PAUSE
        return (symbol - SHIFT + 1) * TICK if SHIFT <= symbol < VELOCITY else 0.0

    def velocity(self, symbol: int) -> int | None:
        return _loudness(symbol) if symbol >= VELOCITY else None

    def show(self, symbols: Sequence[int]) -> str:
        """A line for each moment at which something happens."""
        lines, now, line = [], 0.0, ""
        for symbol in symbols:
            lasts = self.seconds(symbol) or 0.0
            (kind, value), *_ = event_of(symbol).items()
            if not lasts:
                line += {"on": f" +{value}", "off": f" -{value}"}.get(kind, f" v{value}")
                continue
            if line:
                lines.append(f"{now:7.2f}{line}")
            now, line = now + lasts, " end" if symbol == self.boundary else ""
        return "\n".join([*lines, f"{now:7.2f}{line}"])

    def read_prime(self, prime: str | Path, tracks: tuple[str, ...] = ()) -> list[int]:
        return [int(s) for s in encode_notes(read_notes(Path(prime), tracks=tracks))]

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        notes = [
            replace(n, stop=min(n.stop, n.start + LONGEST_NOTE)) for n in decode_notes(symbols)
        ]
        midi_from_notes(notes).save(path)


def event_of(symbol: int) -> dict[str, Any]:
    """A symbol as an object with one field: `on`, `off`, `shift`, `velocity` or `end`."""
    if symbol == 0:
        return {"end": 1}
    if symbol < OFF:
        return {"on": symbol - ON + LOWEST_PITCH}
    if symbol < SHIFT:
        return {"off": symbol - OFF + LOWEST_PITCH}
    if symbol < VELOCITY:
        return {"shift": round((symbol - SHIFT + 1) * TICK, 2)}
    return {"velocity": _loudness(symbol)}


def _loudness(symbol: int) -> int:
    return (symbol - VELOCITY) * 4 + 2


def _parsed(event: object, where: str) -> list[int]:
    """The symbols of one event; a shift of more than a second takes several."""
    if isinstance(event, dict) and len(event) == 1:
        ((kind, value),) = event.items()
        number = type(value) in (int, float)
        if kind in ("on", "off") and type(value) is int and LOWEST_PITCH <= value <= HIGHEST_PITCH:
            return [(ON if kind == "on" else OFF) + value - LOWEST_PITCH]
        if kind == "velocity" and type(value) is int and 1 <= value <= 127:
            return [VELOCITY + value // 4]
        if kind == "shift" and number and 0 <= value <= 60:
            return list(_shifts(round(value / TICK)))
        if kind == "end" and value == 1:
            return [0]
    raise DataError(
        f"{where} is {reprlib.repr(event)}: events are on and off with a pitch "
        f"{LOWEST_PITCH} to {HIGHEST_PITCH}, shift with 0 to 60 seconds, velocity with 1 to 127"
    )


def _shifts(ticks: int) -> Iterable[int]:
    while ticks > 0:
        yield SHIFT + min(ticks, MAX_SHIFT) - 1
        ticks -= MAX_SHIFT


def encode_notes(notes: Iterable[Note]) -> Events:
    """The symbols of some notes, times rounded to 10 ms and velocities to 4.

    Every note lasts at least a tick, but ends when its key is struck again. At each moment keys
    are first released and then struck, from low to high.
    """
    ticks = [
        (start := round(n.start / TICK), max(round(n.stop / TICK), start + 1), n.pitch, n.velocity)
        for n in notes
    ]
    moments: list[Moment] = []
    for start, stop, pitch, velocity in one_keyboard(ticks):
        moments += [(start, 1, pitch, velocity), (stop, 0, pitch, 0)]
    symbols: list[int] = []
    now, loudness = 0, -1
    for tick, struck, pitch, velocity in sorted(moments):
        symbols += _shifts(tick - now)
        now = tick
        if struck and velocity // 4 != loudness:
            loudness = velocity // 4
            symbols.append(VELOCITY + loudness)
        symbols.append((ON if struck else OFF) + pitch - LOWEST_PITCH)
    return np.array(symbols, np.uint16)


def decode_notes(symbols: Iterable[int]) -> list[Note]:
    """The notes of some symbols, ordered by start.

    A key that is struck again is released first. A note that still sounds at a begin-and-end
    symbol or at the end ends there. The release of a key that is not down is ignored.
    """
    notes: list[Note] = []
    down: dict[int, tuple[int, int]] = {}  # pitch: (since when, how loud)
    ticks, velocity = 0, START_VELOCITY

    def lift(pitch: int) -> None:
        since, loudness = down.pop(pitch)
        if ticks > since:
            notes.append(Note(since * TICK, ticks * TICK, pitch, loudness))

    for symbol in symbols:
        if symbol == 0:
            for pitch in list(down):
                lift(pitch)
            ticks += round(PAUSE / TICK)
        elif symbol < SHIFT:
            pitch = (symbol - ON) % KEYS + LOWEST_PITCH
            if pitch in down:
                lift(pitch)
            if symbol < OFF:
                down[pitch] = (ticks, velocity)
        elif symbol < VELOCITY:
            ticks += symbol - SHIFT + 1
        else:
            velocity = _loudness(symbol)
    for pitch in list(down):
        lift(pitch)
    return sorted(notes, key=lambda n: (n.start, n.pitch))


def struck_pitches(symbols: Events) -> list[int]:
    """The pitches of the keys that go down, in order."""
    struck = symbols[(symbols >= ON) & (symbols < OFF)].astype(np.int64)
    return [int(pitch) for pitch in struck - ON + LOWEST_PITCH]


def transposed(symbols: Events, semitones: int) -> Events:
    """A piece moved by some semitones, or unchanged if a note would leave the keyboard."""
    keyed = (symbols >= ON) & (symbols < SHIFT)
    column = (symbols[keyed].astype(np.int32) - ON) % KEYS + semitones
    if column.size == 0 or column.min() < 0 or column.max() >= KEYS:
        return symbols
    moved = symbols.copy()
    moved[keyed] = (symbols[keyed].astype(np.int32) + semitones).astype(np.uint16)
    return moved


def stretched(symbols: Events, factor: float) -> Events:
    """A piece in another tempo; its moments, not its shifts, are rounded, so no error adds up."""
    passing = (symbols >= SHIFT) & (symbols < VELOCITY)
    ticks = np.where(passing, symbols.astype(np.int64) - SHIFT + 1, 0)
    moments = np.rint(np.cumsum(ticks) * factor).astype(np.int64)  # when each symbol is over
    made: list[int] = []
    now = 0
    for symbol, passes, moment in zip(
        symbols.tolist(), passing.tolist(), moments.tolist(), strict=True
    ):
        if not passes:
            made += _shifts(moment - now)
            now = moment
            made.append(symbol)
    made += _shifts(int(moments[-1]) - now if len(moments) else 0)
    return np.array(made, np.uint16)


def read_notes(path: Path, *, tracks: tuple[str, ...] = ()) -> list[Note]:
    """The notes of a MIDI file in seconds, by its tempos, lengthened by the sustain pedal.

    Drums are left out, and so are pitches beyond the piano. A key that two tracks or channels
    play at once is played once, as on a piano. Silence before the first note is cut.

    Args:
        tracks: see `read_midi`.

    Raises:
        DataError: see `read_midi`; or the file is too long.
    """
    read = read_midi(path, pedal=True, tracks=tracks)
    played = one_keyboard((n.start, n.stop, n.pitch, n.velocity) for n in read.notes)
    clock = read.clock()
    moments = sorted({tick for start, stop, *_ in played for tick in (start, stop)})
    at = {tick: clock(tick) for tick in moments}
    first = at[played[0][0]]
    if at[moments[-1]] - first > MAX_SECONDS:
        raise DataError(f"{path}: longer than {MAX_SECONDS / 3600:.0f} hours")
    return [Note(at[start] - first, at[stop] - first, p, v) for start, stop, p, v in played]


def midi_from_notes(
    notes: Sequence[Note], *, bpm: float | None = None, program: int = 0
) -> mido.MidiFile:
    """A MIDI file of some notes.

    Args:
        bpm: see `midi_file`.
    """
    per_second = 1000.0 if bpm is None else bpm / 60 * TICKS_PER_BEAT
    moments = [(round(n.start * per_second), 1, n.pitch, n.velocity) for n in notes]
    moments += [(round(n.stop * per_second), 0, n.pitch, 0) for n in notes]
    return midi_file(moments, bpm=bpm, program=program)
