"""Folk tunes in ABC as corpora."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_rnn.codecs.abc import AbcCodec, tokenize
from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.files import read_utf8
from stream_rnn.codecs.melody import BARS, bars_add_up, melody
from stream_rnn.codecs.tablature import (
    HOLD,
    REST,
    TablatureCodec,
    fretted,
    note_column,
    symbol_of,
)
from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.duplicates import near_duplicates, of_melodies, told
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.split import split_documents

_VOICES = re.compile(r"^\[?V:", re.MULTILINE)
_TITLE = re.compile(r"^T:(.*)", re.MULTILINE)


GUITAR_OCTAVE = 12


@dataclass(frozen=True)
class Tune:
    """One tune of a collection."""

    title: str
    tokens: tuple[str, ...]

    @property
    def pitches(self) -> list[int]:
        """Its melody, without lengths and rests."""
        return [pitch for pitch, _ in melody(self.tokens) if pitch is not None]


def tunes(
    path: Path, recipe: DataRecipe, codec: Codec | None, artists: tuple[str, ...] | None
) -> Corpus:
    """The tunes of a folder of ABC files, split by tune."""
    parts, remark = _split(path, recipe)
    if codec is None:
        codec = AbcCodec.learn((t.tokens for t in parts["train"]), least=recipe.least)
    assert isinstance(codec, AbcCodec)
    known = set(codec.vocabulary)
    splits = {
        # A tune with a token that hardly ever stands is left out, whatever its set.
        name: [
            Document(np.array(codec.encode(t.tokens), np.uint16))
            for t in part
            if known.issuperset(t.tokens)
        ]
        for name, part in parts.items()
    }
    return Corpus(codec, (), splits, remark=remark)


def tabs(
    path: Path, recipe: DataRecipe, codec: Codec | None, artists: tuple[str, ...] | None
) -> Corpus:
    """The same tunes as guitar tablature, in fingerings of our own; split as `tunes` are."""
    codec = codec or TablatureCodec(recipe.steps_per_beat)
    parts, remark = _split(path, recipe)
    splits = {}
    for name, part in parts.items():
        made = (tablature(tune.tokens, recipe.steps_per_beat) for tune in part)
        splits[name] = [Document(np.array(m, np.uint16)) for m in made if m is not None]
    return Corpus(codec, (), splits, remark=remark)


def _split(path: Path, recipe: DataRecipe) -> tuple[dict[str, list[Tune]], str]:
    """Tunes by set, those that are nearly the same in one; and what is said of them."""
    found = read_tunes(path)
    alike = near_duplicates(of_melodies(tune.pitches for tune in found))
    return split_documents(found, recipe.split, tune_keys, alike), told(alike)


def tablature(tokens: Sequence[str], steps_per_beat: int) -> list[int] | None:
    """A tune for guitar, which sounds an octave lower; repeats are played once.

    None if it has notes that the guitar has not, or that are too short for the columns.
    """
    columns_an_eighth = steps_per_beat / 2
    starts: set[int] = set()  # of the bars, in columns
    bar: list[str] = []
    now = 0.0
    for token in tokens:
        bar.append(token)
        if token in BARS:
            starts.add(round(now * columns_an_eighth))
            now += sum(length for _, length in melody(bar))
            bar = []
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


def read_tunes(path: Path) -> list[Tune]:
    """The tunes of a folder's `.abc` files, or of one file, whose bars add up.

    Tunes in several voices are left out, and what is not understood.

    Raises:
        DataError: there are no tunes, or none that can be used; it says why not.
    """
    files = sorted(path.rglob("*.abc")) if path.is_dir() else [path]
    found: list[Tune] = []
    refused: Counter[str] = Counter()
    for file in files:
        for abc in _tunes_of(file):
            title = _TITLE.search(abc)
            try:
                tokens = tuple(tokenize(abc))
            except DataError as error:
                refused[str(error)] += 1
                continue
            if _VOICES.search(abc):
                refused["several voices"] += 1
            elif not bars_add_up(tokens):
                refused["a bar is not as long as its meter"] += 1
            else:
                found.append(Tune(title[1].strip() if title else "", tokens))
    if not found:
        why = "; ".join(f"{n} × {what}" for what, n in refused.most_common(3))
        raise DataError(
            f"{path}: no ABC tunes in it" + (f" that can be used ({why})" if why else "")
        )
    return found


def _tunes_of(file: Path) -> Iterable[str]:
    for tune in re.split(r"^(?=X:)", read_utf8(file), flags=re.MULTILINE)[1:]:
        yield re.split(r"\n\s*\n", tune)[0]  # a blank line ends a tune


def tune_keys(tune: Tune) -> Iterable[str]:
    """What tells that two tunes are one: the title, or how the melody begins."""
    plain = re.sub(r"\W+", "", tune.title.lower())
    if plain:
        yield f"title {plain}"
    steps = np.diff(tune.pitches[:16]).tolist()  # in whatever key it stands
    yield f"melody {steps}"
