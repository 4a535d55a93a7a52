"""Piano rolls as symbols: a symbol is the set of piano keys that sound in one frame.

A roll is an array `[frames, 88]` of 0 and 1, whose column 0 is MIDI pitch 21 (A0) and
column 87 is 108 (C8): the layout of Boulanger-Lewandowski, Bengio and Vincent (2012).
As an `int`, bit `k` of a symbol is column `k`. The silent frame is the begin-and-end symbol.

A roll does not tell a held note from a repeated one, so a written MIDI file holds a key
for as long as it sounds in successive frames.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mido
import numpy as np
from numpy.typing import NDArray

from stream_rnn import schema
from stream_rnn.codecs.base import STEPS_PER_BEAT, Head, Symbols, int_to_bytes, ints_from_bytes
from stream_rnn.codecs.midi_notes import HIGHEST_PITCH as HIGHEST_PITCH
from stream_rnn.codecs.midi_notes import KEYS as KEYS
from stream_rnn.codecs.midi_notes import LOWEST_PITCH as LOWEST_PITCH
from stream_rnn.codecs.midi_notes import TICKS_PER_BEAT, Moment, midi_file, read_midi
from stream_rnn.errors import DataError

MAX_FRAMES = 1_000_000
VELOCITY = 80  # of written notes
_FIELDS = schema.table({"steps_per_beat": STEPS_PER_BEAT}, {"domain": schema.ANYTHING})

Roll = NDArray[np.uint8]


class PianorollCodec:
    """Frames to bit masks and back.

    Args:
        steps_per_beat: frames in one quarter note, for tempo and MIDI files.
    """

    domain = "pianoroll"
    head: Head = "bernoulli"
    size = KEYS
    width = KEYS // 8
    boundary = 0
    suppressed: tuple[int, ...] = ()
    transitions: NDArray[np.bool_] | None = None
    endings: tuple[str, ...] = (".mid",)
    printable = False

    def __init__(self, steps_per_beat: int = 4) -> None:
        STEPS_PER_BEAT.check(steps_per_beat, "steps_per_beat")
        self.steps_per_beat = steps_per_beat

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PianorollCodec:
        """The codec that `to_json` described."""
        _FIELDS.check(data, "codec")
        return cls(data["steps_per_beat"])

    def to_json(self) -> dict[str, Any]:
        return {"domain": self.domain, "steps_per_beat": self.steps_per_beat}

    def parse(self, value: object) -> list[int]:
        if not isinstance(value, list):
            raise DataError(
                "a piano-roll model takes a list of frames, each a list of MIDI pitches"
            )
        return [pitches_to_mask(frame, where=f"frame {i}") for i, frame in enumerate(value)]

    def event(self, symbol: int) -> dict[str, Any]:
        return {"notes": mask_to_pitches(symbol)}

    def seconds(self, symbol: int) -> float | None:
        return None

    def velocity(self, symbol: int) -> int | None:
        return None

    def reading(self) -> None:
        return None

    def show(self, symbols: Sequence[int]) -> str:
        return "\n".join("".join(".#"[s >> key & 1] for key in range(KEYS)) for s in symbols)

    def read_prime(self, prime: str | Path, tracks: tuple[str, ...] = ()) -> list[int]:
        roll = roll_from_midi(Path(prime), steps_per_beat=self.steps_per_beat, tracks=tracks)
        return ints_from_bytes(self.pack(roll), self.width)

    def prime_bpm(self, prime: str | Path) -> float | None:
        return read_midi(Path(prime)).bpm

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        roll = self.unpack(b"".join(int_to_bytes(s, self.width) for s in symbols))
        midi_from_roll(roll, steps_per_beat=self.steps_per_beat, bpm=bpm).save(path)

    def pack(self, array: Symbols) -> bytes:
        return np.packbits(np.asarray(array, dtype=np.uint8), axis=-1, bitorder="little").tobytes()

    def unpack(self, data: bytes) -> Symbols:
        rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, self.width)
        return np.unpackbits(rows, axis=-1, bitorder="little")


def pitches_to_mask(frame: object, *, where: str = "frame") -> int:
    """The symbol of a frame given as MIDI pitches.

    Raises:
        DataError: not a list of whole numbers from 21 to 108.
    """
    if not isinstance(frame, list):
        raise DataError(f"{where} must be a list of MIDI pitches, such as [60, 64, 67]")
    mask = 0
    for pitch in frame:
        if type(pitch) is not int or not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
            raise DataError(
                # reprlib, because a client may send a value too deeply nested to be shown whole.
                f"{where} has {reprlib.repr(pitch)}: pitches are whole numbers "
                f"{LOWEST_PITCH} to {HIGHEST_PITCH}"
            )
        mask |= 1 << (pitch - LOWEST_PITCH)
    return mask


def mask_to_pitches(mask: int) -> list[int]:
    """The MIDI pitches of a symbol, lowest first."""
    pitches = []
    while mask:
        lowest = mask & -mask
        pitches.append(LOWEST_PITCH + lowest.bit_length() - 1)
        mask ^= lowest
    return pitches


def roll_from_midi(path: Path, *, steps_per_beat: int, tracks: tuple[str, ...] = ()) -> Roll:
    """The piano roll of a MIDI file, `[frames, 88]`.

    Notes begin and end at the nearest frame, and last at least one. Drums (channel 10) are
    left out, and so are pitches beyond the piano. Frames divide beats, so tempo changes do
    not matter.

    Args:
        tracks: see `read_midi`.

    Raises:
        DataError: see `read_midi`; or the file is too long.
    """
    read = read_midi(path, tracks=tracks)
    frame_ticks = read.ticks_per_beat / steps_per_beat
    frames = max(_grid(note.stop, frame_ticks) for note in read.notes) + 1
    if frames > MAX_FRAMES:
        raise DataError(f"{path}: {frames} frames; at most {MAX_FRAMES} are read")
    roll = np.zeros((frames, KEYS), np.uint8)
    for note in read.notes:
        first = _grid(note.start, frame_ticks)
        last = max(_grid(note.stop, frame_ticks), first + 1)
        roll[first:last, note.pitch - LOWEST_PITCH] = 1
    sounding = np.flatnonzero(roll.any(axis=1))
    return roll[: sounding[-1] + 1]


def _grid(tick: int, frame_ticks: float) -> int:
    return int(tick / frame_ticks + 0.5)


def midi_from_roll(roll: Roll, *, steps_per_beat: int, bpm: float = 120.0) -> mido.MidiFile:
    """A MIDI file of a roll `[frames, 88]`; a key that sounds in successive frames is held."""
    padded = np.pad(roll.astype(np.int8), ((1, 1), (0, 0)))
    changes = np.diff(padded, axis=0)  # [frames + 1, 88]: 1 begins, -1 ends
    moments: list[Moment] = []
    for frame, key in np.argwhere(changes).tolist():
        tick, struck = round(frame * TICKS_PER_BEAT / steps_per_beat), int(changes[frame, key] > 0)
        moments.append((tick, struck, LOWEST_PITCH + key, VELOCITY * struck))
    return midi_file(moments, bpm=bpm)
