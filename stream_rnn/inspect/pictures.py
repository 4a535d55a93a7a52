"""Pictures of a network's cells: characters coloured by a cell, traces under a roll."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.pianoroll import LOWEST_PITCH
from stream_rnn.inspect.lettering import LETTER, MONO, Lettering, code, save_figure
from stream_rnn.inspect.lines import WIDTH, Cell, broken, cells_of, columns_of, shown
from stream_rnn.train.curves import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACE = MONO
POINTS = 8.5
LEADING = 1.45  # ems
WIDEST = 10.0  # inches
PALE = 1.6  # the colour map's range; its ends, beyond ±1, are too dark to write on
DPI = 110
_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def pitch_name(pitch: int) -> str:
    """A MIDI pitch as musicians write it: 60 is C4."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def draw_text(
    labels: Sequence[str], cells: NDArray[Any], titles: Sequence[str], picture: Path, *, title: str
) -> frozenset[str]:
    """Writes a text once for each cell; behind every symbol is the colour of the cell's value.

    As in Karpathy, Johnson and Li (2015, arXiv 1506.02078): red is 1, blue is -1.

    Args:
        labels: each symbol as it is written, `[length]`.
        cells: the values after each symbol, `[length, chosen]`, -1 to 1.
        titles: a title for each cell, `[chosen]`.
        picture: the PNG to write.
        title: the title of the whole picture.

    Returns:
        Letters that no font of this machine has (`lettering.remark`).

    Raises:
        DataError: matplotlib is absent.
    """
    figure = new_figure((1, 1), None)  # comes first, since it reports a missing matplotlib
    lettering = Lettering(map(shown, labels), FACE)
    lines = broken(labels, lettering.missing)
    rows = list(cells_of(lines, lettering, FACE))
    wide = max(sum(columns_of(c, lettering.missing) for c in text) for text, _ in lines)
    pen, leading = _Pen(lettering), POINTS * LEADING / 72  # inches
    column, block = max(wide * pen.letter, 3.2) + 0.4, len(lines) * leading + 0.42
    columns = max(1, min(len(titles), int(WIDEST / column)))
    width = 0.4 + columns * column
    height = 0.65 + block * -(-len(titles) // columns)
    figure.set_size_inches(width, height)
    figure.text(0.4 / width, 1 - 0.3 / height, title, fontsize=11, weight="bold", parse_math=False)
    _colour_scale(figure, width, height)
    for number, name in enumerate(titles):
        left = 0.4 + number % columns * column
        bottom = height - 0.55 - (number // columns + 1) * block
        colours = np.full((len(lines), wide), np.nan)
        for row, letters in enumerate(rows):
            for cell in letters:
                place = slice(cell.column, cell.column + cell.columns)
                colours[row, place] = cells[cell.owner, number]
        axes = figure.add_axes(
            (left / width, bottom / height, wide * pen.letter / width,
             len(lines) * leading / height)
        )  # fmt: skip
        axes.imshow(
            np.ma.masked_invalid(colours), cmap="RdBu_r", vmin=-PALE, vmax=PALE, aspect="auto",
            extent=(0, wide, len(lines), 0), interpolation="nearest",
        )  # fmt: skip
        axes.set_axis_off()
        axes.set_title(name, loc="left", fontsize=9.5, pad=4, parse_math=False)
        for row, letters in enumerate(rows):
            pen.write(axes, letters, row + 0.54)
    return lettering.missing | save_figure(figure, picture, DPI)


class _Pen:
    """Writes lines of cells, each letter in its place.

    Attributes:
        letter: the width of a column in inches, as it is drawn: letters advance by whole pixels.
            By the font's own width the colours would be a letter off after forty letters.
    """

    def __init__(self, lettering: Lettering) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure = new_figure((1, 1))
        figure.set_dpi(DPI)
        self._renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        self._lettering = lettering
        self._sizes: dict[tuple[str, str], float] = {}
        self.letter = self._width("m" * WIDTH, FACE) / WIDTH / DPI
        _, height, descent = self._extent("lp", FACE)
        # From the middle of a line to its baseline, in lines.
        self._base = (height / 2 - descent) / (POINTS * LEADING / 72 * DPI)

    def _extent(self, text: str, family: str) -> tuple[float, float, float]:
        """A text's drawn width, height and descent, in pixels."""
        from matplotlib.font_manager import FontProperties

        face = FontProperties(family=[family, FACE], size=POINTS)
        wide, high, deep = self._renderer.get_text_width_height_descent(text, face, False)
        return float(wide), float(high), float(deep)

    def _width(self, text: str, family: str) -> float:
        return self._extent(text, family)[0]

    def write(self, axes: Axes, cells: Sequence[Cell], middle: float) -> None:
        """Writes a line; successive letters of the main font are drawn as one text."""
        run: list[Cell] = []
        for cell in cells:
            if run and (cell.alone or cell.column != run[-1].column + 1):
                self._run(axes, run, middle)
                run = []
            if cell.alone:
                self._one(axes, cell, middle)
            else:
                run.append(cell)
        self._run(axes, run, middle)

    def _run(self, axes: Axes, run: Sequence[Cell], middle: float) -> None:
        text = "".join(cell.letter for cell in run)
        if text.strip():
            self._text(axes, run[0].column, middle, text, FACE, POINTS, va="center")

    def _one(self, axes: Axes, cell: Cell, middle: float) -> None:
        centre = cell.column + cell.columns / 2
        if cell.letter in self._lettering.missing:
            digits = code(cell.letter)
            half = (len(digits) + 1) // 2
            text = f"{digits[:half]}\n{digits[half:]}"
            self._text(axes, centre, middle, text, FACE, POINTS * 0.5, ha="center", va="center",
                       linespacing=0.95)  # fmt: skip
            return
        family = self._lettering.family_of(cell.letter[-1])
        key = cell.letter, family
        if key not in self._sizes:
            # A letter wider than its cell is drawn smaller.
            room = cell.columns * self.letter * DPI / max(1.0, self._width(cell.letter, family))
            self._sizes[key] = POINTS * min(1.0, max(0.6, room))
        self._text(axes, centre, middle + self._base, cell.letter, family, self._sizes[key],
                   ha="center", va="baseline")  # fmt: skip

    @staticmethod
    def _text(
        axes: Axes, x: float, y: float, text: str, family: str, points: float, **more: Any
    ) -> None:
        axes.text(x, y, text, family=[family, FACE], fontsize=points, color="#111111",
                  parse_math=False, gid=LETTER, **more)  # fmt: skip


def _colour_scale(figure: Figure, width: float, height: float) -> None:
    axes = figure.add_axes(((width - 1.9) / width, 1 - 0.34 / height, 1.0 / width, 0.14 / height))
    axes.imshow(np.linspace(-1, 1, 64)[None], cmap="RdBu_r", vmin=-PALE, vmax=PALE, aspect="auto")
    axes.set_axis_off()
    for x, name, side in ((-0.06, "−1", "right"), (1.06, "+1", "left")):
        axes.text(x, 0.5, name, transform=axes.transAxes, fontsize=8, va="center", ha=side)


def draw_traces(
    rows: NDArray[Any],
    cells: NDArray[Any],
    titles: Sequence[str],
    picture: Path,
    *,
    title: str,
    names: Sequence[str] = (),
    along: str = "symbol",
) -> frozenset[str]:
    """Draws the input at the top, and a trace of each cell below it.

    Args:
        rows: keys `[length, 88]`, or with `names` a few numbers `[length, names]`.
        cells: `[length, chosen]`, -1 to 1.
        titles, picture, title: as in `draw_text`.
        along: the label of the x axis.

    Returns:
        Letters of the titles that no font of this machine has.

    Raises:
        DataError: matplotlib is absent.
    """
    length = len(rows)
    figure = new_figure((min(13.0, max(8.0, length / 11)), 2.8 + 0.8 * len(titles)))
    panels = figure.subplots(
        len(titles) + 1, sharex=True, height_ratios=[3.0, *[1.0] * len(titles)]
    )
    above, *below = np.atleast_1d(panels)
    (_numbers if names else _keys)(above, rows, names)
    above.set_title(title, loc="left", fontsize=11, weight="bold", parse_math=False)
    x = np.arange(length) + 0.5
    for number, (axes, name) in enumerate(zip(below, titles, strict=True)):
        trace = cells[:, number]
        axes.axhline(0, color="#999999", lw=0.6)
        colours = np.where(trace >= 0, "#d6604d", "#4393c3")
        axes.bar(x, trace, width=1.0, color=colours)
        axes.step(x, trace, where="mid", color="#333333", lw=0.6)
        axes.set(ylim=(-1.05, 1.05), yticks=(-1, 0, 1), xlim=(0, length))
        axes.tick_params(labelsize=7)
        axes.set_title(name, loc="left", fontsize=9, pad=2, parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel(along)
    return save_figure(figure, picture, DPI)


def _keys(axes: Axes, roll: NDArray[Any], names: Sequence[str]) -> None:
    sounding = np.flatnonzero(roll.any(0))
    low, high = (sounding[0] - 2, sounding[-1] + 3) if len(sounding) else (39, 64)
    low, high = max(0, int(low)), min(roll.shape[1], int(high))
    axes.imshow(
        roll[:, low:high].T, cmap="Greys", vmin=0, vmax=1.25, aspect="auto", origin="lower",
        extent=(0, len(roll), low + LOWEST_PITCH - 0.5, high + LOWEST_PITCH - 0.5),
        interpolation="nearest",
    )  # fmt: skip
    ticks = [p for p in range(low + LOWEST_PITCH, high + LOWEST_PITCH) if p % 12 in (0, 7)]
    axes.set_yticks(ticks, [pitch_name(p) for p in ticks], fontsize=8)
    axes.grid(axis="y", alpha=0.3)


def _numbers(axes: Axes, rows: NDArray[Any], names: Sequence[str]) -> None:
    for column, name in enumerate(names):
        axes.step(np.arange(len(rows)) + 0.5, rows[:, column], where="mid", lw=1.3, label=name,
                  color=COLOURS[column % len(COLOURS)])  # fmt: skip
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="upper right")
