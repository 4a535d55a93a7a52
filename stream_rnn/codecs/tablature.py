"""Guitar tablature as symbols: each symbol is a column, with at most one note.

Index 0 is the begin-and-end symbol, which separates tunes. Then come the columns: one in which
the last note sounds on, one that silences it, and the notes, string by string from the lowest and
fret by fret. Each column is in the vocabulary twice, the second time as the first column of a
bar. So a bar line needs no symbol, and all symbols last equally long.

In a text a column is written `D2`, the second fret of the D string, or `|D2` after a bar line.
`show` draws six lines as guitarists write them, and `parse` reads those, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn import schema
from stream_rnn.codecs.base import STEPS_PER_BEAT, CategoricalCodec
from stream_rnn.codecs.files import read_utf8
from stream_rnn.codecs.performance import Note, midi_from_notes
from stream_rnn.errors import DataError

STRINGS = "EADGBe"  # lowest first
TUNING = (40, 45, 50, 55, 59, 64)
FRETS = 15
HOLD, REST, FIRST = 0, 1, 2  # columns
COLUMNS = FIRST + len(STRINGS) * (FRETS + 1)
SIZE = 1 + 2 * COLUMNS
_FIELDS = schema.table(
    {"steps_per_beat": STEPS_PER_BEAT},
    {"columns": schema.one_of(SIZE), "domain": schema.ANYTHING},
)
WIDTH = 68  # characters in a line of a system, roughly

TUNES_APART = ". . ."

_COLUMN = re.compile(r"([EADGBe])(\d{1,2})$")
_LINE = re.compile(r"([EADGBe])\|(.*)$")

# Costs for `fretted`: of a shift of the hand, and of each fret of the shift; of each fret that the
# hand is up the neck; of each fret of a note, which favours open strings; of each string crossed.
SHIFT, SHIFT_FRET, HEIGHT, FRET, CROSS = 1.0, 0.4, 0.08, 0.05, 0.1
REACH = 4  # frets that the hand covers without a shift
_HANDS = np.arange(1, FRETS - REACH + 2)  # the lowest fret under the hand


class TablatureCodec(CategoricalCodec):
    """Columns to indices and back.

    Args:
        steps_per_beat: columns in one quarter note.
    """

    domain = "tablature"
    size = SIZE
    endings: tuple[str, ...] = (".txt", ".mid")
    printable = True
    letters = 20  # for columns that are sent as six lines

    def __init__(self, steps_per_beat: int = 4) -> None:
        STEPS_PER_BEAT.check(steps_per_beat, "steps_per_beat")
        self.steps_per_beat = steps_per_beat

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TablatureCodec:
        """The codec that `to_json` described."""
        _FIELDS.check(data, "codec")
        return cls(data["steps_per_beat"])

    def to_json(self) -> dict[str, Any]:
        return {"domain": self.domain, "steps_per_beat": self.steps_per_beat, "columns": SIZE}

    def parse(self, value: object) -> list[int]:
        if isinstance(value, list) and all(isinstance(c, str) for c in value):
            value = " ".join(value)
        if not isinstance(value, str):
            raise DataError('this model takes tablature, such as "|D0 - D2 - |G0 - - -"')
        if _LINE.search(value.partition("\n")[0]):
            return read_tab(value)
        return [_column(word) for word in value.split()]

    def event(self, symbol: int) -> dict[str, Any]:
        text = column_text(symbol) + ("\n" if symbol == self.boundary else " ")
        _, column = divmod(symbol - 1, COLUMNS)
        if symbol == self.boundary:
            return {"text": text, "event": {"end": 1}}
        if column < FIRST:
            return {"text": text} | ({"event": {"rest": 1}} if column == REST else {})
        string, fret = divmod(column - FIRST, FRETS + 1)
        note = TUNING[string] + fret
        return {"text": text, "event": {"string": 6 - string, "fret": fret, "note": note}}

    def show(self, symbols: Sequence[int]) -> str:
        return draw_tab(symbols)

    def read_prime(self, prime: str | Path) -> list[int]:
        path = Path(prime)
        from_file = isinstance(prime, Path) or path.suffix == ".txt"
        return self.parse(read_utf8(path) if from_file else prime)

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        if path.suffix == ".mid":
            # The notes are read from the drawing, as a guitarist would read them.
            played = read_tab(draw_tab(symbols))
            notes = notes_of(played, 60.0 / bpm / self.steps_per_beat)
            midi_from_notes(notes, bpm=bpm, program=24).save(path)
        else:
            path.write_text(self.show(symbols) + "\n", encoding="utf-8")


def symbol_of(column: int, *, bar: bool) -> int:
    """The symbol of a column, after a bar line or not."""
    return 1 + column + COLUMNS * bar


def note_column(string: int, fret: int) -> int:
    """The column of a note; the lowest string is 0."""
    return FIRST + string * (FRETS + 1) + fret


def column_text(symbol: int) -> str:
    """A symbol as one word; the begin-and-end symbol is the empty word."""
    if symbol == 0:
        return ""
    bar, column = divmod(symbol - 1, COLUMNS)
    string, fret = divmod(column - FIRST, FRETS + 1)
    return "|" * bar + ("-x"[column] if column < FIRST else f"{STRINGS[string]}{fret}")


def _column(word: str) -> int:
    plain = word.removeprefix("|")
    if plain in ("-", "x"):
        return symbol_of("-x".index(plain), bar=plain != word)
    found = _COLUMN.match(plain)
    if found is None or int(found[2]) > FRETS:
        raise DataError(
            f"{word[:20]!r} is not a column of tablature: write - or x, or one of the strings "
            f"{STRINGS} with a fret 0 to {FRETS}; put | before it where a bar begins"
        )
    column = note_column(STRINGS.index(found[1]), int(found[2]))
    return symbol_of(column, bar=plain != word)


def draw_tab(symbols: Iterable[int]) -> str:
    """Tablature in systems of six lines, the highest string on top.

    A blank line separates systems, and a line of dots separates tunes.
    """
    systems: list[str] = []
    lines = [""] * 6

    def flush() -> None:
        nonlocal lines
        if any(lines):
            systems.append("\n".join(f"{STRINGS[i]}|{lines[i]}" for i in reversed(range(6))))
        lines = [""] * 6

    for symbol in symbols:
        if symbol == 0:
            flush()
            systems.append(TUNES_APART)
            continue
        bar, column = divmod(symbol - 1, COLUMNS)
        if len(lines[0]) > (WIDTH - 18 if bar else 2 * WIDTH):
            flush()
        string, fret = divmod(column - FIRST, FRETS + 1)
        cells = ["-" if column == HOLD else "x"] * 6
        if column >= FIRST:
            # A gap follows, so that the frets 1 and 2 are not read as 12.
            cells = ["-" * (len(str(fret)) + 1)] * 6
            cells[string] = f"{fret}-"
        lines = [line + "|" * bar + cell for line, cell in zip(lines, cells, strict=True)]
    flush()
    return "\n\n".join(systems)


def read_tab(text: str) -> list[int]:
    """The symbols of six-line tablature, as `draw_tab` draws it.

    Raises:
        DataError: not six lines of one length, or two notes at once; it says in which system.
    """
    symbols: list[int] = []
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip("\n"))
    for number, block in enumerate(filter(str.strip, blocks), 1):
        if block.strip() == TUNES_APART:
            symbols.append(0)
            continue
        rows = [_LINE.match(line.strip()) for line in block.split("\n")]
        names = "".join(row[1] if row else "?" for row in rows)
        if names != STRINGS[::-1] or len({len(row[2]) for row in rows if row}) != 1:
            raise DataError(f"system {number} is not six lines e B G D A E of one length")
        symbols += _symbols([row[2] for row in reversed(rows) if row], number)
    return symbols


def _symbols(lines: list[str], system: int) -> list[int]:
    """The symbols of one system's lines, lowest string first."""
    symbols: list[int] = []
    place, bar = 0, False
    while place < len(lines[0]):
        cells = {line[place] for line in lines}
        struck = [line for line in lines if line[place].isdigit()]
        if cells == {"|"} and not bar:
            place, bar = place + 1, True
            continue
        if cells in ({"-"}, {"x"}):
            column, width = ("-x".index(cells.pop()), 1)
        else:
            fret = re.match(r"\d{1,2}", struck[0][place:]) if len(struck) == 1 else None
            if fret is None or int(fret[0]) > FRETS or cells - {"-", fret[0][0]}:
                raise DataError(
                    f"system {system}, column {place + 1}: not one note, nor all - | or x"
                )
            column = note_column(lines.index(struck[0]), int(fret[0]))
            width = len(fret[0]) + 1  # and the gap after it
        symbols.append(symbol_of(column, bar=bar))
        place, bar = place + width, False
    return symbols


def notes_of(symbols: Iterable[int], column_seconds: float) -> list[Note]:
    """The notes of some symbols; each sounds until the next note or rest."""
    notes: list[Note] = []
    now, since, pitch = 0.0, 0.0, -1
    for symbol in [*symbols, symbol_of(REST, bar=False)]:
        column = (symbol - 1) % COLUMNS if symbol else REST
        if column != HOLD:
            if pitch >= 0:
                notes.append(Note(since, now, pitch, 84))
            string, fret = divmod(column - FIRST, FRETS + 1)
            pitch = TUNING[string] + fret if column >= FIRST else -1
            since = now
        now += column_seconds
    return notes


def fretted(pitches: Sequence[int]) -> list[tuple[int, int]] | None:
    """The easiest way to play a melody, as (string, fret) counted from the lowest string.

    The hand covers four frets. The costs of shifting it, of playing up the neck and of crossing
    strings are minimised over the whole melody at once (Viterbi, after Sayegh 1989). Open
    strings can be played wherever the hand is. None if a note is not on the guitar.
    """
    costs = np.zeros(len(_HANDS))  # [places * hands], the least so far
    before: int | None = None
    steps: list[NDArray[np.intp]] = []
    for pitch in pitches:
        if not _places(pitch):
            return None
        ways = _ways(before, pitch) + costs
        steps.append(ways.argmin(1))
        costs = ways.min(1)
        before = pitch
    path: list[tuple[int, int]] = []
    at = int(costs.argmin())
    for pitch, back in zip(reversed(pitches), reversed(steps), strict=True):
        path.append(_places(pitch)[at // len(_HANDS)])
        at = int(back[at])
    return path[::-1]


@cache
def _places(pitch: int) -> list[tuple[int, int]]:
    """Where a pitch can be played, as (string, fret)."""
    return [(s, pitch - TUNING[s]) for s in range(6) if 0 <= pitch - TUNING[s] <= FRETS]


@cache
def _ways(before: int | None, pitch: int) -> NDArray[np.float64]:
    """The cost of each way to a pitch, `[places × hands, places × hands before]`."""
    strings = [s for s, _ in _places(before)] if before is not None else [0]
    places = _places(pitch)
    frets = np.array([fret for _, fret in places])[:, None]
    reached = (frets == 0) | ((_HANDS <= frets) & (frets < _HANDS + REACH))
    here = np.where(reached, HEIGHT * _HANDS + FRET * frets, np.inf)  # [places, hands]
    shifts = np.abs(_HANDS[:, None] - _HANDS)
    moving = np.where(shifts > 0, SHIFT + SHIFT_FRET * shifts, 0.0)
    crossing = CROSS * np.abs(np.subtract.outer([s for s, _ in places], strings))
    if before is None:
        moving, crossing = 0 * moving, 0 * crossing
    ways = here[:, :, None, None] + crossing[:, None, :, None] + moving[None, :, None, :]
    flat: NDArray[np.float64] = ways.reshape(here.size, -1)
    return flat
