"""Scales by name, and the piano's pitches in them."""

from __future__ import annotations

import reprlib

from stream_rnn.codecs.pianoroll import HIGHEST_PITCH, LOWEST_PITCH
from stream_rnn.errors import DataError

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
}
TONICS = {
    "C": 0, "C#": 1, "Db": 1, "D": 2, "D#": 3, "Eb": 3, "E": 4, "F": 5, "F#": 6, "Gb": 6,
    "G": 7, "G#": 8, "Ab": 8, "A": 9, "A#": 10, "Bb": 10, "B": 11,
}  # fmt: skip


def scale_pitches(name: str) -> list[int]:
    """The piano's pitches in a scale: `D dorian`, `C major`, or `major` (on C).

    Raises:
        DataError: no such scale.
    """
    tonic, _, scale = name.partition(" ")
    if tonic not in TONICS:
        tonic, scale = "C", name
    if scale not in SCALES:
        raise DataError(
            f"{reprlib.repr(name)} is no scale; scales are {', '.join(SCALES)}, "
            "after a tonic such as F# if you like"
        )
    return [
        p
        for p in range(LOWEST_PITCH, HIGHEST_PITCH + 1)
        if (p - TONICS[tonic]) % 12 in SCALES[scale]
    ]
