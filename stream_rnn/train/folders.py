"""Folders of files as corpora: each file is a document, and the split is by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.performance import PerformanceCodec, encode_notes, read_notes, struck_pitches
from stream_rnn.codecs.pianoroll import PianorollCodec, roll_from_midi
from stream_rnn.codecs.registry import CODECS, codec_from_json
from stream_rnn.errors import CheckpointError, DataError
from stream_rnn.train.corpus import Artists, Corpus, Document
from stream_rnn.train.duplicates import near_duplicates, of_melodies, of_rolls, told
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import artist_index, split_documents

MIDI = (".mid", ".midi")


def files(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """A folder of files of a codec's own kind, each of which the codec reads like a prime."""
    codec = codec or _codec_of(recipe.codec)
    if codec.head != "categorical":
        raise DataError(f"a codec of {codec.domain} does not read files one by one")

    def read(file: Path) -> NDArray[Any]:
        return np.array(codec.read_prime(str(file)), np.uint16)

    return folder_corpus(path, recipe, codec, artists, codec.endings[:1], read)


def _codec_of(domain: str) -> Codec:
    try:
        return codec_from_json({"domain": domain})
    except CheckpointError as error:
        if domain in CODECS:
            raise DataError(
                f'data.codec: {domain} has to learn from a corpus, which format = "files" does '
                "not; the table of formats in docs/training.md says which do"
            ) from None
        raise DataError(f"data.codec: {error}") from None


def folder_corpus(
    path: Path,
    recipe: DataRecipe,
    codec: Codec,
    artists: Artists,
    endings: tuple[str, ...],
    read: Callable[[Path], NDArray[Any]],
    shingled: Callable[[Iterable[NDArray[Any]]], list[NDArray[np.uint64]]] | None = None,
) -> Corpus:
    """The corpus in a folder; with `by_artist` its sub-folders are the artists.

    Files that `read` refuses are left out.

    Args:
        endings: of the files that are read, such as `.mid`, in lower case.
        read: makes symbols of a file.
        shingled: makes shingles of the symbols, to keep near-duplicates in one set.

    Raises:
        DataError: no such files, none can be read, or with `by_artist` one is in no sub-folder.
    """
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in endings)
    if not found:
        raise DataError(f"{path}: no {endings[0]} files in it")

    def artist(file: Path) -> str:
        return file.relative_to(path).parts[0] if file.parent != path else ""

    index = artist_index(path, recipe, artists, {artist(f) for f in found} - {""})
    for file in found:
        if index and artist(file) not in index:
            raise DataError(f"{file}: not in an artist's folder, which by_artist needs")
    readable: dict[Path, NDArray[Any]] = {}
    left_out: list[str] = []
    for file in found:
        try:
            readable[file] = read(file)
        except DataError as error:
            left_out.append(str(error))
    if not readable:
        raise DataError(f"{path}: none of its {len(found)} files can be read; {left_out[0]}")
    alike = near_duplicates(shingled(readable.values())) if shingled else []
    parts = split_documents(
        list(readable), recipe.split, lambda p: [str(p.relative_to(path))], alike
    )
    splits = {
        name: [Document(readable[file], index.get(artist(file), 0)) for file in part]
        for name, part in parts.items()
    }
    return Corpus(codec, tuple(index), splits, tuple(left_out), told(alike))


def rolls_midi(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Rolls of a folder of MIDI files."""

    def read(file: Path) -> NDArray[Any]:
        return roll_from_midi(file, steps_per_beat=recipe.steps_per_beat, tracks=recipe.tracks)

    chosen = codec or PianorollCodec(recipe.steps_per_beat)
    return folder_corpus(path, recipe, chosen, artists, MIDI, read, of_rolls)


def performances(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """Performance events of a folder of MIDI files."""

    def read(file: Path) -> NDArray[Any]:
        return encode_notes(read_notes(file, tracks=recipe.tracks))

    def melodies(pieces: Iterable[NDArray[Any]]) -> list[NDArray[np.uint64]]:
        return of_melodies((struck_pitches(piece) for piece in pieces), length=12)

    chosen = codec or PerformanceCodec()
    return folder_corpus(path, recipe, chosen, artists, MIDI, read, melodies)
