"""Folk tunes as symbols: the tokens of ABC notation.

After Sturm, Santos, Ben-Tal and Korshunova (2016, arXiv 1604.08723): a tune is its meter,
its key, and then bars, notes and lengths, a token each. Lengths are in eighths whatever the
source's `L:` said. Grace notes, slurs, decorations and chord names are left out, and of notes
struck together the highest is kept.

The tokens:

* `M:6/8` and `K:Gmaj` begin a tune; within one they stand in brackets;
* `|`, `||`, `|:`, `:|`, `::` are bar lines, and `[1`, `[2` the endings after them;
* `^c'` or `B,` is a note, `z` a rest, and `2`, `/2`, `3/2` the length of the note before;
* `>`, `<` and `(3` bend lengths, `-` ties to a note of the same name.

Index 0 is the boundary between tunes. The texts of a tune's tokens, one after another, are a
tune that other programs read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from stream_rnn.codecs.base import CategoricalCodec
from stream_rnn.codecs.performance import Note, midi_from_notes
from stream_rnn.errors import CheckpointError, DataError

HEADER = "X:1\n{}\nL:1/8\n"
BARS = ("|", "||", "|:", ":|", "::")
MAX_VOCABULARY = 1024
ROUNDING = 1e-6  # of an eighth: triplets do not add up exactly

_MODES = {
    "": "maj", "maj": "maj", "ion": "maj", "m": "min", "min": "min", "aeo": "min", "mix": "mix",
    "dor": "dor", "lyd": "lyd", "phr": "phr", "loc": "loc",
}  # fmt: skip
# How many fifths above its major key a mode's signature lies.
_FIFTHS = {"maj": 0, "mix": -1, "dor": -2, "min": -3, "phr": -4, "loc": -5, "lyd": 1}
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"^": 1, "^^": 2, "=": 0, "_": -1, "__": -2}

_KEY = re.compile(r"([A-G][#b]?)\s*([A-Za-z]*)")
_METER = re.compile(r"(\d{1,2})/(1|2|4|8|16)$")
_FIELD = re.compile(r"[A-Za-z]:(?![|:])")  # `A:|` is a note before a repeat
_INLINE_FIELD = re.compile(
    r"(?<![\[\w])(M:[ \t]*\S+|L:[ \t]*\S+"
    r"|K:[ \t]*[A-G][#b]?(?:[ \t]*(?:maj|min|ion|aeo|mix|dor|lyd|phr|loc)[A-Za-z]*|m)?(?!\w))",
    re.IGNORECASE,
)
_NOTE = r"(?P<note>[_^=]{0,2}[A-Ga-gzx][,']*)(?P<length>\d*(?:/+\d*)?)"
_LEXEMES = re.compile(
    r"(?P<skip>\"[^\"]*\"|![^!\n]*!|\+[^+\n]*\+|\{[^}]*\}|[\s`\\.~*!y)]|[H-WYh-w](?![:\w]*\])"
    r"|\((?!\d))"
    r"|\[(?P<field>[KLMIPRQNrw]:[^\]\n]*)\]"
    r"|(?P<bar>\[\|:?|:*\|[|\]]*:*|::+)"
    r"|(?P<ending>\[?[1-9](?:[,-][1-9])*)(?![\d/])"
    r"|\[(?P<chord>[^\]|:\n]+)\](?P<chordlength>\d*(?:/+\d*)?)"
    rf"|{_NOTE}"
    r"|(?P<tuplet>\(\d(?::\d?){0,2})"
    r"|(?P<broken>>{1,3}|<{1,3})"
    r"|(?P<tie>-)"
)
_TOKEN_NOTE = re.compile(r"(\^{0,2}|_{0,2}|=?)([A-Ga-gz])([,']*)$")
_TOKEN_LENGTH = re.compile(r"(\d*)(?:/(\d+))?$")
_TOKEN_TUPLET = re.compile(r"\((\d)(?::(\d?))?(?::(\d?))?$")


class AbcCodec(CategoricalCodec):
    """ABC tokens to indices and back.

    Args:
        tokens: the vocabulary after the boundary, in index order.

    Raises:
        CheckpointError: a token stands twice, or is none.
    """

    domain = "abc"
    endings: tuple[str, ...] = (".abc", ".mid")
    printable = True

    def __init__(self, tokens: Iterable[str]) -> None:
        self.vocabulary = ("", *tokens)
        self._index = {token: i for i, token in enumerate(self.vocabulary)}
        if len(self._index) != len(self.vocabulary):
            raise CheckpointError("an ABC token stands twice in the vocabulary")
        if len(self.vocabulary) > MAX_VOCABULARY:
            raise CheckpointError(f"more than {MAX_VOCABULARY} ABC tokens")
        self.size = len(self.vocabulary)

    @classmethod
    def learn(cls, tunes: Iterable[Sequence[str]], *, least: int) -> AbcCodec:
        """The codec for some tunes; tokens that stand in fewer than `least` are unknown.

        Raises:
            DataError: nothing is left to learn from.
        """
        counts: Counter[str] = Counter()
        for tune in tunes:
            counts.update(set(tune))
        kept = sorted(token for token, n in counts.items() if n >= least)
        if not kept:
            raise DataError(f"no ABC token stands in {least} tunes or more; is the corpus empty?")
        return cls(kept)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AbcCodec:
        """The codec that `to_json` described."""
        tokens = data.get("tokens")
        if not isinstance(tokens, list) or not all(isinstance(t, str) and t for t in tokens):
            raise CheckpointError("the card's codec needs `tokens`, a list of strings")
        return cls(tokens)

    def to_json(self) -> dict[str, Any]:
        return {"domain": self.domain, "tokens": list(self.vocabulary[1:])}

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Indices of tokens.

        Raises:
            DataError: one is not in the vocabulary.
        """
        symbols = []
        for token in tokens:
            if token not in self._index:
                raise DataError(f"this model does not know the ABC token {token!r}")
            symbols.append(self._index[token])
        return symbols

    def decode(self, symbols: Iterable[int]) -> list[str]:
        """The tokens of some symbols; the boundary is the empty one."""
        return [self.vocabulary[s] for s in symbols]

    def parse(self, value: object) -> list[int]:
        if isinstance(value, list) and all(isinstance(t, str) for t in value):
            value = " ".join(value)
        if not isinstance(value, str):
            raise DataError('this model takes ABC, such as "M:6/8\\nK:G\\nG2A B2c|"')
        # People write a prime's header and its notes on one line.
        return self.encode(tokenize(_INLINE_FIELD.sub(r"\n\1\n", value)))

    def event(self, symbol: int) -> dict[str, Any]:
        return {"text": text_of(self.vocabulary[symbol])}

    def show(self, symbols: Sequence[int]) -> str:
        """ABC, its tunes numbered."""
        tunes = "".join(text_of(t) for t in self.decode(symbols)).strip().split("X:1\n")
        numbered = [f"X:{n}\n{tune}" for n, tune in enumerate(tunes[1:], 1)]
        return "".join([tunes[0], *numbered])

    def read_prime(self, prime: str) -> list[int]:
        return self.parse(prime)

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        if path.suffix == ".mid":
            midi_from_notes(notes_of(self.decode(symbols), bpm)).save(path)
        else:
            path.write_text(self.show(symbols) + "\n", encoding="utf-8")


def text_of(token: str) -> str:
    """A token as it stands in a tune; a meter opens the header, and a boundary ends the tune."""
    if not token:
        return "\n\n"
    if token.startswith("M:"):
        return HEADER.format(token)
    if token.startswith("K:"):
        return token + "\n"
    if token in BARS:
        return token + ("\n" if token in ("||", ":|", "::") else " ")
    return token


def tokenize(abc: str) -> list[str]:
    """The tokens of one tune, or of a piece of one.

    Raises:
        DataError: something in it is not understood; it is shown.
    """
    tokens: list[str] = []
    unit = Fraction(1, 8)
    in_header = True
    pending_tie: str | None = None

    def field(name: str, value: str) -> None:
        nonlocal unit
        if name == "L":
            unit = _fraction(value, "L:")
        elif name in "MK":
            token = f"M:{_meter(value)}" if name == "M" else f"K:{_key(value)}"
            tokens.append(token if in_header else f"[{token}]")

    def sound(name: str, length: str) -> None:
        nonlocal pending_tie
        name = name.replace("x", "z")
        if pending_tie is not None and pending_tie == name.lstrip("_^="):
            # A hyphen to another note is a slur in some collections; only a tie is kept.
            tokens.append("-")
        pending_tie = None
        tokens.append(name)
        duration = _length(length) * unit * 8
        if duration != 1:
            tokens.append(_length_token(duration))

    for line in abc.replace("\r", "\n").split("\n"):
        line = line.partition("%")[0].strip()
        if _FIELD.match(line):
            name, value = line[0], line[2:].strip()
            if name in "MKL":
                field(name, value)
            in_header = in_header and name != "K"
            continue
        if line:
            in_header = False
        position = 0
        while position < len(line):
            found = _LEXEMES.match(line, position)
            if found is None:
                raise DataError(f"not understood as ABC: {line[position : position + 20]!r}")
            position = found.end()
            kind = found.lastgroup
            if found["note"]:
                sound(found["note"], found["length"])
            elif found["chord"]:
                sound(*_highest(found["chord"], found["chordlength"]))
            elif found["field"]:
                field(found["field"][0], found["field"][2:].strip())
            elif found["bar"]:
                # A line that ends with a bar line and one that begins with one make one.
                before = tokens.pop() if tokens and tokens[-1] in BARS else ""
                tokens.append(_bar(before * (before != "|") + found["bar"]))
            elif found["ending"]:
                tokens.append("[" + found["ending"].lstrip("["))
            elif found["tie"]:
                last = next((t for t in reversed(tokens) if _TOKEN_NOTE.match(t)), "")
                pending_tie = last.lstrip("_^=")
            elif kind in ("tuplet", "broken"):
                tokens.append(found[0])
    return tokens


def _fraction(value: str, where: str) -> Fraction:
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise DataError(f"not understood as ABC: {where}{value}") from None


def _meter(value: str) -> str:
    plain = {"C": "4/4", "C|": "2/2"}.get(value, value)
    if not _METER.match(plain):
        raise DataError(f"not understood as an ABC meter: M:{value}")
    return plain


def _key(value: str) -> str:
    found = _KEY.match(value)
    mode = _MODES.get(found[2].lower()[:3]) if found else None
    if found is None or mode is None:
        raise DataError(f"not understood as an ABC key: K:{value}")
    return found[1] + mode


def _bar(bar: str) -> str:
    """The bar line for one or two bar lines as they stand."""
    ends, begins = bar.startswith(":") or ":|" in bar, bar.endswith(":") or "|:" in bar
    if ends and begins:
        return "::"
    if ends or begins:
        return ":|" if ends else "|:"
    return "|" if "||" not in bar.replace("[", "|").replace("]", "|") else "||"


def _length(text: str) -> Fraction:
    """`3`, `3/2`, `/`, `//`, `/4`: in units of `L:`."""
    number, slash, rest = text.partition("/")
    top = int(number or 1)
    if not slash:
        return Fraction(top)
    halves = 1 + len(rest) - len(rest.lstrip("/"))
    below = int(rest.lstrip("/") or 2**halves)
    if below == 0:
        raise DataError(f"not understood as an ABC length: {text}")
    return Fraction(top, below)


def _length_token(length: Fraction) -> str:
    top = "" if length.numerator == 1 else str(length.numerator)
    return top + (f"/{length.denominator}" if length.denominator > 1 else "")


def _highest(chord: str, outer: str) -> tuple[str, str]:
    notes = list(re.finditer(_NOTE, chord))
    if not notes:
        raise DataError(f"not understood as ABC: [{chord}]")
    top = max(notes, key=lambda n: _natural_pitch(n["note"].lstrip("_^=")))
    return top["note"], outer or top["length"]


def _natural_pitch(name: str) -> int:
    letter = name[0]
    if letter in "zx":
        return -1
    octave = 12 * (letter.islower() + name.count("'") - name.count(","))
    return 60 + _LETTERS[letter.upper()] + octave


# What a tune sounds like


def key_signature(key: str) -> dict[str, int]:
    """Sharps (1) and flats (-1) by letter, of a key such as `Gmaj` or `F#min`."""
    tonic, mode = key[:-3], key[-3:]
    fifths = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}[tonic[0]]
    fifths += 7 * (tonic.count("#") - tonic.count("b")) + _FIFTHS[mode]
    order = "FCGDAEB"
    if fifths >= 0:
        return {letter: 1 + (fifths - 7 > i) for i, letter in enumerate(order[:fifths])}
    return dict.fromkeys(order[::-1][:-fifths], -1)


def melody(tokens: Iterable[str]) -> list[tuple[int | None, float]]:
    """The MIDI pitches (None for a rest) and lengths in eighths of a tune, repeats once.

    Accidentals hold to the end of their bar, ties join notes, and `>` and tuplets are worked
    out.
    """
    sounds: list[tuple[int | None, float, bool]] = []  # whether it is tied to the one before
    signature: dict[str, int] = {}
    in_bar: dict[str, int] = {}
    meter = Fraction(4, 4)
    tuplet, left, stretch, tied = 1.0, 0, 1.0, False

    def scale(by: float) -> None:
        pitch, length, joined = sounds[-1]
        sounds[-1] = (pitch, length * by, joined)

    for token in tokens:
        note, bent, times = (
            pattern.match(token) for pattern in (_TOKEN_NOTE, _TOKEN_TUPLET, _TOKEN_LENGTH)
        )
        plain = token.strip("[]")
        if note:
            accidental, letter, _ = note.groups()
            name = token[len(accidental) :]
            if accidental:
                in_bar[name] = _ACCIDENTALS[accidental]
            by = in_bar.get(name, signature.get(letter.upper(), 0))
            pitch = None if letter == "z" else _natural_pitch(name) + by
            joined = tied and bool(sounds)
            if joined:
                pitch = sounds[-1][0]  # an accidental goes over the bar line with a tie
            sounds.append((pitch, tuplet * stretch if left else stretch, joined))
            left, stretch, tied = max(0, left - 1), 1.0, False
        elif token in BARS:
            in_bar.clear()
        elif plain.startswith("K:"):
            signature = key_signature(plain[2:])
        elif plain.startswith("M:"):
            meter = Fraction(plain[2:])
        elif token == "-":
            tied = True
        elif bent:
            count = int(bent[1])
            # Two in the time of three, three of two, and so on; five in that of the meter.
            usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(count) or (
                3 if meter.denominator == 8 or meter.numerator % 3 == 0 else 2
            )
            tuplet = int(bent[2] or usual) / (count or 1)
            left = int(bent[3] or count)
        elif token[0] in "<>" and sounds:
            short = 0.5 ** len(token)
            first, stretch = (2 - short, short) if token[0] == ">" else (short, 2 - short)
            scale(first)
        elif times and sounds:
            scale(int(times[1] or 1) / int(times[2] or 1))
    merged: list[tuple[int | None, float]] = []
    for pitch, length, joined in sounds:
        if joined:
            length += merged.pop()[1]
        merged.append((pitch, length))
    return merged


def notes_of(tokens: Sequence[str], bpm: float) -> list[Note]:
    """The notes of some tunes, one after another, as they are played; `bpm` is quarter notes."""
    notes: list[Note] = []
    now, eighth = 0.0, 30.0 / bpm
    breaks = [i for i, token in enumerate(tokens) if not token]
    for begin, end in pairwise([-1, *breaks, len(tokens)]):
        for pitch, length in melody(tokens[begin + 1 : end]):
            lasts = float(length) * eighth
            if pitch is not None and 0 <= pitch <= 127:
                notes.append(Note(now, now + 0.9 * lasts, pitch, 80))
            now += lasts
        now += 4 * eighth
    return notes


def bars_add_up(tokens: Sequence[str]) -> bool:
    """Whether a tune has a meter, a key and notes, and each bar is as long as its meter says.

    The first and the last bar between two double bars, repeats or endings may be shorter, as
    upbeats make them; lines of repeat with nothing between are no bars.
    """
    if len(tokens) < 3 or not tokens[0].startswith("M:") or not tokens[1].startswith("K:"):
        return False
    header = list(tokens[:2])
    eighths = float(8 * Fraction(tokens[0][2:]))
    bars = 0
    now: list[str] = []
    edge = True  # the bar before this one ended a part
    for token in [*tokens[2:], "||"]:
        if token.startswith("[M:"):
            eighths = float(8 * Fraction(token[3:-1]))
        if token not in BARS:
            now.append(token)
            # An ending may begin with a short bar, where the repeat leads into it.
            edge = edge or (token[0] == "[" and token[1].isdigit())
            continue
        length = sum(length for _, length in melody([*header, *now]))
        ends = token != "|"
        if length > eighths + ROUNDING or (length < eighths - ROUNDING and not (edge or ends)):
            return False
        bars += length > 0
        edge, now = ends or (edge and not length), []
    return bars >= 4
