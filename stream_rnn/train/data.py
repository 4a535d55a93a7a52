"""Corpora: files to documents, documents to training, validation and test sets.

A document is one song, one piece, one stretch of prose. Sets are split by document, so
that no song stands in two of them.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.pianoroll import KEYS, PianorollCodec, roll_from_midi
from stream_rnn.codecs.text import BOUNDARY, TextCodec
from stream_rnn.errors import CheckpointError, DataError
from stream_rnn.train.recipe import DataRecipe

SPLITS = ("train", "valid", "test")
MIN_PROSE = 1000


@dataclass(frozen=True)
class Song:
    """One row of a song table, or one document of plain text."""

    artist: str
    title: str
    text: str


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
        songs = split_prose(_read_text(path), recipe.split)
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


# Text


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: not UTF-8; convert it (iconv -t UTF-8)") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return clean_text(text)


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
    csv.field_size_limit(1 << 24)
    songs = []
    line = 1  # where the row begins that is being read
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [c for c in ("artist", "song", "text") if c not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}, line 1: no column {missing[0]!r} (artist,song,link,text)")
            line = 2
            for row in reader:
                if None in row or any(row[c] is None for c in ("artist", "song", "text")):
                    raise DataError(f"{path}, line {line}: {_shape_of(row)}")
                text = clean_text(row["text"])
                if text and row["artist"].strip():
                    songs.append(Song(row["artist"].strip(), row["song"].strip(), text))
                line = reader.line_num + 1
    except UnicodeDecodeError as error:
        # The decoder's position counts from its own buffer, so find the line afresh.
        for number, raw in enumerate(path.read_bytes().split(b"\n"), 1):
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason})") from None
        raise
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if not songs:
        raise DataError(f"{path}: no songs in it")
    return songs


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


T = TypeVar("T")


def split_documents(
    documents: list[T], shares: tuple[float, float, float], keys: Callable[[T], Iterable[str]]
) -> dict[str, list[T]]:
    """Splits by a hash of what identifies a document, so that order and additions do not matter.

    Documents that share a key fall into one set.
    """
    group = list(range(len(documents)))

    def root(i: int) -> int:
        while group[i] != i:
            group[i] = group[group[i]]
            i = group[i]
        return i

    first_with: dict[str, int] = {}
    name_of: dict[int, str] = {}
    for i, document in enumerate(documents):
        for key in keys(document):
            group[root(i)] = root(first_with.setdefault(key, i))
    for key, i in first_with.items():
        name_of[root(i)] = min(key, name_of.get(root(i), key))
    splits: dict[str, list[T]] = {name: [] for name in SPLITS}
    for i, document in enumerate(documents):
        name = name_of.get(root(i), str(i))
        where = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
        which = 0 if where < shares[0] else 1 if where < shares[0] + shares[1] else 2
        splits[SPLITS[which]].append(document)
    return splits


# Rolls


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


def transposed(roll: NDArray[Any], semitones: int) -> NDArray[Any]:
    """A roll moved by some semitones, or as it was if a note would leave the keyboard."""
    moved = np.roll(roll, semitones, axis=1)
    lost = roll[:, KEYS - semitones :] if semitones > 0 else roll[:, : -semitones or 0]
    return roll if semitones == 0 or lost.any() else moved


# Chunks


@dataclass(frozen=True)
class Chunk:
    """One step's work: inputs, what follows each, and where there is something to learn."""

    inputs: NDArray[Any]  # [rows, time] or [rows, time, 88]
    targets: NDArray[Any]  # the same
    mask: NDArray[np.float32]  # [rows, time]
    artists: NDArray[np.int64]  # [rows, time]
    restart: NDArray[np.bool_]  # [rows]: begin from a zero state


class Feed:
    """Deals documents to rows, chunk by chunk, for ever; each epoch in a new order.

    A document is read from the boundary before it to the boundary that ends it. A share
    `restart` of the documents begins a chunk with a zero state, as a session does that is
    opened (what is left of the chunk before is masked); the others follow on with the state
    that the document before left, as they do in a stream that runs for ever.
    """

    def __init__(
        self,
        documents: list[Document],
        boundary: NDArray[Any],
        *,
        rows: int,
        chunk: int,
        seed: int,
        restart: float,
        transpose: int = 0,
    ) -> None:
        self._documents = [d for d in documents if len(d.symbols)]
        self._boundary = boundary
        self._chunk, self._seed = chunk, seed
        self._restart, self._transpose = restart, transpose
        self._order: list[int] = []
        self._order_epoch = -1
        self._cache: dict[int, tuple[NDArray[Any], int]] = {}
        self.dealt = rows
        self.lanes = [(deal, 0) for deal in range(rows)]  # (which deal, how much of it is read)

    @property
    def epoch(self) -> float:
        """How many times the documents have been dealt out."""
        return self.dealt / len(self._documents)

    def state(self) -> dict[str, Any]:
        """Where it is, for `restore`."""
        return {"dealt": self.dealt, "lanes": [list(lane) for lane in self.lanes]}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a `state`."""
        self.dealt = state["dealt"]
        self.lanes = [(deal, offset) for deal, offset in state["lanes"]]
        self._cache.clear()

    def _deal(self, deal: int) -> Document:
        epoch, place = divmod(deal, len(self._documents))
        if epoch != self._order_epoch:
            shuffled = np.random.default_rng((self._seed, epoch)).permutation(len(self._documents))
            self._order, self._order_epoch = shuffled.tolist(), epoch
        document = self._documents[self._order[place]]
        if self._transpose:
            shifts = np.random.default_rng((self._seed, 1, deal))
            by = int(shifts.integers(-self._transpose, self._transpose + 1))
            document = Document(transposed(document.symbols, by), document.artist)
        return document

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        rows, time, shape = len(self.lanes), self._chunk, self._boundary.shape
        inputs = np.zeros((rows, time, *shape), self._documents[0].symbols.dtype)
        targets = np.zeros_like(inputs)
        mask = np.zeros((rows, time), np.float32)
        artists = np.zeros((rows, time), np.int64)
        restart = np.zeros(rows, np.bool_)
        for row, (deal, read) in enumerate(self.lanes):
            restart[row] = read == 0 and self._restarts(deal)
            filled = 0
            while filled < time and not (filled and read == 0 and self._restarts(deal)):
                framed, artist = self._framed(deal)
                count = min(time - filled, len(framed) - 1 - read)
                here = slice(filled, filled + count)
                inputs[row, here] = framed[read : read + count]
                targets[row, here] = framed[read + 1 : read + 1 + count]
                mask[row, here] = 1.0
                artists[row, here] = artist
                filled, read = filled + count, read + count
                if read == len(framed) - 1:
                    del self._cache[deal]
                    deal, read = self.dealt, 0
                    self.dealt += 1
            self.lanes[row] = (deal, read)
        return Chunk(inputs, targets, mask, artists, restart)

    def _restarts(self, deal: int) -> bool:
        chance = np.random.default_rng((self._seed, 2, deal)).random()
        return deal < len(self.lanes) or bool(chance < self._restart)

    def _framed(self, deal: int) -> tuple[NDArray[Any], int]:
        """The boundary, the document's symbols, the boundary again; and its artist."""
        if deal not in self._cache:
            document, edge = self._deal(deal), self._boundary[None]
            framed = np.concatenate([edge, document.symbols, edge]).astype(document.symbols.dtype)
            self._cache[deal] = (framed, document.artist)
        return self._cache[deal]
