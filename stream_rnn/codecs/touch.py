"""Streams of a touch surface or a controller as symbols: values from 0 to 1, in levels.

A row is one report of the device: x, y and pressure, or whatever its columns are.
"""

from __future__ import annotations

import reprlib
from typing import Any

from stream_rnn.codecs.rows import RowsCodec, rows_arguments
from stream_rnn.errors import DataError


class TouchCodec(RowsCodec):
    """Values from 0 to 1, each as one of `classes` levels."""

    domain = "touch"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TouchCodec:
        """The codec that `to_json` described."""
        return cls(*rows_arguments(data))

    def level(self, value: float) -> int:
        """The level of a value from 0 to 1."""
        return min(int(value * self.classes), self.classes - 1)

    def value(self, level: int) -> float:
        """The value in the middle of a level."""
        return round((level + 0.5) / self.classes, 4)

    def event(self, symbol: int) -> dict[str, Any]:
        if symbol == self.boundary:
            return {"event": {"end": 1}}
        column, level = self.column_and_value(symbol)
        return {"event": {self.columns[column]: self.value(level)}}

    def parse_event(self, event: dict[Any, Any], where: str) -> int:
        if event == {"end": 1}:
            return self.boundary
        if len(event) == 1:
            ((name, value),) = event.items()
            if name in self.columns:
                return self.symbol(self.columns.index(name), self.parse_value(value, where))
        raise DataError(f"{where}: give one of {', '.join(self.columns)}, with a value 0 to 1")

    def parse_value(self, value: object, where: str) -> int:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                value = None
        # A bool is an int, and a NaN is not between 0 and 1.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise DataError(f"{where}: {reprlib.repr(value)} is not a number 0 to 1")
        return self.level(value)

    def text_of(self, value: int) -> str:
        return f"{self.value(value):.4f}"
