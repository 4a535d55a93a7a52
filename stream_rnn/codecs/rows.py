"""Rows of a few small numbers as symbols: one symbol for each number, in a fixed order.

A row says what several players do at a moment, or where a finger is. The network reads the first
number of a row before it predicts the second, so that the numbers of a row fit together. Any of
them may be fed instead of drawn, such as a person's gesture among those of the players.

Index 0 is the begin-and-end symbol; then come the classes of the first column, of the second, and
so on. The last symbol of a row lasts as long as the row, and the others take no time.
"""

from __future__ import annotations

import csv
import io
import reprlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stream_rnn import schema
from stream_rnn.codecs.base import CategoricalCodec
from stream_rnn.codecs.files import read_utf8
from stream_rnn.errors import CheckpointError, DataError

MAX_SIZE = 4096
_PERIOD = schema.number(0.001, 60.0)


class RowsCodec(CategoricalCodec):
    """The common base of codecs for rows.

    Args:
        columns: the names of the columns.
        classes: how many classes there are in each.
        period: seconds that a row lasts.
    """

    domain: str
    endings: tuple[str, ...] = (".csv",)
    printable = True

    def __init__(self, columns: Iterable[str], classes: int, period: float) -> None:
        self.columns, self.classes, self.period = tuple(columns), classes, float(period)
        self.size = 1 + len(self.columns) * classes
        if not 2 <= self.size <= MAX_SIZE or classes < 2:
            raise CheckpointError(
                f"codec.classes is {classes}, with {len(self.columns)} columns: it must be 2 or "
                f"more, and classes times columns 1 to {MAX_SIZE - 1}"
            )
        _PERIOD.check(period, "codec.period")
        # Columns follow in order; the begin-and-end symbol may come before the first, but need not.
        column = np.concatenate([[-1], np.repeat(np.arange(len(self.columns)), classes)])
        after = (column + 1) % len(self.columns)
        self.transitions = column[None, :] == after[:, None]
        self.transitions[after == 0, self.boundary] = True
        self.transitions[self.boundary, self.boundary] = False

    def to_json(self) -> dict[str, Any]:
        return {
            "domain": self.domain,
            "columns": list(self.columns),
            "classes": self.classes,
            "period": self.period,
        }

    def symbol(self, column: int, value: int) -> int:
        """The symbol of a class in a column."""
        return 1 + column * self.classes + value

    def column_and_value(self, symbol: int) -> tuple[int, int]:
        """The column and the class of a symbol other than the begin-and-end symbol."""
        return divmod(symbol - 1, self.classes)

    def encode(self, rows: Iterable[Sequence[int]]) -> list[int]:
        """The symbols of whole rows of classes."""
        return [self.symbol(c, value) for row in rows for c, value in enumerate(row)]

    def decode(self, symbols: Iterable[int]) -> list[list[int]]:
        """Whole rows of classes; a column that is left out keeps its class, at first 0."""
        rows: list[list[int]] = []
        row = [0] * len(self.columns)
        for symbol in symbols:
            if symbol == self.boundary:
                row = [0] * len(self.columns)
                continue
            column, value = self.column_and_value(symbol)
            row[column] = value
            if column == len(self.columns) - 1:
                rows.append(list(row))
        return rows

    def seconds(self, symbol: int) -> float | None:
        whole = symbol == self.boundary or self.column_and_value(symbol)[0] == len(self.columns) - 1
        return self.period if whole else 0.0

    def parse_value(self, value: object, where: str, column: int = 0) -> int:
        """The class that a client sent in a column of a row.

        Raises:
            DataError: it is not a class.
        """
        if type(value) is not int or not 0 <= value < self.classes:
            raise DataError(
                f"{where} is {reprlib.repr(value)}, not a whole number 0 to {self.classes - 1}"
            )
        return value

    def parse_event(self, event: dict[Any, Any], where: str) -> int:
        """The symbol of an event in the form that `event` gives it."""
        raise NotImplementedError

    def parse(self, value: object) -> list[int]:
        if isinstance(value, str):
            return self.parse([line.split() for line in value.split("\n") if line.strip()])
        if not isinstance(value, list):
            raise DataError(f"a model of {self.domain} takes a list of rows, or of events")
        symbols: list[int] = []
        for i, row in enumerate(value):
            if isinstance(row, dict):
                symbols.append(self.parse_event(row, f"event {i}"))
                continue
            if not isinstance(row, list) or len(row) != len(self.columns):
                names = ", ".join(self.columns)
                raise DataError(f"row {i} is {reprlib.repr(row)}; a row is [{names}]")
            classes = [self.parse_value(v, f"row {i}", c) for c, v in enumerate(row)]
            symbols += self.encode([classes])
        return symbols

    def text_of(self, value: int, column: int = 0) -> str:
        """A class of a column as it is shown, and written to a file."""
        return str(value)

    def cells(self, row: Sequence[int]) -> list[str]:
        """A row of classes as it is shown, and written to a file."""
        return [self.text_of(value, column) for column, value in enumerate(row)]

    def show(self, symbols: Sequence[int]) -> str:
        return "\n".join(" ".join(self.cells(row)) for row in self.decode(symbols))

    def read_prime(self, prime: str | Path) -> list[int]:
        path = Path(prime)
        if path.suffix != ".csv":
            return self.parse(read_utf8(prime) if isinstance(prime, Path) else prime)
        try:
            rows = [row[1:] for row in csv.reader(io.StringIO(read_utf8(path)))]
        except csv.Error as error:
            raise DataError(f"{path}: cannot be read ({error})") from None
        return self.parse(rows[1:])

    def write_file(self, symbols: Sequence[int], path: Path, bpm: float) -> None:
        """Writes a CSV with the time in seconds and then the columns."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["time", *self.columns])
            rows = self.decode(symbols)
            for time, row in zip(self.times(rows), rows, strict=True):
                writer.writerow([f"{time:.10g}", *self.cells(row)])

    def times(self, rows: Sequence[Sequence[int]]) -> list[float]:
        """When each row comes, in seconds."""
        return [i * self.period for i in range(len(rows))]


def rows_fields(columns: int, classes: int, **other: schema.Kind) -> schema.Kind:
    """The fields that a codec for rows may have in a card.

    Args:
        columns, classes: how many there may be at most.
        other: optional fields of one codec.
    """
    return schema.table(
        {
            "columns": schema.items(schema.line(64, least=1), columns, least=1, unique=True),
            "classes": schema.whole(2, classes),
            "period": _PERIOD,
        },
        {"domain": schema.ANYTHING, **other},
    )
