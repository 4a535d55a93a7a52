"""Piano performances as symbols: note-on, note-off, time shift and velocity, one vocabulary.

The events of Oore, Simon, Dieleman, Eck and Simonyan (2018, arXiv 1808.03715), on the 88 keys:

* 0 is the boundary: the piece has ended, and every note with it;
* 1 to 88, a key goes down, at the velocity set last;
* 89 to 176, a key is let go;
* 177 to 276, time passes: 10 ms to 1 s;
* 277 to 308, the velocity of the notes to come, in 32 steps.

The sustain pedal has no symbol: a note lasts until the pedal lets it end.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import mido
import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import CategoricalCodec
from stream_rnn.codecs.files import reason
from stream_rnn.codecs.pianoroll import HIGHEST_PITCH, KEYS, LOWEST_PITCH, UNREADABLE
from stream_rnn.errors import CheckpointError, DataError

TICK = 0.01  # seconds
MAX_SHIFT = 100  # ticks in one time shift
VELOCITIES = 32
PAUSE = 2.0  # seconds of silence at a boundary
SUSTAIN = 64  # the pedal's controller number
DRUMS = 9

ON = 1
OFF = ON + KEYS
SHIFT = OFF + KEYS
VELOCITY = SHIFT + MAX_SHIFT
SIZE = VELOCITY + VELOCITIES

_HEARD = ("note_on", "note_off", "set_tempo", "end_of_track")

START_VELOCITY = 64
# A network may forget to let a key go. Of the notes of piano-midi.de, pedal and all, one in a
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
        if data.get("events", SIZE) != SIZE:
            raise CheckpointError(f"the card's codec has {data['events']} events, not {SIZE}")
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

    def read_prime(self, prime: str) -> list[int]:
        return [int(s) for s in encode_notes(read_notes(Path(prime)))]

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        notes = [
            replace(n, stop=min(n.stop, n.start + LONGEST_NOTE)) for n in decode_notes(symbols)
        ]
        midi_from_notes(notes).save(path)


def event_of(symbol: int) -> dict[str, Any]:
    """What a symbol means: one of `on`, `off`, `shift`, `velocity`, `end`."""
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
    """The symbols of one event: a shift of more than a second takes several."""
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

    Every note lasts a tick at least. At one moment keys are let go first, then struck, low
    to high.
    """
    moments: list[tuple[int, int, int, int]] = []
    for note in notes:
        start = round(note.start / TICK)
        stop = max(round(note.stop / TICK), start + 1)
        moments.append((start, 1, note.pitch, note.velocity))
        moments.append((stop, 0, note.pitch, 0))
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
    """The notes of some symbols, in order of their beginning.

    A key that is struck again ends first. What still sounds at a boundary or at the end is
    ended there, and a key let go that is not down is passed over.
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


def transposed(symbols: Events, semitones: int) -> Events:
    """A piece moved by some semitones, or as it was if a note would leave the keyboard."""
    keyed = (symbols >= ON) & (symbols < SHIFT)
    column = (symbols[keyed].astype(np.int32) - ON) % KEYS + semitones
    if column.size == 0 or column.min() < 0 or column.max() >= KEYS:
        return symbols
    moved = symbols.copy()
    moved[keyed] = (symbols[keyed].astype(np.int32) + semitones).astype(np.uint16)
    return moved


def stretched(symbols: Events, factor: float) -> Events:
    """A piece in another tempo, its moments rounded to 10 ms anew, so that no error adds up."""
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


def read_notes(path: Path) -> list[Note]:
    """The notes of a MIDI file, in seconds by its tempo, held as the sustain pedal holds them.

    Drums are left out, and so are pitches beyond the piano. Silence before the first note is
    cut.

    Raises:
        DataError: not a MIDI file, no notes in it, or too long.
    """
    try:
        file = mido.MidiFile(path)
        if file.ticks_per_beat <= 0 or file.type == 2:
            what = "its time is in SMPTE frames" if file.type != 2 else "its tracks are songs apart"
            raise DataError(f"{path}: {what}; export it with beats, as one song")
        notes = sorted(_sounding(file), key=lambda n: (n.start, n.pitch))
    except UNREADABLE as error:
        raise DataError(f"{path}: not a readable MIDI file ({reason(error)})") from None
    if not notes:
        raise DataError(f"{path}: no notes on the piano's keys (drums do not count)")
    first = notes[0].start
    if max(n.stop for n in notes) - first > MAX_SECONDS:
        raise DataError(f"{path}: longer than {MAX_SECONDS / 3600:.0f} hours")
    return [Note(n.start - first, n.stop - first, n.pitch, n.velocity) for n in notes]


def _sounding(file: mido.MidiFile) -> Iterable[Note]:
    """Notes as they are heard; one that is never ended ends with the file."""
    now = 0.0
    down: dict[tuple[int, int], tuple[float, int]] = {}  # (channel, pitch): (since, velocity)
    released: set[tuple[int, int]] = set()  # let go, but held by the pedal
    pedal: set[int] = set()  # channels whose pedal is down
    for now, message in _timed(file):
        if message.type == "control_change" and message.control == SUSTAIN:
            if message.value >= 64:
                pedal.add(message.channel)
                continue
            pedal.discard(message.channel)
            for key in [k for k in released if k[0] == message.channel]:
                released.discard(key)
                since, velocity = down.pop(key)
                yield Note(since, now, key[1], velocity)
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        if not LOWEST_PITCH <= message.note <= HIGHEST_PITCH:
            continue
        key = (message.channel, message.note)
        struck = message.type == "note_on" and message.velocity > 0
        if key in down and not struck and message.channel in pedal:
            released.add(key)
            continue
        if key in down:
            released.discard(key)
            since, velocity = down.pop(key)
            yield Note(since, now, key[1], velocity)
        if struck:
            down[key] = (now, message.velocity)
    for (_, pitch), (since, velocity) in down.items():
        yield Note(since, now, pitch, velocity)


def _timed(file: mido.MidiFile) -> Iterable[tuple[float, Any]]:
    """The notes, the pedal and the tracks' ends, when they come in seconds.

    Merged here and not by mido, which copies every message: a folder is read in half
    the time.
    """
    merged: list[tuple[int, Any]] = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            kind = message.type
            if kind in _HEARD or (kind == "control_change" and message.control == SUSTAIN):
                merged.append((tick, message))
    merged.sort(key=itemgetter(0))
    now, before, tempo = 0.0, 0, 500_000
    for tick, message in merged:
        now += (tick - before) * tempo / 1e6 / file.ticks_per_beat
        before = tick
        if message.type == "set_tempo":
            tempo = message.tempo
        else:
            yield now, message


def midi_from_notes(notes: Sequence[Note], *, program: int = 0) -> mido.MidiFile:
    """A MIDI file of some notes: 500 ticks a beat at 120 beats a minute, a tick a millisecond."""
    file = mido.MidiFile(ticks_per_beat=500)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.Message("program_change", program=program, time=0))
    moments = [(round(n.start * 1000), 1, n.pitch, n.velocity) for n in notes]
    moments += [(round(n.stop * 1000), 0, n.pitch, 0) for n in notes]
    written = 0
    for moment, struck, pitch, velocity in sorted(moments):
        kind = "note_on" if struck else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=velocity, time=moment - written))
        written = moment
    track.append(mido.MetaMessage("end_of_track", time=0))
    return file
