"""Music as corpora: the benchmark's piano rolls, and folders of MIDI files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.files import DAMAGED, reason
from stream_rnn.codecs.performance import PerformanceCodec, encode_notes, read_notes
from stream_rnn.codecs.pianoroll import KEYS, PianorollCodec, roll_from_midi
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.folders import folder_corpus
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import SPLITS

Artists = tuple[str, ...] | None

MIDI = (".mid", ".midi")
SETS = ("traindata", "validdata", "testdata")  # what a `.mat` calls them

_LOG = logging.getLogger(__name__)


def rolls_mat(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Rolls in the published sets of Boulanger-Lewandowski, Bengio and Vincent (2012)."""
    splits = {name: [Document(roll) for roll in part] for name, part in _mat(path).items()}
    return Corpus(codec or PianorollCodec(recipe.steps_per_beat), (), splits)


def rolls_midi(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Rolls of a folder of MIDI files."""

    def read(file: Path) -> NDArray[Any]:
        return roll_from_midi(file, steps_per_beat=recipe.steps_per_beat, tracks=recipe.tracks)

    chosen = codec or PianorollCodec(recipe.steps_per_beat)
    return folder_corpus(path, recipe, chosen, artists, MIDI, read)


def performances(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Performance events of a folder of MIDI files."""

    def read(file: Path) -> NDArray[Any]:
        return encode_notes(read_notes(file, tracks=recipe.tracks))

    return folder_corpus(path, recipe, codec or PerformanceCodec(), artists, MIDI, read)


def _mat(path: Path) -> dict[str, list[NDArray[np.uint8]]]:
    """The rolls of a `.mat` by set. Those of no frames are left out, which is said."""
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError:
        raise DataError("reading .mat files needs scipy: pip install 'stream-rnn[train]'") from None
    try:
        data = loadmat(path)
        found = {name: [np.asarray(roll) for roll in data[name].ravel()] for name in SETS}
    except (MatReadError, *DAMAGED) as error:
        raise DataError(f"{path}: not a piano-roll .mat file ({reason(error)})") from None
    empty = []
    for name, pieces in found.items():
        for i, roll in enumerate(pieces):
            where = f"piece {i} of {name}"
            if not roll.size:
                empty.append(where)
                continue
            if roll.ndim != 2 or roll.shape[1] != KEYS:
                raise DataError(f"{path}: {where} has shape {roll.shape}, not [frames, {KEYS}]")
            if roll.dtype.kind not in "buif":
                raise DataError(f"{path}: {where} is not of numbers")
            other = roll[(roll != 0) & (roll != 1)]
            if len(other):
                raise DataError(f"{path}: {where} has {other[0]:g} in it; rolls are of 0 and 1")
    if empty:
        more = f", and {len(empty) - 1} more" if len(empty) > 1 else ""
        _LOG.warning("%s: left out, since it has no frames: %s%s", path, empty[0], more)
    return {
        split: [roll.astype(np.uint8) for roll in pieces if roll.size]
        for split, pieces in zip(SPLITS, found.values(), strict=True)
    }
