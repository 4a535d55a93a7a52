"""The notes of a MIDI file, as all code here that reads MIDI files gets them.

Keys are followed by track and channel, since two hands or two instruments may hold one key at the
same time. A strike of a key that is already down ends its earlier note, whatever the order of
note-on and note-off within the tick; no note is lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import mido
from mido.midifiles.meta import KeySignatureError

from stream_rnn.codecs.files import reason
from stream_rnn.errors import DataError

LOWEST_PITCH = 21
KEYS = 88
TICKS_PER_BEAT = 480  # of written files; triplets and quintuplets fall on whole ticks, too
HIGHEST_PITCH = LOWEST_PITCH + KEYS - 1
DRUMS = 9  # the channel of drums, counted from 0
SUSTAIN = 64  # the controller number of the sustain pedal
DEFAULT_TEMPO = 500_000  # microseconds a beat, until a file sets one
# What mido raises for a file that is not MIDI, or is damaged.
UNREADABLE = (OSError, EOFError, ValueError, KeyError, IndexError, TypeError, KeySignatureError)


Moment = tuple[int, int, int, int]  # tick, 1 where a key is struck or 0, pitch, velocity


class MidiNote(NamedTuple):
    """A note; its times are in ticks from the beginning of the file."""

    start: int
    stop: int
    pitch: int
    velocity: int
    channel: int
    track: int


@dataclass(frozen=True)
class MidiNotes:
    """The notes of a file, and its time.

    Attributes:
        notes: ordered by start; at least one.
        ticks_per_beat: ticks in a quarter note.
        tempos: `(tick, microseconds a beat)` in order, the first at tick 0.
    """

    notes: list[MidiNote]
    ticks_per_beat: int
    tempos: list[tuple[int, int]]

    def clock(self) -> Callable[[int], float]:
        """A function from ticks to seconds, by the tempos; ticks must not fall between calls."""
        changes = iter(self.tempos[1:])
        coming = next(changes, None)
        since, seconds, tempo = 0, 0.0, self.tempos[0][1]

        def at(tick: int) -> float:
            nonlocal coming, since, seconds, tempo
            while coming is not None and coming[0] <= tick:
                seconds += (coming[0] - since) * tempo / 1e6 / self.ticks_per_beat
                since, tempo = coming
                coming = next(changes, None)
            return seconds + (tick - since) * tempo / 1e6 / self.ticks_per_beat

        return at

    @property
    def bpm(self) -> float:
        """The tempo that is in force for most of the beats, in quarter notes a minute."""
        end = max(note.stop for note in self.notes)
        beats: dict[int, int] = defaultdict(int)
        for (tick, tempo), (until, _) in zip(
            self.tempos, [*self.tempos[1:], (end, 0)], strict=True
        ):
            beats[tempo] += max(0, min(until, end) - tick)
        return mido.tempo2bpm(max(beats, key=lambda tempo: beats[tempo]))  # type: ignore[no-any-return]


def read_midi(path: Path, *, pedal: bool = False, tracks: tuple[str, ...] = ()) -> MidiNotes:
    """The notes of a MIDI file on the piano's keys; drums (channel 10) are left out.

    The songs of a type-2 file are read one after another, each starting on a beat.

    Args:
        pedal: let notes sound on while the sustain pedal holds them.
        tracks: read only these, each by its number from 1 or by its name.

    Raises:
        DataError: not a MIDI file, no notes in it, or no such track.
    """
    try:
        file = mido.MidiFile(path)
        if file.ticks_per_beat <= 0:
            raise DataError(
                f"{path}: its time is in SMPTE frames, not in beats; export it with beats"
            )
        reading = _Reading(pedal)
        for tick, track, message in _events(file, _chosen(path, file, tracks)):
            reading.take(tick, track, message)
        notes = sorted(reading.finished(), key=itemgetter(0, 2))
    except UNREADABLE as error:
        raise DataError(f"{path}: not a readable MIDI file ({reason(error)})") from None
    if not notes:
        raise DataError(f"{path}: no notes on the piano's keys (drums do not count)")
    return MidiNotes(notes, file.ticks_per_beat, reading.tempos)


def _chosen(path: Path, file: mido.MidiFile, wanted: tuple[str, ...]) -> frozenset[int]:
    """The indices of the tracks to read."""
    if not wanted:
        return frozenset(range(len(file.tracks)))
    names = [" ".join(track.name.split()).lower() for track in file.tracks]
    said = {one.strip().lower() for one in wanted}
    chosen = {i for i, name in enumerate(names) if said & {name, str(i + 1)}}
    if not chosen:
        have = ", ".join(f"{i + 1} {name!r}" for i, name in enumerate(names))
        raise DataError(f"{path}: no track {' or '.join(map(repr, wanted))}; it has {have}")
    return frozenset(chosen)


def _events(file: mido.MidiFile, chosen: frozenset[int]) -> Iterator[tuple[int, int, Any]]:
    """The messages that matter, as `(tick, track, message)` in order of time.

    The tracks are merged here and not by mido, which copies every message and so takes twice as
    long to read a folder.
    """
    merged: list[tuple[int, int, Any]] = []
    begin = 0
    for number, track in enumerate(file.tracks):
        tick = begin
        if begin:  # a further song does not go on in the tempo of the one before
            merged.append((tick, number, mido.MetaMessage("set_tempo", tempo=DEFAULT_TEMPO)))
        for message in track:
            tick += message.time
            kind = message.type
            pedal = kind == "control_change" and message.control == SUSTAIN
            read = number in chosen and (pedal or kind in ("note_on", "note_off"))
            if read or kind == "set_tempo":
                merged.append((tick, number, message))
        merged.append((tick, number, None))  # the track's end
        if file.type == 2:
            begin = -(-tick // file.ticks_per_beat) * file.ticks_per_beat
    merged.sort(key=itemgetter(0))
    return iter(merged)


_Key = tuple[int, int, int]  # track, channel, pitch


@dataclass
class _Down:
    """A note that sounds: its key is down, or the pedal holds it."""

    start: int
    velocity: int
    held: bool = False


@dataclass
class _Reading:
    """Collects notes from messages that come in order of time."""

    pedal: bool
    tempos: list[tuple[int, int]] = field(default_factory=lambda: [(0, DEFAULT_TEMPO)])

    def __post_init__(self) -> None:
        self._notes: list[MidiNote] = []
        self._down: dict[_Key, _Down] = {}
        self._strikes: dict[_Key, int] = defaultdict(int)  # without a note-off so far
        self._last = 0
        self._pedals: set[int] = set()  # channels whose pedal is down

    def take(self, tick: int, track: int, message: Any) -> None:
        """Takes the next message; None marks the end of its track."""
        self._last = tick
        if message is None:
            for key in [key for key in self._down if key[0] == track]:
                # Another track may have the pedal that holds the note.
                self._down[key].held = key[1] in self._pedals
                if not self._down[key].held:
                    self._end(key, tick)
        elif message.type == "set_tempo":
            if tick == self.tempos[-1][0]:
                self.tempos.pop()
            self.tempos.append((tick, message.tempo))
        elif message.type == "control_change":
            self._press(message.channel, message.value >= 64, tick)
        elif message.channel != DRUMS and LOWEST_PITCH <= message.note <= HIGHEST_PITCH:
            key = (track, message.channel, message.note)
            if message.type == "note_on" and message.velocity > 0:
                self._strike(key, tick, message.velocity)
            else:
                self._let_go(key, tick)

    def finished(self) -> list[MidiNote]:
        """All notes, once every track has ended; notes that a pedal still holds end here."""
        for key in list(self._down):
            self._end(key, self._last)
        return self._notes

    def _press(self, channel: int, down: bool, tick: int) -> None:
        if not self.pedal:
            return
        if down:
            self._pedals.add(channel)
            return
        self._pedals.discard(channel)
        for key in [k for k, note in self._down.items() if k[1] == channel and note.held]:
            self._end(key, tick)

    def _strike(self, key: _Key, tick: int, velocity: int) -> None:
        if key in self._down:
            self._end(key, tick)
        self._down[key] = _Down(tick, velocity)
        self._strikes[key] += 1

    def _let_go(self, key: _Key, tick: int) -> None:
        strikes, note = self._strikes[key], self._down.get(key)
        self._strikes[key] = max(0, strikes - 1)
        if note is None or note.held:
            return
        if note.start == tick and strikes > 1:
            return  # this note-off is for an earlier note, which the new strike has ended already
        if key[1] in self._pedals:
            note.held = True
        else:
            self._end(key, tick)

    def _end(self, key: _Key, tick: int) -> None:
        track, channel, pitch = key
        note = self._down.pop(key)
        self._notes.append(MidiNote(note.start, tick, pitch, note.velocity, channel, track))


def midi_file(
    moments: Iterable[Moment], *, bpm: float | None = None, program: int = 0
) -> mido.MidiFile:
    """A MIDI file of one track.

    Args:
        bpm: the tempo, so that the file has the music's beats. None for music without a beat: its
            file has 500 ticks a beat at 120 beats a minute, so that a tick is a millisecond.
    """
    file = mido.MidiFile(ticks_per_beat=500 if bpm is None else TICKS_PER_BEAT)
    track = mido.MidiTrack()
    file.tracks.append(track)
    if bpm is not None:
        track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=0))
    track.append(mido.Message("program_change", program=program, time=0))
    written = 0
    for tick, struck, pitch, velocity in sorted(moments):
        kind = "note_on" if struck else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=velocity, time=tick - written))
        written = tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return file


def one_keyboard(
    notes: Iterable[tuple[int, int, int, int]],
) -> list[tuple[int, int, int, int]]:
    """Notes `(start, stop, pitch, velocity)` as one pair of hands would play them, in order.

    Notes of one key that begin together become one, as long as the longest and as loud as the
    loudest. A note ends when its key is struck again.
    """
    by_pitch: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for start, stop, pitch, velocity in notes:
        by_pitch[pitch].append((start, stop, velocity))
    played: list[tuple[int, int, int, int]] = []
    for pitch, spans in by_pitch.items():
        strikes: dict[int, tuple[int, int]] = {}
        for start, stop, velocity in spans:
            longest, loudest = strikes.get(start, (0, 0))
            strikes[start] = (max(stop, longest), max(velocity, loudest))
        starts = sorted(strikes)
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            stop, velocity = strikes[start]
            end = stop if following is None else min(stop, following)
            played.append((start, end, pitch, velocity))
    return sorted(played, key=itemgetter(0, 2))
