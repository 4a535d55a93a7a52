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
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from stream_rnn import schema
from stream_rnn.codecs.base import CategoricalCodec, Sound
from stream_rnn.codecs.files import read_utf8
from stream_rnn.codecs.melody import BARS, TOKEN_NOTE, Tune, natural_pitch, notes_of
from stream_rnn.codecs.performance import midi_from_notes
from stream_rnn.errors import CheckpointError, DataError

HEADER = "X:1\n{}\nL:1/8\n"
MAX_VOCABULARY = 1024
_FIELDS = schema.table(
    {"tokens": schema.items(schema.line(16, least=1), MAX_VOCABULARY - 1, least=1, unique=True)},
    {"domain": schema.ANYTHING},
)

_MODES = {
    "": "maj", "maj": "maj", "ion": "maj", "m": "min", "min": "min", "aeo": "min", "mix": "mix",
    "dor": "dor", "lyd": "lyd", "phr": "phr", "loc": "loc",
}  # fmt: skip

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
        note, _ = Tune().after("A")
        for token in self.vocabulary:
            try:
                note.after(token)
            except (ArithmeticError, LookupError, ValueError):
                raise CheckpointError(f"{token!r} is no ABC token") from None
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
        _FIELDS.check(data, "codec")
        return cls(data["tokens"])

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

    def reading(self) -> AbcReading:
        return AbcReading(self.vocabulary)

    def show(self, symbols: Sequence[int]) -> str:
        """ABC, its tunes numbered."""
        tunes = "".join(text_of(t) for t in self.decode(symbols)).strip().split("X:1\n")
        numbered = [f"X:{n}\n{tune}" for n, tune in enumerate(tunes[1:], 1)]
        return "".join([tunes[0], *numbered])

    def read_prime(self, prime: str | Path) -> list[int]:
        return self.parse(read_utf8(prime).removesuffix("\n") if isinstance(prime, Path) else prime)

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        if path.suffix == ".mid":
            midi_from_notes(notes_of(self.decode(symbols), bpm), bpm=bpm).save(path)
        else:
            path.write_text(self.show(symbols) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class AbcReading:
    """A stream of ABC tokens in mid-tune: a note begins to sound with the one that settles it."""

    vocabulary: tuple[str, ...]
    tune: Tune = Tune()

    def after(self, symbol: int) -> tuple[AbcReading, Sound | None]:
        tune, sound = self.tune.after(self.vocabulary[symbol])
        return AbcReading(self.vocabulary, tune), sound

    def unheard(self) -> AbcReading:
        return AbcReading(self.vocabulary, self.tune.unheard())


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
                last = next((t for t in reversed(tokens) if TOKEN_NOTE.match(t)), "")
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
    top = max(notes, key=lambda n: natural_pitch(n["note"].lstrip("_^=")))
    return top["note"], outer or top["length"]
