"""The gestures of a touch-screen ensemble as symbols: one for each player in each second.

The nine classes of gesture are those of Martin, Ellefsen and Torresen (2017), whose Neural iPad
Band reads the lead player's gesture and answers with those of three others. Their network reads a
whole row as one integer. Here the lead's symbol comes first and then one for each other player, so
that each answer takes the answers before it in its row into account.
"""

from __future__ import annotations

import csv
import io
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mido

from stream_rnn.codecs.files import read_utf8
from stream_rnn.codecs.rows import RowsCodec, rows_fields
from stream_rnn.codecs.snippets import PROGRAMS, score
from stream_rnn.errors import DataError

GESTURES = (
    "none", "fast taps", "slow taps", "fast swipe", "fast swipe accelerating",
    "very slow swirl", "big swirl", "small swirl", "combination",
)  # fmt: skip
SHORT = ("N", "FT", "ST", "FS", "FSA", "VSS", "BS", "SS", "C")
PLAYERS = ("lead", "one", "two", "three")  # of the published recordings, and of ours
MOST_PLAYERS = 8
NAMES = (*PLAYERS, "four", "five", "six", "seven")
TICKS_PER_ROW = 480
DRUMS = 9  # MIDI channel, from 0
_FIELDS = rows_fields(MOST_PLAYERS, len(GESTURES))
TIMES = ("time", "seconds", "index", "")  # names of a column that is not a player


class EnsembleCodec(RowsCodec):
    """Gestures of players, a row a second; the first player leads."""

    domain = "ensemble"
    endings: tuple[str, ...] = (".csv", ".mid")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EnsembleCodec:
        """The codec that `to_json` described."""
        _FIELDS.check(data, "codec")
        return cls(data["columns"], data["classes"], data["period"])

    @classmethod
    def usual(cls, players: int = len(PLAYERS)) -> EnsembleCodec:
        """The codec for so many players, nine classes of gesture and a row a second."""
        return cls(NAMES[:players], len(GESTURES), 1.0)

    def event(self, symbol: int) -> dict[str, Any]:
        if symbol == self.boundary:
            return {"event": {"end": 1}}
        player, gesture = self.column_and_value(symbol)
        return {"event": {"player": player, "gesture": gesture}}

    def parse_event(self, event: dict[Any, Any], where: str) -> int:
        player, gesture = event.get("player"), event.get("gesture")
        if event == {"end": 1}:
            return self.boundary
        if type(player) is not int or not 0 <= player < len(self.columns) or len(event) != 2:
            raise DataError(
                f"{where}: give player, 0 to {len(self.columns) - 1}, and gesture, "
                f"0 to {self.classes - 1}"
            )
        return self.symbol(player, self.parse_value(gesture, where))

    def text_of(self, value: int, column: int = 0) -> str:
        return SHORT[value] if self.classes == len(SHORT) else str(value)

    def parse_value(self, value: object, where: str, column: int = 0) -> int:
        if isinstance(value, str) and value in SHORT and self.classes == len(SHORT):
            return SHORT.index(value)
        if isinstance(value, str) and value.isdecimal():
            return super().parse_value(int(value[:9]), where)
        return super().parse_value(value, where)

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        """Writes a CSV, or a MIDI file of the gestures' snippets with a track for each player."""
        if path.suffix != ".mid":
            super().write_file(symbols, path, bpm)
            return
        channels = [(p + (p >= DRUMS)) % 16 for p in range(len(self.columns))]
        tempo = mido.MetaMessage("set_tempo", tempo=round(self.period * 1e6))  # a row is a beat
        file = mido.MidiFile(ticks_per_beat=TICKS_PER_ROW)
        for player, name in enumerate(self.columns):
            program = PROGRAMS[player % len(PROGRAMS)]
            track = mido.MidiTrack([mido.MetaMessage("track_name", name=name), tempo])
            track.append(mido.Message("program_change", channel=channels[player], program=program))
            file.tracks.append(track)
        at = [0] * len(self.columns)
        for row, player, pitch, velocity in score(self.decode(symbols), path.stem):
            tick = round(row * TICKS_PER_ROW)
            note = {"note": pitch, "velocity": velocity, "time": tick - at[player]}
            file.tracks[player].append(mido.Message("note_on", channel=channels[player], **note))
            at[player] = tick
        file.save(path)

    def read_prime(self, prime: str | Path) -> list[int]:
        path = Path(prime)
        if path.suffix != ".csv":
            return self.parse(read_utf8(prime) if isinstance(prime, Path) else prime)
        rows, wide = read_csv(path), len(self.columns)
        if rows and len(rows[0]) < wide:
            raise DataError(f"{path}: {len(rows[0])} players; the model has {wide}")
        return self.encode(row[:wide] for row in rows)


def read_csv(path: Path) -> list[list[int]]:
    """The gestures of a CSV with one row a second and one column for each of 2 to 8 players.

    The published recordings and the files of `sample` have a header, the time in the first
    column, and classes as numbers. The header or the time column may be missing. `2.0` is read as
    2, a class may be a name of `SHORT`, and an empty cell means that the player is absent.

    Raises:
        DataError: the file is not like this; the message says in which line.
    """
    reader = csv.reader(io.StringIO(read_utf8(path)), strict=True)
    try:
        table = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    names = [cell.strip().lower() for cell in table[0][1]] if table else []
    headed = names[:1] == ["time"] or all(_gesture(name) is None for name in names if name)
    body = table[headed:]
    times = names[:1] if headed else []
    timed = times[0] in TIMES if times else None in [_gesture(row[0]) for _, row in body]
    rows = []
    players = max((len(row) - timed for _, row in body[:1]), default=0)
    if body and not 2 <= players <= MOST_PLAYERS:
        raise DataError(
            f"{path}, line {body[0][0]}: {players} players; there must be 2 to {MOST_PLAYERS}, "
            "one in each column"
        )
    for line, row in body:
        cells = row[timed:]
        if len(cells) != players:
            raise DataError(f"{path}, line {line}: {len(cells)} players, not {players} as before")
        gestures = [_gesture(cell) for cell in cells]
        if None in gestures:
            wrong = reprlib.repr(cells[gestures.index(None)])
            last = len(GESTURES) - 1
            raise DataError(f"{path}, line {line}: {wrong} is not a gesture, 0 to {last}")
        rows.append([g for g in gestures if g is not None])
    return rows


def _gesture(cell: str) -> int | None:
    cell = cell.strip()
    if cell.upper() in SHORT or not cell:
        return SHORT.index(cell.upper()) if cell else 0
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if value in range(len(GESTURES)) else None
