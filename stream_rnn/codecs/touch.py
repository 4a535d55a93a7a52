"""Streams of a touch surface or a controller as symbols: values from 0 to 1, in levels.

A row is one report of the device: x, y and pressure, or whatever its columns are. If the
recordings say when each report came, the first column is the time since the report before, as
in IMPSY (Martin and Torresen 2019), and the stream is played in that time.
"""

from __future__ import annotations

import itertools
import math
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn import schema
from stream_rnn.codecs.rows import MAX_SIZE, RowsCodec, rows_fields
from stream_rnn.errors import CheckpointError, DataError

TIME = "dt"  # the name of the time column
SHORTEST, LONGEST = 0.002, 5.0  # seconds between two reports; other times are clipped to these
_FIELDS = rows_fields(MAX_SIZE // 2, MAX_SIZE - 1, timed=schema.one_of(True, False))


class TouchCodec(RowsCodec):
    """Values from 0 to 1, each as one of `classes` levels.

    Args:
        columns: the names of the columns; the first one of a timed codec is `dt`.
        classes: how many levels each has.
        period: seconds that a row lasts, if no column says so.
        timed: whether the first column is the time since the row before. Its levels are evenly
            spaced in the logarithm, from 2 ms to 5 s.
    """

    domain = "touch"

    def __init__(
        self, columns: Iterable[str], classes: int, period: float, *, timed: bool = False
    ) -> None:
        super().__init__(columns, classes, period)
        self.timed = timed
        if timed and (len(self.columns) < 2 or self.columns[0] != TIME):
            raise CheckpointError(f"codec.columns: a timed codec needs {TIME!r} first, then values")
        self._ratio: float = (LONGEST / SHORTEST) ** (1 / (classes - 1))

    @classmethod
    def of(cls, values: Sequence[str], classes: int, period: float, *, timed: bool) -> TouchCodec:
        """The codec of recordings with these values."""
        return cls([*([TIME] if timed else []), *values], classes, period, timed=timed)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TouchCodec:
        """The codec that `to_json` described."""
        _FIELDS.check(data, "codec")
        timed = data.get("timed") is True
        return cls(data["columns"], data["classes"], data["period"], timed=timed)

    def to_json(self) -> dict[str, Any]:
        timed = {"timed": True} if self.timed else {}
        return {**super().to_json(), **timed}

    @property
    def values(self) -> tuple[str, ...]:
        """The names of the columns that are not the time."""
        return self.columns[self.timed :]

    def levels(self, rows: NDArray[np.float64]) -> NDArray[np.int64]:
        """The levels of whole rows `[reports, columns]`."""
        levels = np.minimum((rows * self.classes).astype(np.int64), self.classes - 1)
        if self.timed:
            levels[:, 0] = [self.level(seconds, 0) for seconds in rows[:, 0]]
        return levels

    def level(self, value: float, column: int) -> int:
        """The level of a value: seconds in the time column, 0 to 1 in the others."""
        if self._is_time(column):
            bounded = min(max(value, SHORTEST), LONGEST)
            return round(math.log(bounded / SHORTEST, self._ratio))
        return min(int(value * self.classes), self.classes - 1)

    def value(self, level: int, column: int) -> float:
        """The value that stands for a level; see `level`."""
        if self._is_time(column):
            return float(round(SHORTEST * self._ratio**level, 4))
        return round((level + 0.5) / self.classes, 4)

    def _is_time(self, column: int) -> bool:
        return self.timed and column == 0

    def seconds(self, symbol: int) -> float | None:
        if not self.timed or symbol == self.boundary:
            return super().seconds(symbol)
        column, level = self.column_and_value(symbol)
        return self.value(level, column) if self._is_time(column) else 0.0

    def times(self, rows: Sequence[Sequence[int]]) -> list[float]:
        if not self.timed:
            return super().times(rows)
        return [round(t, 4) for t in itertools.accumulate(self.value(row[0], 0) for row in rows)]

    def event(self, symbol: int) -> dict[str, Any]:
        if symbol == self.boundary:
            return {"event": {"end": 1}}
        column, level = self.column_and_value(symbol)
        return {"event": {self.columns[column]: self.value(level, column)}}

    def parse_event(self, event: dict[Any, Any], where: str) -> int:
        if event == {"end": 1}:
            return self.boundary
        if len(event) == 1:
            ((name, value),) = event.items()
            if name in self.columns:
                column = self.columns.index(name)
                return self.symbol(column, self.parse_value(value, where, column))
        raise DataError(f"{where}: give one of {', '.join(self.columns)}, with a value 0 to 1")

    def parse_value(self, value: object, where: str, column: int = 0) -> int:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                value = None
        most, what = (3600.0, "of seconds") if self._is_time(column) else (1.0, "0 to 1")
        # A bool is an int, and a NaN is not between 0 and 1.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise DataError(f"{where}: {reprlib.repr(value)} is not a number {what}")
        return self.level(value, column)

    def text_of(self, value: int, column: int = 0) -> str:
        return f"{self.value(value, column):.4f}"
