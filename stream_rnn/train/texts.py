"""Corpora of characters: songs, prose, and lists of names."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.playlist import PlaylistCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.duplicates import near_duplicates, of_texts, told
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.songs import (
    Song,
    name_keys,
    read_lines,
    read_songs,
    read_text,
    song_keys,
    split_prose,
)
from stream_rnn.train.split import SPLITS, artist_index, split_documents

Artists = tuple[str, ...] | None

MIN_NAMES = 50


def songs(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """A table of songs, split by song."""
    read = read_songs(path, recipe)
    alike = near_duplicates(of_texts(song.text for song in read.songs))
    parts = split_documents(read.songs, recipe.split, song_keys, alike)
    corpus = _corpus(path, parts, recipe, codec, artists, read.left_out)
    return replace(corpus, remark=told(alike))


def prose(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """One text, cut into consecutive sets. It has no documents, so none of its parts ends."""
    parts = split_prose(read_text(path, recipe.encoding), recipe.split, recipe.order)
    return _corpus(path, parts, recipe, codec, artists, ends=False)


def lines(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """A list with a name in each line, split by name."""
    read = read_lines(path, recipe)
    parts = split_documents(read.songs, recipe.split, name_keys)
    return _corpus(path, parts, recipe, codec, artists, read.left_out)


def playlist(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """A list of names in the order they came; a blank line ends a session.

    The sets are consecutive stretches of it, since the network learns to predict what comes
    next.
    """
    names = [" ".join(line.split()) for line in read_text(path, recipe.encoding).split("\n")]
    sessions = [s.split("\n") for s in re.split(r"\n\n+", "\n".join(names).strip("\n"))]
    total = sum(bool(name) for session in sessions for name in session)
    if total < MIN_NAMES:
        found = {0: "no names", 1: "one name"}.get(total, f"{total} names")
        raise DataError(f"{path}: {found} in it; at least {MIN_NAMES} are needed")
    ends = [round(total * share) for share in accumulate(recipe.split)]
    parts: dict[str, list[list[str]]] = {name: [] for name in SPLITS}
    read = 0
    for session in sessions:
        for name, begin, end in zip(SPLITS, [0, *ends], ends, strict=False):
            part = session[max(0, begin - read) : max(0, end - read)]
            if part:
                parts[name].append(part)
        read += len(session)
    if codec is None:
        codec = PlaylistCodec.learn(parts["train"], least=recipe.least)
    assert isinstance(codec, PlaylistCodec)
    splits = {
        name: [Document(np.array(codec.encode(p), np.uint16), ends=len(sessions) > 1) for p in part]
        for name, part in parts.items()
    }
    return Corpus(codec, (), splits)


def _corpus(
    path: Path,
    parts: dict[str, list[Song]],
    recipe: DataRecipe,
    codec: Codec | None,
    artists: Artists,
    left_out: tuple[str, ...] = (),
    *,
    ends: bool = True,
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
            Document(np.array(codec.encode(s.text), np.uint16), index.get(s.artist, 0), ends)
            for s in part
        ]
    return Corpus(codec, tuple(index), splits, left_out)
