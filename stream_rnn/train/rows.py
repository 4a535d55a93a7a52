"""Corpora of rows: the gestures of an ensemble, and streams of touch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.ensemble import PLAYERS, EnsembleCodec, read_csv
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import SPLITS, split_documents
from stream_rnn.train.touches import read_recordings

Artists = tuple[str, ...] | None

SIMULATED = 1000  # performances
LENGTH = (200, 420)  # seconds of each
BLOCKS = 100  # stretches that recordings are cut into, about, so that they can be split
LEVELS = 32
TOUCH_PERIOD = 0.05


def ensembles(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Performances of an ensemble from a folder of CSVs, or without a `source` simulated ones.

    The band has as many players as most of the files, or as `recipe.players` says. In a file with
    more players the first ones are read; a file with fewer is left out.
    """
    assert codec is None or isinstance(codec, EnsembleCodec)
    if not recipe.source:
        codec = codec or EnsembleCodec.usual()
        played = {str(i): simulated(i) for i in range(SIMULATED)}
        return _ensemble(codec, played, (), recipe)
    files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: no .csv files in it")
    found: dict[str, NDArray[np.int64]] = {}
    left_out: list[str] = []
    for file in files:
        try:
            rows = read_csv(file)
            if not rows:
                raise DataError(f"{file}: no rows in it")
        except DataError as error:
            left_out.append(str(error))
            continue
        # Named relative to the folder, since the split must not depend on where the folder is.
        found[str(file.relative_to(path))] = np.array(rows)
    if not found:
        raise DataError(left_out[0])
    sizes = Counter(rows.shape[1] for rows in found.values())
    players = len(codec.columns) if codec else recipe.players or sizes.most_common(1)[0][0]
    for name in [name for name, rows in found.items() if rows.shape[1] < players]:
        few = found.pop(name).shape[1]
        left_out.append(
            f"{path / name}: {few} players, but the band has {players}; see data.players"
        )
    if not found:
        raise DataError(left_out[-1])
    played = {name: rows[:, :players] for name, rows in found.items()}
    return _ensemble(codec or EnsembleCodec.usual(players), played, tuple(left_out), recipe)


def _ensemble(
    codec: EnsembleCodec,
    played: dict[str, NDArray[np.int64]],
    left_out: tuple[str, ...],
    recipe: DataRecipe,
) -> Corpus:
    parts = split_documents(list(played), recipe.split, lambda name: [name])
    splits = {
        name: [
            # Nobody is known to lead a recording, so for training each player leads it once. In
            # simulated ones the first player leads.
            Document(np.array(codec.encode(np.roll(played[file], -lead, axis=1).tolist()),
                              np.uint16))
            for file in part
            for lead in range(len(codec.columns) if recipe.source and name == "train" else 1)
        ]
        for name, part in parts.items()
    }  # fmt: skip
    return Corpus(codec, (), splits, left_out)


def simulated(seed: int) -> NDArray[np.int64]:
    """A performance by four players, of whom the first leads, `[seconds, 4]`.

    The lead behaves like a person: it waits, has an idea (a gesture), stays with it for some
    seconds, goes on to a similar one or a distant one, or rests. The others take its idea up,
    each with its own lag of a few seconds. They hold it, vary it with similar gestures and come
    back, rest, and change together with the lead, as Martin, Gardner and Swift (2015) found in
    such ensembles. If the lead rests for long, they drop out one by one, and now and then one of
    them has an idea that the others follow.
    """
    dice = np.random.default_rng((2017, seed))
    seconds = int(dice.integers(*LENGTH))
    ideas = np.array([1, 2, 3, 4, 5, 6, 7, 8])
    # Gestures lead to similar ones: taps to swipes, swipes to swirls, and back.
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
    """Recordings of a touch surface or a controller; see `touches.read_recordings`.

    They are cut into about a hundred blocks, which are dealt to the sets; otherwise a single
    recording could not be split.
    """
    read = read_recordings(path)
    if codec is None:
        codec = TouchCodec.of(read.columns, LEVELS, TOUCH_PERIOD, timed=read.timed)
    assert isinstance(codec, TouchCodec)
    if codec.timed != read.timed or len(codec.values) != len(read.columns):
        raise DataError(
            f"{path}: {len(read.columns)} values {'with' if read.timed else 'without'} times; "
            f"the model has {len(codec.values)} {'with' if codec.timed else 'without'}"
        )
    blocks: list[tuple[str, NDArray[np.float64]]] = []
    for name, rows in read.performances.items():
        count = max(1, round(BLOCKS * len(rows) / read.rows))
        for i, block in enumerate(np.array_split(rows, count)):
            blocks.append((f"{name} {i}" if name else str(i), block))
    parts = split_documents(blocks, recipe.split, lambda b: [b[0]])
    splits = {
        name: [
            Document(np.array(codec.encode(codec.levels(rows).tolist()), np.uint16), ends=False)
            for _, rows in parts[name]
        ]
        for name in SPLITS
    }
    return Corpus(codec, (), splits, read.left_out)
