"""Corpora: files to documents, in sets.

A document is one song, one piece, one stretch of prose. Sets are split by document, so
that no song stands in two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.pianoroll import KEYS, PianorollCodec, roll_from_midi
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import CheckpointError, DataError
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.songs import read_songs, read_text, song_keys, split_prose
from stream_rnn.train.split import SPLITS, split_documents


@dataclass(frozen=True)
class Document:
    """Symbols `[length]` or keys `[length, 88]`, and an index into the artists."""

    symbols: NDArray[Any]
    artist: int = 0


@dataclass(frozen=True)
class Corpus:
    """Documents by split, with what is needed to read them."""

    codec: Codec
    artists: tuple[str, ...]
    splits: dict[str, list[Document]]

    def sizes(self) -> dict[str, dict[str, int]]:
        """Documents and symbols in each split, for the card."""
        return {
            name: {"documents": len(docs), "symbols": sum(len(d.symbols) for d in docs)}
            for name, docs in self.splits.items()
        }


def load_corpus(
    recipe: DataRecipe,
    data: Path,
    codec: Codec | None = None,
    artists: tuple[str, ...] | None = None,
) -> Corpus:
    """Reads the corpus that a recipe names.

    Args:
        recipe: the recipe's `[data]`.
        data: the folder that `recipe.source` is relative to.
        codec: a trained model's, to score it; learnt from the training set if absent.
        artists: likewise.

    Raises:
        DataError: files that are missing, unreadable, empty, or at odds with `artists`.
    """
    path = data / recipe.source
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; give the data folder with --data")
    if recipe.format in ("rolls_mat", "midi"):
        rolls = _mat_rolls(path) if recipe.format == "rolls_mat" else _midi_rolls(path, recipe)
        splits = {name: [Document(roll) for roll in pieces] for name, pieces in rolls.items()}
        return _checked(Corpus(codec or PianorollCodec(recipe.steps_per_beat), (), splits), path)
    if recipe.format == "songs_csv":
        songs = split_documents(read_songs(path), recipe.split, song_keys)
    else:
        songs = split_prose(read_text(path), recipe.split)
    if artists is None:
        names = {s.artist for part in songs.values() for s in part} if recipe.by_artist else set()
        artists = tuple(sorted(names))
        if recipe.by_artist and len(artists) < 2:
            raise DataError(f"{path}: by_artist needs two artists or more, found {len(artists)}")
    texts = codec or TextCodec.learn((s.text for s in songs["train"]), least=recipe.least)
    assert isinstance(texts, TextCodec)
    index = {name: i for i, name in enumerate(artists)}
    splits = {}
    for name, part in songs.items():
        unknown = sorted({s.artist for s in part} - index.keys()) if artists else []
        if unknown:
            raise DataError(f"{path}: the model does not know the artist {unknown[0]!r}")
        splits[name] = [
            Document(np.array(texts.encode(s.text), np.uint16), index.get(s.artist, 0))
            for s in part
        ]
    return _checked(Corpus(texts, artists, splits), path)


def corpus_of_card(card: Card, data: Path) -> Corpus:
    """The corpus that a model was trained on, in the model's symbols and split as it was.

    Raises:
        CheckpointError: the card does not say which.
        DataError: see `load_corpus`.
    """
    try:
        recipe = msgspec.convert(card.data["recipe"], DataRecipe)
    except (KeyError, msgspec.ValidationError) as error:
        raise CheckpointError(
            f"the card of {card.name!r} does not say how to read its corpus: {error}"
        ) from None
    return load_corpus(recipe, data, card.make_codec(), card.artists)


def _checked(corpus: Corpus, path: Path) -> Corpus:
    for name, documents in corpus.splits.items():
        if not any(len(d.symbols) for d in documents):
            raise DataError(f"{path}: nothing to read in the {name} set")
    return corpus


def _mat_rolls(path: Path) -> dict[str, list[NDArray[np.uint8]]]:
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


def _midi_rolls(path: Path, recipe: DataRecipe) -> dict[str, list[NDArray[np.uint8]]]:
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    if not files:
        raise DataError(f"{path}: no MIDI files (.mid) in it")
    parts = split_documents(files, recipe.split, lambda p: [str(p.relative_to(path))])
    return {
        name: [roll_from_midi(p, steps_per_beat=recipe.steps_per_beat) for p in part]
        for name, part in parts.items()
    }
