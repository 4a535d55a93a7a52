"""Texts as corpora: tables of songs, and plain prose."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_rnn.codecs.files import read_utf8
from stream_rnn.codecs.text import BOUNDARY
from stream_rnn.errors import DataError
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import SPLITS

MIN_PROSE = 1000


@dataclass(frozen=True)
class Song:
    """One row of a song table, or one document of plain text."""

    artist: str
    title: str
    text: str


def read_text(path: Path) -> str:
    """The text of a file, cleaned; one that is not UTF-8 is named with its line."""
    return clean_text(read_utf8(path))


def clean_text(text: str) -> str:
    """Plain line ends, no spaces before them, no form feeds, no blank edges."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace(BOUNDARY, "\n")
    return re.sub(r"[ \t]+\n", "\n", text).strip("\n ")


def read_songs(path: Path) -> list[Song]:
    """The songs of a CSV with at least the columns `artist,song,text` (Kaggle's layout).

    Raises:
        DataError: a column is missing, a row cannot be read, or there are no rows; it names
            the line.
    """
    columns = ("artist", "song", "text")
    songs = []
    for artist, title, words in _read_table(path, columns, hint=" (artist,song,link,text)"):
        text = clean_text(words)
        if text and artist.strip():
            songs.append(Song(artist.strip(), title.strip(), text))
    if not songs:
        raise DataError(f"{path}: no songs in it")
    return songs


def read_lines(path: Path, recipe: DataRecipe) -> list[Song]:
    """A list of names: a line each, or with `column` a column of a CSV; each name once.

    With `artist_column` each stands under its artist, once under each.

    Raises:
        DataError: it cannot be read, or there are no names in it.
    """
    if recipe.column:
        columns = [recipe.column, *([recipe.artist_column] if recipe.artist_column else [])]
        rows = [(name, *artist) for name, *artist in _read_table(path, columns)]
    else:
        rows = [(line,) for line in read_text(path).split("\n")]
    named = [Song(" ".join(artist).strip(), "", " ".join(name.split())) for name, *artist in rows]
    songs = list(dict.fromkeys(s for s in named if s.text))
    if not songs:
        raise DataError(f"{path}: no names in it")
    return songs


def _read_table(path: Path, columns: Sequence[str], hint: str = "") -> Iterator[tuple[str, ...]]:
    """The named columns of a CSV's rows."""
    csv.field_size_limit(1 << 24)
    line = 1  # where the row begins that is being read
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}, line 1: no column {missing[0]!r}{hint}")
            line = 2
            for row in reader:
                if None in row or any(row[c] is None for c in columns):
                    raise DataError(f"{path}, line {line}: {_shape_of(row)}")
                yield tuple(row[c] for c in columns)
                line = reader.line_num + 1
    except UnicodeDecodeError:
        read_utf8(path)  # the decoder's position counts from its own buffer; this names the line
        raise
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _shape_of(row: dict[Any, Any]) -> str:
    if None in row:
        return "too many columns; is a quotation mark missing?"
    return "too few columns"


def song_keys(song: Song) -> Iterable[str]:
    """What tells that two rows are one song: the title or the first line, by one artist."""
    for part in (song.title, song.text.partition("\n")[0]):
        plain = re.sub(r"[^a-z0-9]+", "", part.lower()) or re.sub(r"\W+", "", part.lower())
        if plain:
            yield f"{song.artist}\n{plain}"


def split_prose(text: str, shares: tuple[float, float, float]) -> dict[str, list[Song]]:
    """One long text, cut into training, validation and test in the order it stands."""
    if len(text) < MIN_PROSE:
        raise DataError(f"the text has {len(text)} characters; at least {MIN_PROSE} are needed")
    first = round(len(text) * shares[0])
    second = round(len(text) * (shares[0] + shares[1]))
    parts = (text[:first], text[first:second], text[second:])
    return {name: [Song("", "", part)] for name, part in zip(SPLITS, parts, strict=True)}
