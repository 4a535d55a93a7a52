"""Corpora of MIDI files in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.performance import PerformanceCodec, encode_notes, read_notes, struck_pitches
from stream_rnn.codecs.pianoroll import PianorollCodec, roll_from_midi
from stream_rnn.train.corpus import Corpus
from stream_rnn.train.duplicates import of_melodies, of_rolls
from stream_rnn.train.folders import folder_corpus
from stream_rnn.train.recipe import DataRecipe

Artists = tuple[str, ...] | None

MIDI = (".mid", ".midi")


def rolls_midi(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Rolls of a folder of MIDI files."""

    def read(file: Path) -> NDArray[Any]:
        return roll_from_midi(file, steps_per_beat=recipe.steps_per_beat, tracks=recipe.tracks)

    chosen = codec or PianorollCodec(recipe.steps_per_beat)
    return folder_corpus(path, recipe, chosen, artists, MIDI, read, of_rolls)


def performances(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Performance events of a folder of MIDI files."""

    def read(file: Path) -> NDArray[Any]:
        return encode_notes(read_notes(file, tracks=recipe.tracks))

    def melodies(pieces: Iterable[NDArray[Any]]) -> list[NDArray[np.uint64]]:
        return of_melodies((struck_pitches(piece) for piece in pieces), length=12)

    chosen = codec or PerformanceCodec()
    return folder_corpus(path, recipe, chosen, artists, MIDI, read, melodies)
