"""Corpora by the format that a recipe names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import Codec
from stream_rnn.errors import CheckpointError, DataError
from stream_rnn.train import folders, folk, rolls, rows, texts
from stream_rnn.train.corpus import Artists, Corpus
from stream_rnn.train.recipe import DataRecipe

Reader = Callable[[Path, DataRecipe, Codec | None, Artists], Corpus]
"""Reads a corpus from (path, recipe, a trained model's codec or None, its artists or None)."""

READERS: dict[str, Reader] = {
    "songs_csv": texts.songs,
    "text": texts.prose,
    "lines": texts.lines,
    "playlist": texts.playlist,
    "abc": folk.tunes,
    "tabs": folk.tabs,
    "rolls": rolls.rolls,
    "rolls_mat": rolls.rolls,
    "midi": folders.rolls_midi,
    "performances": folders.performances,
    "ensemble": rows.ensembles,
    "touch": rows.touches,
    "files": folders.files,
}


def load_corpus(
    recipe: DataRecipe,
    data: Path,
    codec: Codec | None = None,
    artists: Artists = None,
    *,
    strict: bool = False,
) -> Corpus:
    """Reads the corpus that a recipe names.

    Args:
        recipe: the recipe's `[data]`.
        data: the folder that `recipe.source` is relative to.
        codec: a trained model's, to score it; learnt from the training set if absent.
        artists: likewise.
        strict: refuse a corpus if any part cannot be read, rather than leave that part out.

    Raises:
        DataError: files that are missing, unreadable, empty, or at odds with `artists`.
    """
    path = data / recipe.source
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; give the data folder with --data")
    try:
        corpus = READERS[recipe.format](path, recipe, codec, artists)
    except DataError as error:
        # A codec's message does not name a file. A reader's message begins with the path, which
        # may go on with a file in the folder, or with a line.
        told = re.match(re.escape(str(path)) + r"[:,/\\]", str(error))
        raise error if told else DataError(f"{path}: {error}") from None
    if strict and corpus.left_out:
        raise DataError(corpus.left_out[0])
    for name, documents in corpus.splits.items():
        if not any(len(d.symbols) for d in documents):
            bad = corpus.left_out
            more = f"; {len(bad)} left out, of which the first: {bad[0]}" if bad else ""
            raise DataError(f"{path}: nothing to read in the {name} set{more}")
    return corpus


def corpus_of_card(card: Card, data: Path) -> Corpus:
    """The corpus that a model was trained on, in the model's symbols and split as it was.

    Raises:
        CheckpointError: the card does not say how to read it.
        DataError: see `load_corpus`.
    """
    try:
        recipe = msgspec.convert(card.data["recipe"], DataRecipe)
    except (KeyError, msgspec.ValidationError) as error:
        raise CheckpointError(
            f"the card of {card.name!r} does not say how to read its corpus: {error}"
        ) from None
    return load_corpus(recipe, data, card.make_codec(), card.artists)
