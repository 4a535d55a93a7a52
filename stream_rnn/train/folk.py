"""Corpora of folk tunes in ABC."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.abc_text import tokenize
from stream_rnn.codecs.bars import bar_fault, bars_of
from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.files import UTF8, read_utf8
from stream_rnn.codecs.melody import melody
from stream_rnn.codecs.tablature import (
    HOLD,
    REST,
    TablatureCodec,
    fretted,
    note_column,
    symbol_of,
)
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Artists, Corpus, Document
from stream_rnn.train.duplicates import near_duplicates, of_melodies, told
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import split_documents

_VOICE = re.compile(r"^V:[ \t]*(\S+)|\[V:[ \t]*([^\]\s]+)", re.MULTILINE)
_TITLE = re.compile(r"^T:(.*)", re.MULTILINE)
_SHARED = re.compile(r"[LM]:|%%|I:")  # lines before the first tune that hold for all


GUITAR_OCTAVE = 12


@dataclass(frozen=True)
class Tune:
    """One tune of a collection.

    Attributes:
        where: its file, and its number and title there.
    """

    title: str
    tokens: tuple[str, ...]
    where: str = ""

    @property
    def pitches(self) -> list[int]:
        """Its melody, without lengths and rests."""
        return [pitch for pitch, _ in melody(self.tokens) if pitch is not None]


@dataclass(frozen=True)
class Tunes:
    """Tunes, and a line for each that was left out."""

    tunes: list[Tune]
    left_out: tuple[str, ...] = ()


def tunes(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """The tunes of a folder of ABC files, split by tune.

    A tune with a token that is too rare or unknown is left out, whatever its set.
    """
    read = read_tunes(path, recipe.encoding)
    parts, remark = _split(read.tunes, recipe)
    few = "which this model does not know"
    if codec is None:
        codec = AbcCodec.learn((t.tokens for t in parts["train"]), least=recipe.least)
        few = f"which occurs in fewer than {recipe.least} tunes of the training set"
    assert isinstance(codec, AbcCodec)
    known = codec
    vocabulary = set(codec.vocabulary)

    def symbols(tune: Tune) -> Sequence[int]:
        for token in tune.tokens:
            if token not in vocabulary:
                raise DataError(f"it has {token!r}, {few}")
        return known.encode(tune.tokens)

    return _corpus(codec, read, parts, remark, symbols)


def tabs(path: Path, recipe: DataRecipe, codec: Codec | None, artists: Artists) -> Corpus:
    """The same tunes as guitar tablature, with computed fingerings; split like `tunes`."""
    read = read_tunes(path, recipe.encoding)
    parts, remark = _split(read.tunes, recipe)

    def symbols(tune: Tune) -> Sequence[int]:
        made = tablature(tune.tokens, recipe.steps_per_beat)
        if made is None:
            raise DataError(
                f"beyond the guitar's strings, or too fast for {recipe.steps_per_beat} columns a "
                "beat"
            )
        return made

    codec = codec or TablatureCodec(recipe.steps_per_beat)
    return _corpus(codec, read, parts, remark, symbols)


def _split(found: list[Tune], recipe: DataRecipe) -> tuple[dict[str, list[Tune]], str]:
    """Tunes by set, with near-duplicates in the same set, and a remark on those."""
    alike = near_duplicates(of_melodies(tune.pitches for tune in found))
    return split_documents(found, recipe.split, tune_keys, alike), told(alike)


def _corpus(
    codec: Codec,
    read: Tunes,
    parts: dict[str, list[Tune]],
    remark: str,
    symbols: Callable[[Tune], Sequence[int]],
) -> Corpus:
    """A corpus of tunes as symbols; a tune that `symbols` refuses is left out."""
    left_out = list(read.left_out)
    splits: dict[str, list[Document]] = {name: [] for name in parts}
    for name, part in parts.items():
        for tune in part:
            try:
                splits[name].append(Document(np.array(symbols(tune), np.uint16)))
            except DataError as error:
                left_out.append(f"{tune.where}: {error}")
    return Corpus(codec, (), splits, tuple(left_out), remark)


def tablature(tokens: Sequence[str], steps_per_beat: int) -> list[int] | None:
    """A tune as tablature for guitar, an octave lower and without its repeats.

    None if it has notes that the guitar does not have, or that are too short for the columns.
    """
    columns_an_eighth = steps_per_beat / 2
    starts: set[int] = set()  # of the bars, in columns
    now = 0.0
    for bar in bars_of(tokens):
        starts.add(round(now * columns_an_eighth))
        now += bar.length
    sounds = melody(tokens)
    pitches = [pitch - GUITAR_OCTAVE for pitch, _ in sounds if pitch is not None]
    places = fretted(pitches)
    columns = [HOLD] * round(now * columns_an_eighth)
    if places is None or not columns:
        return None
    next_place = iter(places)
    now = 0.0
    for pitch, length in sounds:
        at = round(now * columns_an_eighth)
        if at >= len(columns) or columns[at] != HOLD:
            return None
        columns[at] = REST if pitch is None else note_column(*next(next_place))
        now += length
    return [symbol_of(column, bar=i in starts) for i, column in enumerate(columns)]


def read_tunes(path: Path, encoding: str = UTF8) -> Tunes:
    """The tunes of a folder's `.abc` files, or of one file, whose bars add up.

    Tunes in several voices are left out, and so is all that cannot be read.

    Raises:
        DataError: there are no tunes, or none that can be used; the message says why not.
    """
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".abc" and p.is_file())
    found: list[Tune] = []
    left_out: list[str] = []
    refused: Counter[str] = Counter()
    for file in files:
        try:
            pieces = list(_tunes_of(file, encoding))
        except DataError as error:
            if len(files) == 1:
                raise
            left_out.append(str(error))
            refused["a file that cannot be read"] += 1
            continue
        for where, abc in pieces:
            try:
                found.append(_tune(where, abc))
            except DataError as error:
                left_out.append(f"{where}: {error}")
                refused[str(error).partition(" (")[0]] += 1
    if not found:
        why = "; ".join(f"{n} × {what}" for what, n in refused.most_common(3))
        raise DataError(
            f"{path}: no ABC tunes in it" + (f" that can be used ({why})" if why else "")
        )
    return Tunes(found, tuple(left_out))


def _tunes_of(file: Path, encoding: str) -> Iterator[tuple[str, str]]:
    """The place of each tune in a file, for messages, and the tune's text."""
    text = read_utf8(file, encoding)
    before, *pieces = re.split(r"^(?=X:)", text, flags=re.MULTILINE)
    shared = "".join(f"{line}\n" for line in before.splitlines() if _SHARED.match(line))
    for piece in pieces:
        tune = re.split(r"\n[ \t]*\n", piece)[0]  # a blank line ends a tune
        number = tune.partition("\n")[0][2:].partition("%")[0].strip()
        title = _TITLE.search(tune)
        named = f", {title[1].strip()}" if title and title[1].strip() else ""
        yield f"{file}, X:{number}{named}", shared + tune


def _tune(where: str, abc: str) -> Tune:
    """One tune of a file.

    Raises:
        DataError: it cannot be read, has several voices, or its bars do not add up.
    """
    if len({one or other for one, other in _VOICE.findall(abc)}) > 1:
        raise DataError("it has several voices")
    tokens = tuple(tokenize(abc, whole=True))
    if fault := bar_fault(tokens):
        raise DataError(fault)
    title = _TITLE.search(abc)
    return Tune(title[1].strip() if title else "", tokens, where)


def tune_keys(tune: Tune) -> Iterable[str]:
    """Keys that identify a tune: its title, and the beginning of its melody."""
    plain = re.sub(r"\W+", "", tune.title.lower())
    if plain:
        yield f"title {plain}"
    steps = np.diff(tune.pitches[:16]).tolist()  # the same in every key
    yield f"melody {steps}"
