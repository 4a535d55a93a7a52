"""Lays a text out in lines of cells: each symbol's letters in columns of equal width."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stream_rnn.inspect.bidi import is_from_right, visual
from stream_rnn.inspect.lettering import Lettering

WIDTH = 88  # columns in a line
_SIGNS = {"\n": "↵", "\t": "→", "\f": "¶"}
_CIRCLE = "◌"  # the base of a combining mark that has a cell of its own


class Cell(NamedTuple):
    """A letter in its place.

    Attributes:
        letter: the text to draw.
        owner: the number of the symbol that it belongs to.
        column: its first column.
        columns: its width; a Chinese letter takes two columns, and so does a code point.
        alone: whether it is drawn by itself; neighbouring others are drawn as one text.
    """

    letter: str
    owner: int
    column: int
    columns: int
    alone: bool


def shown(label: str) -> str:
    """A symbol's letters, with signs for those without a shape."""
    return "".join(_SIGNS.get(c, c if c.isprintable() else "·") for c in label)


def broken(
    labels: Sequence[str], missing: frozenset[str] = frozenset()
) -> list[tuple[str, list[int]]]:
    """Lines of at most `WIDTH` columns, each with the symbol that each letter belongs to."""
    lines: list[tuple[str, list[int]]] = [("", [])]
    used = 0
    for owner, label in enumerate(labels):
        letters = shown(label)
        wide = sum(columns_of(c, missing) for c in letters)
        if used and used + wide > WIDTH:
            lines.append(("", []))
            used = 0
        text, owners = lines[-1]
        lines[-1] = (text + letters, owners + [owner] * len(letters))
        used += wide
        if label.endswith("\n") and owner + 1 < len(labels):
            lines.append(("", []))
            used = 0
    return lines


def columns_of(letter: str, missing: frozenset[str]) -> int:
    """How many columns a letter takes."""
    return 1 + (letter in missing or unicodedata.east_asian_width(letter) in "WF")


def cells_of(
    lines: Sequence[tuple[str, list[int]]], lettering: Lettering, face: str
) -> Iterator[list[Cell]]:
    """The cells of each line from left to right; right-to-left lines are aligned to the right."""
    missing = lettering.missing
    widths = [sum(columns_of(c, missing) for c in text) for text, _ in lines]
    from_right: bool | None = None
    for (text, owners), width in zip(lines, widths, strict=True):
        line = visual(text, from_right=from_right)
        # The next part of a broken line keeps its direction.
        from_right = None if text.endswith(_SIGNS["\n"]) else line.from_right
        column = max(widths) - width if line.from_right else 0
        cells = []
        for place, form in zip(line.order, line.letters, strict=True):
            letter = text[place]
            columns = columns_of(letter, missing)
            mark = unicodedata.category(letter)[0] == "M"
            alone = (
                columns > 1 or mark or is_from_right(letter) or lettering.family_of(letter) != face
            )
            drawn = lettering.formed(letter, _CIRCLE + letter if mark else form)
            cells.append(Cell(drawn, owners[place], column, columns, alone))
            column += columns
        yield cells
