"""Files of piano rolls: the benchmark's `.mat`, JSON lists of chords, and NumPy's `.npz`."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.files import DAMAGED, read_utf8, reason
from stream_rnn.codecs.midi_notes import HIGHEST_PITCH, KEYS, LOWEST_PITCH
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Artists, Corpus, Document
from stream_rnn.train.duplicates import near_duplicates, of_rolls, told
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import SPLITS, split_documents

Pieces = list[tuple[str, NDArray[np.uint8]]]
"""Rolls `[frames, 88]`, each with its name for messages."""

SETS = ("traindata", "validdata", "testdata")  # the names of `SPLITS` in a `.mat`
PITCHES = 128  # columns of a roll that has one for each MIDI pitch


def rolls(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """The rolls of one file. Three sets of its own are kept; pieces without sets are split.

    Pieces without frames are left out.

    Raises:
        DataError: the file has no rolls of these kinds, or only two of the sets; the message says
            where it differs.
    """
    read = {".json": _json, ".npz": _npz}.get(path.suffix.lower(), _mat)
    found = read(path)
    left_out = [
        f"{path}: {name} has no frames"
        for pieces in found.values()
        for name, roll in pieces
        if not len(roll)
    ]
    kept = {name: [p for p in pieces if len(p[1])] for name, pieces in found.items()}
    every = [piece for pieces in kept.values() for piece in pieces]
    alike = near_duplicates(of_rolls(roll for _, roll in every))
    remark = told(alike)
    if len(kept) == 2:
        raise DataError(
            f"{path}: it has sets named {' and '.join(kept)}; name all of train, valid and test, "
            "or give one list of pieces, which is split"
        )
    if len(kept) == len(SPLITS):
        remark = _across([name for name, pieces in kept.items() for _ in pieces], alike)
    else:
        kept = split_documents(every, recipe.split, lambda piece: [piece[0]], alike)
    splits = {name: [Document(roll) for _, roll in kept[name]] for name in SPLITS}
    chosen = codec or PianorollCodec(recipe.steps_per_beat)
    return Corpus(chosen, (), splits, tuple(left_out), remark)


def _across(sets: list[str], alike: Iterable[tuple[int, int]]) -> str:
    """A remark on test pieces that other published sets have, too; the sets are not changed."""
    met = [{sets[one], sets[other]} for one, other in alike]
    counts = {
        "train": sum(pair == {"train", "test"} for pair in met),
        "valid": sum(pair == {"valid", "test"} for pair in met),
    }
    said = [f"{n} like one in {name}" for name, n in counts.items() if n]
    if not said:
        return ""
    return f"pieces of the published test set that are nearly the same as others: {', '.join(said)}"


def _set_of(name: str) -> str | None:
    """The set that a name begins with, such as `valid` for `valid_3` and `validation`."""
    begins = re.match(
        r"(train|valid|val|test)(?![a-z])|(training|validation|testing)", name.lower()
    )
    if begins is None:
        return None
    said = begins[0]
    return next(split for split in SPLITS if split.startswith(said[:3]))


def _json(path: Path) -> dict[str, Pieces]:
    """Chords as lists of MIDI pitches: `{"train": [piece, …], …}`, or a list of pieces.

    The JSB chorales on the web have this layout: a piece is a list of frames, and a frame has the
    pitch of each voice. A voice is silent where its pitch is negative or null.
    """
    try:
        data = json.loads(read_utf8(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({reason(error)})") from None
    sets = data if isinstance(data, dict) else {"": data}
    found: dict[str, Pieces] = {}
    for name, pieces in sets.items():
        split = _set_of(name) or ""
        if not isinstance(pieces, list) or (isinstance(data, dict) and not split):
            raise DataError(
                f"{path}: {name!r} is not a set; it needs lists of pieces named train, valid "
                "and test, or one list of pieces"
            )
        made = found.setdefault(split, [])
        for i, piece in enumerate(pieces):
            where = f"{f'{name} ' if name else ''}piece {i}"
            if not isinstance(piece, list):
                raise DataError(f"{path}: {where} is not a list of frames")
            made.append((where, _chords(path, where, piece)))
    return found


def _chords(path: Path, where: str, frames: list[Any]) -> NDArray[np.uint8]:
    roll = np.zeros((len(frames), KEYS), np.uint8)
    for number, frame in enumerate(frames):
        for pitch in frame if isinstance(frame, list) else [None, frame]:
            if pitch is None or (isinstance(pitch, int | float) and not pitch >= 0):
                continue  # the voice rests; a NaN is a rest, too
            if isinstance(pitch, bool) or not isinstance(pitch, int | float) or pitch % 1:
                raise DataError(
                    f"{path}: {where}, frame {number} has {pitch!r}, which is no MIDI pitch"
                )
            if not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
                raise DataError(
                    f"{path}: {where}, frame {number} has {pitch:g}; pitches are "
                    f"{LOWEST_PITCH} to {HIGHEST_PITCH}"
                )
            roll[number, int(pitch) - LOWEST_PITCH] = 1
    return roll


def _npz(path: Path) -> dict[str, Pieces]:
    """Arrays `[frames, keys]` or `[pieces, frames, keys]`, named after the sets they belong to.

    Of 128 keys only the piano's are taken. A key sounds where its value is above 0.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("not a zip file, as .npz is")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (*DAMAGED, zipfile.BadZipFile) as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: it holds Python objects, which are not read; save each piece as an "
                "array of its own: np.savez(path, **{f'train_{i}': roll, …})"
            ) from None
        raise DataError(f"{path}: not a file of arrays ({reason(error)})") from None
    named = all(_set_of(name) for name in arrays)
    found: dict[str, Pieces] = {}
    for name, array in arrays.items():
        if array.ndim not in (2, 3) or array.dtype.kind not in "buif":
            raise DataError(
                f"{path}: {name} has shape {array.shape} and type {array.dtype}; it must be "
                f"numbers, [frames, {KEYS} or {PITCHES}]"
            )
        pieces = found.setdefault((_set_of(name) if named else None) or "", [])
        for i, roll in enumerate(array if array.ndim == 3 else [array]):
            where = f"{name} {i}" if array.ndim == 3 else name
            pieces.append((where, _keys(path, where, roll)))
    return found


def _keys(path: Path, where: str, roll: NDArray[Any]) -> NDArray[np.uint8]:
    if not roll.size:
        return np.zeros((0, KEYS), np.uint8)
    if roll.shape[1] not in (KEYS, PITCHES):
        raise DataError(f"{path}: {where} has {roll.shape[1]} keys, not {KEYS} or {PITCHES}")
    if roll.shape[1] == PITCHES:
        beyond = np.delete(roll > 0, np.s_[LOWEST_PITCH : HIGHEST_PITCH + 1], axis=1)
        if beyond.any():
            raise DataError(f"{path}: {where} has pitches beyond {LOWEST_PITCH} to {HIGHEST_PITCH}")
        roll = roll[:, LOWEST_PITCH : HIGHEST_PITCH + 1]
    return (roll > 0).astype(np.uint8)


def _mat(path: Path) -> dict[str, Pieces]:
    """The published sets of Boulanger-Lewandowski, Bengio and Vincent (2012)."""
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
    return {
        split: list(_of_mat(path, name, found[name]))
        for split, name in zip(SPLITS, SETS, strict=True)
    }


def _of_mat(path: Path, name: str, pieces: list[NDArray[Any]]) -> Iterable[tuple[str, Any]]:
    for i, roll in enumerate(pieces):
        where = f"piece {i} of {name}"
        if not roll.size:
            yield where, np.zeros((0, KEYS), np.uint8)
            continue
        if roll.ndim != 2 or roll.shape[1] != KEYS:
            raise DataError(f"{path}: {where} has shape {roll.shape}, not [frames, {KEYS}]")
        if roll.dtype.kind not in "buif":
            raise DataError(f"{path}: {where} does not consist of numbers")
        other = roll[(roll != 0) & (roll != 1)]
        if len(other):
            raise DataError(f"{path}: {where} has {other[0]:g} in it; rolls have only 0 and 1")
        yield where, roll.astype(np.uint8)
