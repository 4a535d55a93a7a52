"""Rows as corpora: the gestures of an ensemble, and streams of touch."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.ensemble import PLAYERS, EnsembleCodec, read_csv
from stream_rnn.codecs.files import DAMAGED, read_utf8, reason
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import SPLITS, split_documents

Artists = tuple[str, ...] | None

SIMULATED = 1000  # performances
LENGTH = (200, 420)  # seconds of each
BLOCKS = 100  # stretches that a recording is cut into, to split it
LEVELS = 32
TOUCH_COLUMNS = ("x", "y", "pressure")
TOUCH_PERIOD = 0.05


def ensembles(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Performances of an ensemble: a folder of CSVs, or without a `source` simulated ones."""
    codec = codec or EnsembleCodec.usual()
    assert isinstance(codec, EnsembleCodec)
    if recipe.source:
        files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
        # By the name in the folder: the split must not depend on where the folder lies.
        played = [(str(f.relative_to(path)), np.array(read_csv(f))) for f in files]
        if not played:
            raise DataError(f"{path}: no .csv files in it")
        if empty := [name for name, rows in played if not len(rows)]:
            raise DataError(f"{path / empty[0]}: no rows in it")
    else:
        played = [(str(i), simulated(i)) for i in range(SIMULATED)]
    parts = split_documents(played, recipe.split, lambda p: [p[0]])
    splits = {
        name: [
            # Of a recording each player leads once: nobody is known to have led. Of the simulated
            # ones the first does.
            Document(np.array(codec.encode(np.roll(rows, -lead, axis=1).tolist()), np.uint16))
            for _, rows in part
            for lead in range(len(PLAYERS) if recipe.source and name == "train" else 1)
        ]
        for name, part in parts.items()
    }
    return Corpus(codec, (), splits)


def simulated(seed: int) -> NDArray[np.int64]:
    """A performance by four players, of whom the first leads, `[seconds, 4]`.

    The lead does as people do: waits, has an idea, a gesture, and stays with it for some
    seconds; goes on to one that lies near, or far off; rests. The others take an idea up, each
    with a lag of a few seconds and in a way of their own. They hold it, vary it with its
    neighbours and come back, rest, and change together with the lead, as Martin, Gardner and
    Swift (2015) found that such ensembles do. Where the lead rests for long they thin out, and
    now and then one of them has an idea that the others follow.
    """
    dice = np.random.default_rng((2017, seed))
    seconds = int(dice.integers(*LENGTH))
    ideas = np.array([1, 2, 3, 4, 5, 6, 7, 8])
    # Taps lead to swipes, swipes to swirls and back, rather than anywhere.
    near = np.exp(-0.7 * np.abs(ideas[:, None] - ideas))
    np.fill_diagonal(near, 0.0)
    near /= near.sum(1, keepdims=True)
    eagerness = dice.uniform(0.25, 0.7, len(PLAYERS))
    restlessness = dice.uniform(0.02, 0.1, len(PLAYERS))
    patience = dice.uniform(4.0, 20.0)  # seconds that the lead stays with an idea
    rows = np.zeros((seconds, len(PLAYERS)), np.int64)
    playing = np.zeros(len(PLAYERS), np.int64)
    idea, since, rested = 0, 0, 0
    left = dice.exponential(3.0)  # seconds until the lead does something else
    for now in range(seconds):
        left, since = left - 1, since + 1
        if left <= 0:
            if playing[0] and dice.random() < 0.2:
                playing[0], left = 0, dice.exponential(5.0)
            else:
                far = idea == 0 or dice.random() < 0.4
                playing[0] = dice.choice(ideas, p=None if far else near[idea - 1])
                idea, since, left = playing[0], 0, dice.exponential(patience)
        rested = 0 if playing[0] else rested + 1
        winding_down = now > seconds - 12
        if winding_down and dice.random() < 0.3:
            playing[0], left = 0, seconds
        if rested > 4 and not winding_down and dice.random() < 1 / 15:
            idea, since = int(dice.choice(ideas)), 0
            playing[dice.integers(1, len(PLAYERS))] = idea  # whose idea it is
        for player in range(1, len(PLAYERS)):
            if winding_down and dice.random() < 0.3:
                playing[player] = 0
            elif rested > 4 and since > 8:
                if dice.random() < 0.12:
                    playing[player] = 0
            elif not winding_down and idea and playing[player] != idea:
                if dice.random() < eagerness[player] * (0.3 if since < 1 else 1.0):
                    playing[player] = idea
            elif dice.random() < restlessness[player]:
                near_by = near[playing[player] - 1] if playing[player] else None
                playing[player] = 0 if dice.random() < 0.4 else dice.choice(ideas, p=near_by)
        rows[now] = playing
    return rows


def touches(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """A recording of a touch surface: a `.npy`, `.npz` or CSV of rows of three values.

    It is cut into blocks, and those are dealt to the sets, since one recording is one
    document otherwise.
    """
    values = read_touches(path)
    codec = codec or TouchCodec(TOUCH_COLUMNS, LEVELS, TOUCH_PERIOD)
    assert isinstance(codec, TouchCodec)
    classes = np.minimum((values * codec.classes).astype(np.int64), codec.classes - 1)
    blocks = list(enumerate(np.array_split(classes, BLOCKS)))
    parts = split_documents(blocks, recipe.split, lambda b: [str(b[0])])
    splits = {
        name: [
            Document(np.array(codec.encode(rows.tolist()), np.uint16), ends=False)
            for _, rows in parts[name]
        ]
        for name in SPLITS
    }
    return Corpus(codec, (), splits)


def read_touches(path: Path) -> NDArray[np.float64]:
    """Rows `[reports, 3]` from 0 to 1; whole numbers are read as MIDI's 0 to 127.

    Rows with a NaN, or of a CSV with an empty cell, stand for a gap and are left out.

    Raises:
        DataError: not such a file, too few rows in it, or a value that is neither.
    """
    table = _csv_of_touches(path) if path.suffix == ".csv" else _array_of_touches(path)
    whole = np.issubdtype(table.dtype, np.integer)
    rows = table.astype(np.float64)
    rows = rows[~np.isnan(rows).any(1)]
    if rows.shape[1] != len(TOUCH_COLUMNS) or len(rows) < 2 * BLOCKS:
        raise DataError(
            f"{path}: {rows.shape[0]} rows of {rows.shape[1]} values; "
            f"{2 * BLOCKS} rows of {len(TOUCH_COLUMNS)} are needed"
        )
    most = 127 if whole else 1
    if outside := rows[(rows < 0) | (rows > most)].tolist():
        raise DataError(
            f"{path}: values must be 0 to 1, or whole numbers 0 to 127; it has {outside[0]:g}"
        )
    return rows / most


def _array_of_touches(path: Path) -> NDArray[Any]:
    """Of a `.npy` or `.npz`, `[reports, values]`."""
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            table = loaded if isinstance(loaded, np.ndarray) else loaded[loaded.files[0]]
        if table.dtype.kind not in "fiu":
            raise ValueError(f"its values are of the type {table.dtype}")
        return np.asarray(table.reshape(len(table), -1))
    except DAMAGED as error:
        raise DataError(f"{path}: not a table of touches ({reason(error)})") from None


def _csv_of_touches(path: Path) -> NDArray[Any]:
    """Of a CSV, `[reports, values]`: whole numbers if all of them are."""
    rows: list[list[float]] = []
    whole, wide = True, 0
    for number, line in enumerate(read_utf8(path).split("\n"), 1):
        cells = [cell.strip() for cell in line.partition("#")[0].split(",")]
        if not any(cells):
            continue
        values = [_number(cell) for cell in cells]
        if not wide:
            wide = len(cells)
            if not any(value is not None for value in values):
                continue  # a header
        if len(cells) != wide:
            raise DataError(f"{path}, line {number}: not {wide} values, as in the lines before")
        if None in values:
            wrong = reprlib.repr(cells[values.index(None)])
            raise DataError(f"{path}, line {number}: {wrong} is not a number")
        whole = whole and all(cell.isdecimal() for cell in cells)
        rows.append([value for value in values if value is not None])
    table = np.array(rows, np.float64).reshape(-1, wide or 1)
    return table.astype(np.int64) if whole else table


def _number(cell: str) -> float | None:
    """A cell's number; NaN if it is empty."""
    try:
        return float(cell or "nan")
    except ValueError:
        return None
