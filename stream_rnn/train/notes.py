"""Music as corpora: the benchmark's piano rolls, and folders of MIDI files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.performance import PerformanceCodec, encode_notes, read_notes
from stream_rnn.codecs.pianoroll import KEYS, PianorollCodec, roll_from_midi
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.folders import folder_corpus
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import SPLITS

Artists = tuple[str, ...] | None

MIDI = (".mid", ".midi")


def rolls_mat(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Rolls in the published sets of Boulanger-Lewandowski, Bengio and Vincent (2012)."""
    splits = {name: [Document(roll) for roll in part] for name, part in _mat(path).items()}
    return Corpus(codec or PianorollCodec(recipe.steps_per_beat), (), splits)


def rolls_midi(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Rolls of a folder of MIDI files."""

    def read(file: Path) -> NDArray[Any]:
        return roll_from_midi(file, steps_per_beat=recipe.steps_per_beat)

    chosen = codec or PianorollCodec(recipe.steps_per_beat)
    return folder_corpus(path, recipe, chosen, artists, MIDI, read)


def performances(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Performance events of a folder of MIDI files."""

    def read(file: Path) -> NDArray[Any]:
        return encode_notes(read_notes(file))

    return folder_corpus(path, recipe, codec or PerformanceCodec(), artists, MIDI, read)


def _mat(path: Path) -> dict[str, list[NDArray[np.uint8]]]:
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError:
        raise DataError("reading .mat files needs scipy: pip install 'stream-rnn[train]'") from None
    try:
        data = loadmat(path)
        names = ("traindata", "validdata", "testdata")
        found = [[np.asarray(r, np.uint8) for r in data[n].ravel()] for n in names]
    except (
        MatReadError,
        OSError,
        LookupError,
        ValueError,
        TypeError,
        NotImplementedError,
    ) as error:
        raise DataError(f"{path}: not a piano-roll .mat file ({error!r})") from None
    for pieces in found:
        for i, roll in enumerate(pieces):
            if roll.ndim != 2 or roll.shape[1] != KEYS:
                raise DataError(f"{path}: piece {i} has shape {roll.shape}, not [frames, {KEYS}]")
    return {n: [r for r in p if len(r)] for n, p in zip(SPLITS, found, strict=True)}
