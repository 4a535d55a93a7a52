"""Reads tables of text: CSV with commas, semicolons or tabs, and columns of various names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream_rnn.codecs.files import UTF8, read_utf8
from stream_rnn.errors import DataError

DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Column:
    """A column that is wanted.

    Attributes:
        names: the names that it may have, in upper or lower case.
        option: the recipe's field that names it.
    """

    names: tuple[str, ...]
    option: str


@dataclass
class Table:
    """The wanted columns of a CSV's rows.

    Attributes:
        left_out: a line for each row that was passed over, filled as rows are read.
    """

    path: Path
    columns: Sequence[Column]
    encoding: str = UTF8
    left_out: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The cells of the wanted columns, row by row; a row of another shape is left out.

        Raises:
            DataError: the file cannot be read, or lacks a wanted column.
        """
        csv.field_size_limit(1 << 24)
        text = read_utf8(self.path, self.encoding)
        header = next(csv.reader(io.StringIO(text.partition("\n")[0])), [])
        delimiter, where = self._find(text.partition("\n")[0], header)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        width = len(next(reader, []))
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.left_out.append(f"{self.path}, line {line}: {error}")
                continue
            if len(row) == width:
                yield tuple(row[i] for i in where)
            elif row:
                shape = "few columns"
                if len(row) > width:
                    shape = "many columns; is a quotation mark missing?"
                self.left_out.append(f"{self.path}, line {line}: too {shape}")

    def _find(self, line: str, header: Sequence[str]) -> tuple[str, list[int]]:
        """The delimiter, and the indices of the wanted columns."""
        for delimiter in DELIMITERS:
            names = next(csv.reader([line], delimiter=delimiter), [])
            at = _places([name.strip().casefold() for name in names], self.columns)
            if None not in at:
                return delimiter, [i for i in at if i is not None]
        names = [name.strip().casefold() for name in header]
        missing = self.columns[_places(names, self.columns).index(None)]
        found = ", ".join(repr(name) for name in header[:12])
        raise DataError(
            f"{self.path}, line 1: no column {missing.names[0]!r}; it has {found or 'none'}; "
            f"set data.{missing.option} to the one that is meant"
        )


def _places(header: Sequence[str], columns: Sequence[Column]) -> list[int | None]:
    at: Mapping[str, int] = {name: i for i, name in reversed(list(enumerate(header)))}
    places: list[int | None] = []
    for column in columns:
        named = [at[name.casefold()] for name in column.names if name.casefold() in at]
        places.append(named[0] if named else None)
    return places


def column(chosen: str, option: str, *usual: str) -> Column:
    """A column by the name that a recipe gives, or by one of its usual names."""
    return Column((chosen,) if chosen else usual, option)
