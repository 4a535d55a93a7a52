"""Texts as corpora: tables of songs, plain prose, and lists of names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.files import UTF8, read_utf8
from stream_rnn.codecs.playlist import PlaylistCodec
from stream_rnn.codecs.text import BOUNDARY, TextCodec
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Artists, Corpus, Document
from stream_rnn.train.duplicates import near_duplicates, of_texts, told
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import SPLITS, artist_index, split_documents
from stream_rnn.train.tables import Table, column

MIN_NAMES = 50
MIN_PROSE = 1000
PLAIN = (".txt", ".text", ".md", ".tex")  # the files of a folder that are read as one text
# The names of the columns in published tables of songs.
ARTISTS = ("artist", "artists", "artist_name", "singer", "band", "author", "poet")
TITLES = ("song", "title", "song_name", "track", "track_name", "name")
TEXTS = ("text", "lyrics", "lyric", "words", "content", "poem")


@dataclass(frozen=True)
class Song:
    """One row of a song table, or one document of plain text."""

    artist: str
    title: str
    text: str


@dataclass(frozen=True)
class Songs:
    """Songs or names, and a line for each row that was left out."""

    songs: list[Song]
    left_out: tuple[str, ...] = ()


def read_text(path: Path, encoding: str = UTF8) -> str:
    """The text of a file, cleaned; or of a folder's files, in the order of their names.

    Raises:
        DataError: there are no such files, or see `read_utf8`.
    """
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in PLAIN and p.is_file())
        if not files:
            raise DataError(f"{path}: no {', '.join(PLAIN)} files in it")
    return "\n\n".join(clean_text(read_utf8(file, encoding)) for file in files)


def clean_text(text: str) -> str:
    """A text in NFC with plain line ends, without form feeds, trailing spaces or blank edges."""
    text = unicodedata.normalize("NFC", text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace(BOUNDARY, "\n")
    return re.sub(r"[ \t]+\n", "\n", text).strip("\n ")


def read_songs(path: Path, recipe: DataRecipe) -> Songs:
    """The songs of a CSV with columns for artist, title and text.

    The recipe may name the columns; else those of Kaggle's tables of songs are looked for.

    Raises:
        DataError: a column is missing, or there are no songs.
    """
    table = Table(
        path,
        (
            column(recipe.artist_column, "artist_column", *ARTISTS),
            column(recipe.title_column, "title_column", *TITLES),
            column(recipe.text_column, "text_column", *TEXTS),
        ),
        recipe.encoding,
    )
    songs = []
    for artist, title, words in table.rows():
        text = clean_text(words)
        if text and artist.strip():
            songs.append(Song(clean_text(artist.strip()), clean_text(title.strip()), text))
    if not songs:
        bad = table.left_out
        raise DataError(f"{path}: no songs in it" + (f"; {bad[0]}" if bad else ""))
    return Songs(songs, tuple(table.left_out))


def read_lines(path: Path, recipe: DataRecipe) -> Songs:
    """A list of different names: one in each line or, with `column`, in that column of a CSV.

    With `artist_column` each name has an artist, and may occur once for each artist.

    Raises:
        DataError: it cannot be read, or there are no names in it.
    """
    left_out: list[str] = []
    if recipe.column:
        columns = [column(recipe.column, "column")]
        if recipe.artist_column:
            columns.append(column(recipe.artist_column, "artist_column"))
        table = Table(path, columns, recipe.encoding, left_out)
        rows = [tuple(map(clean_text, row)) for row in table.rows()]
    else:
        rows = [(line,) for line in read_text(path, recipe.encoding).split("\n")]
    named = [Song(" ".join(artist).strip(), "", " ".join(name.split())) for name, *artist in rows]
    songs = list(dict.fromkeys(s for s in named if s.text))
    if not songs:
        raise DataError(f"{path}: no names in it")
    return Songs(songs, tuple(left_out))


def song_keys(song: Song) -> Iterable[str]:
    """Keys that identify a song: the artist with the title, and with the first line."""
    for part in (song.title, _first_line(song.text)):
        if plain := _plain(part):
            yield f"{song.artist}\n{plain}"


def name_keys(name: Song) -> Iterable[str]:
    """The key that identifies a name in a list."""
    if plain := _plain(name.text):
        yield f"{name.artist}\n{plain}"


def _first_line(text: str) -> str:
    """The first line that is not a heading, such as `I` or `(Intro)`, which many songs share."""
    for line in text.split("\n"):
        if not re.fullmatch(r"\s*[\[(].*[\])]:?\s*", line):
            plain = _plain(line)
            if len(plain) >= (10 if plain.isascii() else 4):
                return line
    return ""


def _plain(text: str) -> str:
    """A title in lower case without punctuation; in Latin script only a to z and digits stay."""
    lowered = text.lower()
    foreign = any(c.isalpha() and "LATIN" not in unicodedata.name(c, "") for c in lowered)
    return (not foreign and re.sub(r"[^a-z0-9]+", "", lowered)) or re.sub(r"\W+", "", lowered)


def split_prose(
    text: str, shares: tuple[float, float, float], order: Sequence[str] = SPLITS
) -> dict[str, list[Song]]:
    """One long text, cut into sets that follow one another.

    Args:
        shares: of the training, the validation and the test set.
        order: in which the sets are cut from the text.
    """
    if len(text) < MIN_PROSE:
        raise DataError(f"the text has {len(text)} characters; at least {MIN_PROSE} are needed")
    share_of = dict(zip(SPLITS, shares, strict=True))
    ends = [round(len(text) * share) for share in accumulate(share_of[name] for name in order)]
    ends[-1] = len(text)
    parts = (text[begin:end] for begin, end in zip([0, *ends], ends, strict=False))
    cut = dict(zip(order, parts, strict=True))
    return {name: [Song("", "", cut[name])] for name in SPLITS}


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
