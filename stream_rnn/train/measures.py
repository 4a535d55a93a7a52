"""Measures what a model has made, beyond its score.

`python -m stream_rnn.train.measures KIND FILE [--music21] [--model FOLDER --data DIR]`, where
KIND is

* names: how many names in a text are different, and how many of those are new;
* code: how many functions some C code has, in how many of them all brackets match, and in how
  many lines the round brackets match;
* abc: how many tunes parse, and how many of those have bars that add up; with `--music21` also
  how many do according to music21, an independent program;
* notes: how many keys of a MIDI file are down at once, and how long its notes last;
* chords: how many notes the frames of a MIDI file have, and how many frames are chords of the
  training set, note for note or moved to another key. This needs a model and the data.

With a model's folder and the data, names are looked for in the model's training set, and code,
notes and chords are measured in its test set, too.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stream_rnn.checkpoint import read_card
from stream_rnn.codecs.abc_text import tokenize
from stream_rnn.codecs.bars import bars_add_up
from stream_rnn.codecs.performance import Note, decode_notes, read_notes
from stream_rnn.codecs.pianoroll import PianorollCodec, Roll, roll_from_midi
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import DataError, StreamRnnError
from stream_rnn.train.corpus import Corpus
from stream_rnn.train.data import corpus_of_card
from stream_rnn.train.texts import read_text

_LITERALS = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_PAIRS = {")": "(", "]": "[", "}": "{"}
# A definition: a line that begins with a word, its parameters, and its body up to the first
# closing brace in the first column.
_FUNCTION = re.compile(r"^\w[^\n;{}#]*\([^;{}]*\)\s*\n\{\n.*?^\}", re.MULTILINE | re.DOTALL)


def new_names(names: Iterable[str], known: Iterable[str]) -> tuple[int, int, int]:
    """How many names there are, how many different ones, and how many of those are new."""
    given = [" ".join(name.split()).lower() for name in names]
    given = [name for name in given if name]
    different = set(given)
    return len(given), len(different), len(different - {" ".join(k.split()).lower() for k in known})


def is_balanced(code: str) -> bool:
    """Whether all brackets of some C code match, outside comments and literals."""
    open_brackets: list[str] = []
    for character in _LITERALS.sub(" ", code):
        if character in _PAIRS.values():
            open_brackets.append(character)
        elif character in _PAIRS and (
            not open_brackets or open_brackets.pop() != _PAIRS[character]
        ):
            return False
    return not open_brackets


def balanced_functions(code: str) -> tuple[int, int]:
    """How many functions some C code defines, and in how many of them all brackets match."""
    functions = _FUNCTION.findall(code)
    return len(functions), sum(map(is_balanced, functions))


def balanced_lines(code: str) -> tuple[int, int]:
    """How many lines of some C code have round brackets, and in how many of them all match."""
    lines = [re.sub(r"[^()]", "", line) for line in _LITERALS.sub(" ", code).split("\n")]
    lines = [line for line in lines if line]
    return len(lines), sum(map(is_balanced, lines))


def tunes_of(abc: str) -> list[str]:
    """The tunes of a file without the last one, which may be cut off."""
    return re.split(r"^(?=X:)", abc, flags=re.MULTILINE)[1:-1]


def sound_tunes(abc: str) -> tuple[int, int, int]:
    """How many tunes there are, how many parse, and how many of those add up bar by bar."""
    tunes = tunes_of(abc)
    parsed = []
    for tune in tunes:
        try:
            parsed.append(tokenize(tune))
        except DataError:
            continue
    return len(tunes), len(parsed), sum(map(bars_add_up, parsed))


def sound_tunes_by_music21(abc: str) -> tuple[int, int]:
    """How many tunes music21 reads, and how many of those add up by its measures.

    Because of upbeats, the first and the last bar and those beside a double bar, a repeat or an
    ending may be shorter than their meter. No bar may be longer, and there must be at least four.

    Raises:
        DataError: music21 is not installed.
    """
    try:
        from music21 import converter, exceptions21
    except ImportError:
        raise DataError("--music21 needs music21: pip install 'music21>=9,<11'") from None
    read, right = 0, 0
    for tune in tunes_of(abc):
        try:
            score = converter.parse(tune, format="abc")
        except (exceptions21.Music21Exception, ValueError, LookupError, AttributeError):
            continue
        bars = list(score.recurse().getElementsByClass("Measure"))
        # music21 cuts a bar that is too long in two, and makes up meters for the parts.
        meters = sum(bar.timeSignature is not None for bar in bars)
        whole = map(_measure_is_whole, bars, [None, *bars], [*bars[1:], None])
        read += 1
        right += len(bars) >= 4 and meters <= tune.count("M:") and all(whole)
    return read, right


def _measure_is_whole(bar: Any, before: Any, after: Any) -> bool:
    """Whether a measure of music21 is as long as its meter, or shorter because of an upbeat."""
    lacks = float(bar.barDuration.quarterLength - bar.duration.quarterLength)
    if abs(lacks) < 1e-6:
        return True
    lines = [bar.leftBarline, bar.rightBarline, before and before.rightBarline]
    edge = any(line is not None and line.type != "regular" for line in lines)
    ending = any(b.isFirst(bar) or b.isLast(bar) for b in bar.getSpannerSites("RepeatBracket"))
    return bool(lacks > 0 and (before is None or after is None or edge or ending))


def describe_names(made: str, corpus: Corpus | None) -> str:
    """One line on a text that has a name in each line."""
    names = made.split("\n")
    if corpus is None:
        count, different, _ = new_names(names, [])
        return f"{count} names, {different} different"
    known = texts_of(corpus, "train")
    count, different, new = new_names(names, known)
    *_, unseen = new_names(names, [*known, *texts_of(corpus, "valid"), *texts_of(corpus, "test")])
    return (
        f"{count} names, {different} different, {new} of those not in the training set "
        f"({new - unseen} of them in the other sets)"
    )


def describe_code(made: str, corpus: Corpus | None) -> str:
    """One line on some C code, and on as much of the test set."""
    lines, matched = balanced_lines(made)
    said = "{} functions, {} of them balanced".format(*balanced_functions(made))
    said += f", round brackets match in {matched / max(1, lines):.1%} of {lines} lines"
    if corpus is None:
        return said
    held_out = "\n".join(texts_of(corpus, "test"))[: len(made)]
    return f"{said}; test set: " + describe_code(held_out, None)


def describe_abc(made: str, *, music21: bool = False) -> str:
    """One line on a file of tunes, with `music21` also by that program."""
    count, parsed, right = sound_tunes(made)
    said = f"{count} tunes, {parsed} parse, {right} of those have bars that add up"
    if not music21:
        return said
    read, whole = sound_tunes_by_music21(made)
    return f"{said}; music21 reads {read}, and {whole} of those have bars that add up by it"


def describe_notes(pieces: Sequence[Sequence[Note]]) -> str:
    """One line on some pieces: how many keys are down on average, and how long notes last."""
    lasts = sorted(note.stop - note.start for piece in pieces for note in piece)
    if not lasts:
        raise DataError("no notes in it")
    seconds = sum(max(note.stop for note in piece) for piece in pieces if piece)
    middle, late = lasts[len(lasts) // 2], lasts[len(lasts) * 9 // 10]
    return (
        f"{len(lasts)} notes in {seconds:.0f} s, {sum(lasts) / seconds:.1f} keys down at once; "
        f"half of the notes last {middle:.2f} s or less, nine tenths {late:.2f}"
    )


def describe_chords(made: Roll, corpus: Corpus) -> str:
    """One line on a roll that a model made, and on the model's test set.

    Raises:
        DataError: it is not a model of rolls.
    """
    if not isinstance(corpus.codec, PianorollCodec):
        raise DataError("the model is not one of piano rolls")
    known = {frame.tobytes() for d in corpus.splits["train"] for frame in d.symbols}
    shapes = {chord.strip(b"\0") for chord in known}  # the same in every key

    def said(roll: Roll) -> str:
        chords = [frame.tobytes() for frame in roll[roll.any(axis=1)]]
        met = sum(chord in known for chord in chords) / max(1, len(chords))
        moved = sum(chord.strip(b"\0") in shapes for chord in chords) / max(1, len(chords))
        return (
            f"{len(roll)} frames, {roll.sum() / len(roll):.2f} notes a frame; of those that sound "
            f"{met:.1%} are chords of the training set, {moved:.1%} in some key"
        )

    held_out = np.concatenate([d.symbols for d in corpus.splits["test"]])
    return f"{said(made)}; test set: {said(held_out)}"


def texts_of(corpus: Corpus, split: str) -> list[str]:
    """A split's documents as texts.

    Raises:
        DataError: they are not texts.
    """
    codec = corpus.codec
    if not isinstance(codec, TextCodec):
        raise DataError("the model is not one of text")
    return [codec.decode(d.symbols.tolist()) for d in corpus.splits[split]]


def describe(kind: str, made: Path, corpus: Corpus | None, *, music21: bool = False) -> str:
    """One line on a file that a model made; for abc also by `music21`.

    Raises:
        DataError: the file cannot be read, or the corpus is of another kind.
    """
    if kind == "notes":
        said = describe_notes([read_notes(made)])
        if corpus is None:
            return said
        if corpus.codec.domain != "performance":
            raise DataError("the model is not one of performances")
        pieces = [decode_notes(d.symbols.tolist()) for d in corpus.splits["test"]]
        return f"{said}; test set: {describe_notes(pieces)}"
    if kind == "chords":
        if corpus is None:
            raise DataError("chords are looked for in a training set: give --model and --data")
        steps = corpus.codec.to_json().get("steps_per_beat", 1)
        return describe_chords(roll_from_midi(made, steps_per_beat=steps), corpus)
    if kind == "abc":
        return describe_abc(read_text(made), music21=music21)
    return {"names": describe_names, "code": describe_code}[kind](read_text(made), corpus)


def main(arguments: list[str]) -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("names", "code", "abc", "notes", "chords"))
    parser.add_argument("made", type=Path, metavar="FILE")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="needs --data")
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--music21", action="store_true", help="abc: ask music21, too")
    options = parser.parse_args(arguments)
    if options.music21 and options.kind != "abc":
        parser.error("--music21 is for abc")
    if (options.model is None) != (options.data is None):
        parser.error("--model and --data go together")
    try:
        corpus = corpus_of_card(read_card(options.model), options.data) if options.model else None
        said = describe(options.kind, options.made, corpus, music21=options.music21)
        sys.stdout.write(said + "\n")
    except (OSError, StreamRnnError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
