"""Corpora of characters: songs, prose, and lists of names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.songs import (
    Song,
    read_lines,
    read_songs,
    read_text,
    song_keys,
    split_prose,
)
from stream_rnn.train.split import artist_index, split_documents

Artists = tuple[str, ...] | None


def songs(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """A table of songs, split by song."""
    parts = split_documents(read_songs(path), recipe.split, song_keys)
    return _corpus(path, parts, recipe, codec, artists)


def prose(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """One text, cut in the order it stands; with `passage` it is read in passages."""
    parts = split_prose(read_text(path), recipe.split)
    return _corpus(path, parts, recipe, codec, artists)


def lines(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """A list of names, a line each, split by name."""
    parts = split_documents(read_lines(path, recipe), recipe.split, song_keys)
    return _corpus(path, parts, recipe, codec, artists)


def _corpus(
    path: Path,
    parts: dict[str, list[Song]],
    recipe: DataRecipe,
    codec: Codec | None,
    artists: Artists,
) -> Corpus:
    index = artist_index(path, recipe, artists, {s.artist for p in parts.values() for s in p})
    if codec is None:
        codec = TextCodec.learn((s.text for s in parts["train"]), least=recipe.least)
    assert isinstance(codec, TextCodec)
    splits: dict[str, list[Document]] = {}
    for name, part in parts.items():
        unknown = sorted({s.artist for s in part} - index.keys()) if index else []
        if unknown:
            raise DataError(f"{path}: the model does not know the artist {unknown[0]!r}")
        splits[name] = [
            Document(
                np.array(codec.encode(s.text), np.uint16),
                index.get(s.artist, 0),
                ends=not recipe.passage,
            )
            for s in part
        ]
    return Corpus(codec, tuple(index), splits)
