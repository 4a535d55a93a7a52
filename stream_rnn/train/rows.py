"""Rows as corpora: the gestures of an ensemble, and streams of touch."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.ensemble import GESTURES, PLAYERS, EnsembleCodec
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import SPLITS, split_documents

Artists = tuple[str, ...] | None

SIMULATED = 300  # performances
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
        played = [(str(f), read_gestures(f)) for f in files]
        if not played:
            raise DataError(f"{path}: no .csv files in it")
    else:
        played = [(str(i), simulated(i)) for i in range(SIMULATED)]
    parts = split_documents(played, recipe.split, lambda p: [p[0]])
    splits = {
        name: [
            # Each player leads once: what is learnt holds for whoever comes first.
            Document(np.array(codec.encode(np.roll(rows, -lead, axis=1).tolist()), np.uint16))
            for _, rows in part
            for lead in (range(len(PLAYERS)) if name == "train" else range(1))
        ]
        for name, part in parts.items()
    }
    return Corpus(codec, (), splits)


def read_gestures(path: Path) -> NDArray[np.int64]:
    """The gestures `[seconds, 4]` of a CSV with a row a second and a column a player.

    A header is passed over, and so are columns that hold anything but classes, such as the
    time. Of more than four players the first four are read.

    Raises:
        DataError: fewer than four players, or no rows; it says which file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = [row for row in csv.reader(file, strict=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    body = table[1:] if table and not any(map(_is_class, table[0])) else table
    if not body:
        raise DataError(f"{path}: no rows in it")
    width = min(map(len, body))
    columns = [c for c in range(width) if all(_is_class(row[c]) for row in body)]
    if len(columns) < len(PLAYERS):
        raise DataError(
            f"{path}: {len(columns)} columns of gestures 0 to {len(GESTURES) - 1}; "
            f"{len(PLAYERS)} players are needed"
        )
    chosen = columns[: len(PLAYERS)]
    return np.array([[int(float(row[c])) for c in chosen] for row in body])


def _is_class(cell: str) -> bool:
    try:
        value = float(cell)
    except ValueError:
        return False
    return value in range(len(GESTURES))


def simulated(seed: int) -> NDArray[np.int64]:
    """A performance by four players who listen to each other, `[seconds, 4]`.

    Somebody has an idea, a gesture, and the others take it up with a lag of a few seconds,
    each in a way of their own. They hold it, vary it with its neighbours, rest. Now and then
    a new idea comes, and all change together, as Martin, Gardner and Swift (2015) found that
    such ensembles do.
    """
    dice = np.random.default_rng((2017, seed))
    seconds = int(dice.integers(*LENGTH))
    ideas = np.array([1, 2, 3, 4, 5, 6, 7, 8])
    # Taps lead to swipes, swipes to swirls and back, rather than anywhere.
    near = np.exp(-0.7 * np.abs(ideas[:, None] - ideas))
    np.fill_diagonal(near, 0.0)
    near /= near.sum(1, keepdims=True)
    eagerness = dice.uniform(0.25, 0.7, len(PLAYERS))
    restlessness = dice.uniform(0.01, 0.06, len(PLAYERS))
    idea = int(dice.choice(ideas))
    playing = np.zeros(len(PLAYERS), np.int64)
    rows = np.zeros((seconds, len(PLAYERS)), np.int64)
    since = 0
    for now in range(seconds):
        if since > 8 and dice.random() < 1 / 25:
            idea, since = int(dice.choice(ideas, p=near[idea - 1])), 0
            playing[dice.integers(len(PLAYERS))] = idea  # whose idea it is
        since += 1
        winding_down = now > seconds - 12
        for player in range(len(PLAYERS)):
            if winding_down and dice.random() < 0.3:
                playing[player] = 0
            elif not winding_down and playing[player] != idea:
                if dice.random() < eagerness[player] * (0.3 if since < 2 else 1.0):
                    playing[player] = idea
            elif dice.random() < restlessness[player]:
                playing[player] = 0 if dice.random() < 0.4 else dice.choice(ideas, p=near[idea - 1])
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

    Raises:
        DataError: not such a file, or too few rows in it.
    """
    try:
        if path.suffix == ".csv":
            table = np.genfromtxt(path, delimiter=",", dtype=np.float64)
        else:
            loaded = np.load(path, allow_pickle=False)
            table = loaded if isinstance(loaded, np.ndarray) else loaded[loaded.files[0]]
        whole = np.issubdtype(table.dtype, np.integer)
        rows = table.astype(np.float64).reshape(len(table), -1)
    except (OSError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise DataError(f"{path}: not a table of touches ({error})") from None
    rows = rows[~np.isnan(rows).any(1)]
    if rows.shape[1] != len(TOUCH_COLUMNS) or len(rows) < 2 * BLOCKS:
        raise DataError(
            f"{path}: {rows.shape[0]} rows of {rows.shape[1]} values; "
            f"{2 * BLOCKS} rows of {len(TOUCH_COLUMNS)} are needed"
        )
    rows = rows / 127 if whole or rows.max() > 1 else rows
    if rows.min() < 0 or rows.max() > 1:
        raise DataError(f"{path}: values must be 0 to 1, or 0 to 127")
    return rows
