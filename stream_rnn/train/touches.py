"""Recordings of touch surfaces and controllers: tables of values, and IMPSY's logs and data sets.

A row is one report: values from 0 to 1. In IMPSY's recordings the seconds since the previous report
come before the values.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import io
import pickle
import reprlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.files import DAMAGED, read_utf8, reason
from stream_rnn.errors import DataError

TABLES = (".csv", ".npy", ".npz")
LOGS = (".log",)
PLAYED = "interface"  # the source that IMPSY's logs name in rows that a person played
MIN_ROWS = 200
MAX_OBJECTS = 1 << 28  # bytes of an unpacked data set


@dataclass(frozen=True)
class Recordings:
    """Performances by name.

    Attributes:
        columns: names of the values, without the time.
        timed: whether each row begins with the seconds since the row before.
        performances: `[reports, values]` by name, values from 0 to 1.
        left_out: a line for each file that cannot be read.
    """

    columns: tuple[str, ...]
    timed: bool
    performances: dict[str, NDArray[np.float64]]
    left_out: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many reports there are."""
        return sum(len(rows) for rows in self.performances.values())


def read_recordings(path: Path) -> Recordings:
    """The recordings of a file, or of a folder's files, which must be of one kind and width.

    Files that differ from the first, or that cannot be read, are left out.

    Raises:
        DataError: no such file, none that can be read, or too few rows.
    """
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in TABLES + LOGS)
        if not files:
            raise DataError(f"{path}: no {', '.join(TABLES + LOGS)} files in it")
    found: Recordings | None = None
    left_out: list[str] = []
    for file in files:
        name = str(file.relative_to(path)) if file != path else ""
        try:
            read = _read(file)
            if found is not None and (read.columns, read.timed) != (found.columns, found.timed):
                raise DataError(f"{file}: its columns are not those of the other files")
        except DataError as error:
            left_out.append(str(error))
            continue
        named = {name + key: rows for key, rows in read.performances.items()}
        if found is None:
            found = Recordings(read.columns, read.timed, named)
        else:
            found.performances.update(named)
    if found is None:
        more = f"none of its {len(files)} files can be read; " if len(files) > 1 else ""
        raise DataError(f"{path}: {more}{left_out[0]}" if more else left_out[0])
    if found.rows < MIN_ROWS:
        wide = len(found.columns)
        raise DataError(f"{path}: {found.rows} rows of {wide} values; {MIN_ROWS} rows are needed")
    return Recordings(found.columns, found.timed, found.performances, tuple(left_out))


def _read(path: Path) -> Recordings:
    if path.suffix.lower() in LOGS:
        rows = _log(path)
        return Recordings(_names(rows.shape[1] - 1), True, {"": _timed(path, rows)})
    if path.suffix.lower() == ".csv":
        table, names = _csv(path)
        return Recordings(names or _names(table.shape[1]), False, {"": _values(path, table)})
    loaded = _arrays(path)
    if isinstance(loaded, list):
        rows_of = {f" {i}": _timed(path, rows) for i, rows in enumerate(loaded)}
        return Recordings(_names(loaded[0].shape[1] - 1), True, rows_of)
    return Recordings(_names(loaded.shape[1]), False, {"": _values(path, loaded)})


def _names(width: int) -> tuple[str, ...]:
    """Names for values that have none."""
    if width <= 3:
        return ("x", "y", "pressure")[:width]
    return tuple(f"x{i + 1}" for i in range(width))


def _values(path: Path, table: NDArray[Any]) -> NDArray[np.float64]:
    """Values from 0 to 1; whole numbers are read as MIDI's 0 to 127.

    A row with a NaN is a gap and is left out.
    """
    most = 127 if np.issubdtype(table.dtype, np.integer) else 1
    rows = table.astype(np.float64)
    rows = rows[~np.isnan(rows).any(1)]
    if outside := rows[(rows < 0) | (rows > most)].tolist():
        raise DataError(
            f"{path}: values must be 0 to 1, or whole numbers 0 to 127; it has {outside[0]:g}"
        )
    return rows / most


def _timed(path: Path, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of seconds and values, checked, without those that have a NaN."""
    rows = table[~np.isnan(table).any(1)]
    if (rows[:, 0] < 0).any():
        raise DataError(f"{path}: its time goes backwards by {-rows[:, 0].min():g} s")
    if outside := rows[:, 1:][(rows[:, 1:] < 0) | (rows[:, 1:] > 1)].tolist():
        raise DataError(f"{path}: values must be 0 to 1; it has {outside[0]:g}")
    return rows


def _log(path: Path) -> NDArray[np.float64]:
    """A log of IMPSY, with lines of `date,source,value,…`, as rows of seconds and values.

    Only rows that a person played are read, or all rows if there are none of those.
    """
    moments: list[tuple[str, datetime.datetime, list[float]]] = []
    for number, cells in enumerate(csv.reader(io.StringIO(read_utf8(path))), 1):
        if not cells:
            continue
        try:
            when, values = datetime.datetime.fromisoformat(cells[0]), [float(c) for c in cells[2:]]
        except (ValueError, IndexError):
            raise DataError(
                f"{path}, line {number}: not a line of IMPSY's log, date,source,value,…"
            ) from None
        if not values or (moments and len(values) != len(moments[0][2])):
            raise DataError(f"{path}, line {number}: {len(values)} values, unlike the lines before")
        moments.append((cells[1].strip(), when, values))
    played = [m for m in moments if m[0] == PLAYED] or moments
    rows = [
        [(now - before).total_seconds(), *values]
        for (_, before, _), (_, now, values) in zip(played, played[1:], strict=False)
    ]
    if not rows:
        raise DataError(f"{path}: fewer than two reports in it")
    return np.array(rows, np.float64)


def _csv(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The values of a CSV, `[reports, values]`, as integers if all are, and its header's names."""
    rows: list[list[float]] = []
    whole, wide = True, 0
    names: tuple[str, ...] = ()
    for number, line in enumerate(read_utf8(path).split("\n"), 1):
        cells = [cell.strip() for cell in line.partition("#")[0].split(",")]
        if not any(cells):
            continue
        values = [_number(cell) for cell in cells]
        if not wide:
            wide = len(cells)
            if not any(value is not None for value in values):
                names = tuple(cells) if len(set(cells)) == wide and all(cells) else ()
                continue  # a header
        if len(cells) != wide:
            raise DataError(f"{path}, line {number}: not {wide} values, as in the lines before")
        if None in values:
            wrong = reprlib.repr(cells[values.index(None)])
            raise DataError(f"{path}, line {number}: {wrong} is not a number")
        whole = whole and all(cell.isdecimal() for cell in cells)
        rows.append([value for value in values if value is not None])
    table = np.array(rows, np.float64).reshape(-1, wide or 1)
    return (table.astype(np.int64) if whole else table), names


def _number(cell: str) -> float | None:
    """A cell's number; NaN if it is empty, None if it is not a number."""
    try:
        return float(cell or "nan")
    except ValueError:
        return None


def _arrays(path: Path) -> NDArray[Any] | list[NDArray[np.float64]]:
    """The table `[reports, values]` of a `.npy` or `.npz`, or IMPSY's timed performances in it."""
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file) and (objects := _objects(file)) is not None:
                return objects
            file.seek(0)
            loaded = np.load(file, allow_pickle=False)
            table = loaded if isinstance(loaded, np.ndarray) else loaded[loaded.files[0]]
        if table.dtype.kind not in "fiu":
            raise ValueError(f"its values are of the type {table.dtype}")
        return np.asarray(table.reshape(len(table), -1))
    except (*DAMAGED, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: not a table of touches ({reason(error)})") from None


def _objects(file: Any) -> list[NDArray[np.float64]] | None:
    """The performances of an IMPSY data set, an array of arrays; None if it is a plain table."""
    with zipfile.ZipFile(file) as folder:
        entry = folder.infolist()[0]
        if entry.file_size > MAX_OBJECTS:
            raise ValueError(f"larger than {MAX_OBJECTS >> 20} MiB")
        data = io.BytesIO(folder.read(entry))
    np.lib.format.read_magic(data)
    shape, _, dtype = np.lib.format.read_array_header_1_0(data)
    if not dtype.hasobject:
        return None
    outer = _Arrays(data).load()
    if not isinstance(outer, _Array) or len(shape) != 1:
        raise ValueError("not a list of performances")
    performances = [rows for inner in outer.items() if len(rows := inner.array())]
    widths = {p.shape[1] for p in performances}
    if len(widths) != 1 or not 2 <= min(widths):
        raise ValueError("its performances are not rows of a time and the same values")
    return performances


@dataclass
class _Array:
    """What a pickle says of an array, kept as it is, so that NumPy does not act on it."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def items(self) -> list[_Array]:
        """The arrays in it."""
        items = self.state[4]
        if not isinstance(items, list) or not all(isinstance(i, _Array) for i in items):
            raise ValueError("not a list of performances")
        return items

    def array(self) -> NDArray[np.float64]:
        """The numbers, `[reports, values]`."""
        _, shape, dtype, fortran, data = self.state
        if not isinstance(dtype, _Type) or dtype.name not in ("f8", "f4") or len(shape) != 2:
            raise ValueError("a performance is not a table of numbers")
        flat = np.frombuffer(data, np.dtype(f"<{dtype.name}"))
        table = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
        return table.astype(np.float64)


@dataclass
class _Type:
    """What a pickle says of the number type of an array."""

    name: str
    state: tuple[Any, ...] = field(default=())

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            raise ValueError("its numbers are big-endian")


def _latin(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"bytes as {encoding}")
    return codecs.encode(text, "latin1")


class _Arrays(pickle.Unpickler):
    """Reads a pickle of arrays of numbers, and refuses all else.

    IMPSY's data sets are pickles, since NumPy saves performances of different lengths that way. A
    pickle may name any function for Python to call; here it finds only stand-ins that take notes.
    """

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return lambda *_: _Array()
        known = {
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): lambda name, *_: _Type(str(name)),
            ("_codecs", "encode"): _latin,
            ("__builtin__", "bytes"): lambda: b"",  # how protocol 2 writes empty bytes
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array of numbers")
        return known[module, name]
