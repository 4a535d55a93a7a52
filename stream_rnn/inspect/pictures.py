"""Pictures of what a network does inside: characters coloured by a cell, traces under a roll."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.pianoroll import LOWEST_PITCH
from stream_rnn.train.curves import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACE = "DejaVu Sans Mono"  # comes with matplotlib
POINTS = 8.5
WIDTH = 88  # letters in a line
LEADING = 1.45  # ems
WIDEST = 10.0  # inches
PALE = 1.6  # the map of colours ends in ones too dark to be written on
DPI = 110
_SIGNS = {"\n": "↵", "\t": "→", "\f": "¶"}
_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def pitch_name(pitch: int) -> str:
    """A MIDI pitch as musicians write it: 60 is C4."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def draw_text(
    labels: Sequence[str], cells: NDArray[Any], titles: Sequence[str], picture: Path, *, title: str
) -> None:
    """Writes a text once for each cell, every symbol on the colour of the cell after it.

    As Karpathy, Johnson and Li (2015, arXiv 1506.02078): red is 1, blue is -1.

    Args:
        labels: each symbol as it is written, `[length]`.
        cells: `[length, chosen]`, -1 to 1.
        titles: what stands over each, `[chosen]`.
        picture: the PNG.
        title: what stands over all.

    Raises:
        DataError: matplotlib is absent.
    """
    lines = _broken(labels)
    letter, leading = _letter(), POINTS * LEADING / 72  # inches
    wide = max(len(text) for text, _ in lines)
    column, block = max(wide * letter, 3.2) + 0.4, len(lines) * leading + 0.42
    columns = max(1, min(len(titles), int(WIDEST / column)))
    width = 0.4 + columns * column
    height = 0.65 + block * -(-len(titles) // columns)
    figure = new_figure((width, height))
    figure.set_layout_engine("none")
    figure.text(0.4 / width, 1 - 0.3 / height, title, fontsize=11, weight="bold", parse_math=False)
    _colour_scale(figure, width, height)
    for number, name in enumerate(titles):
        left = 0.4 + number % columns * column
        bottom = height - 0.55 - (number // columns + 1) * block
        colours = np.full((len(lines), wide), np.nan)
        for row, (text, owners) in enumerate(lines):
            colours[row, : len(text)] = cells[owners, number]
        axes = figure.add_axes(
            (left / width, bottom / height, wide * letter / width, len(lines) * leading / height)
        )
        axes.imshow(
            np.ma.masked_invalid(colours), cmap="RdBu_r", vmin=-PALE, vmax=PALE, aspect="auto",
            extent=(0, wide, len(lines), 0), interpolation="nearest",
        )  # fmt: skip
        axes.set_axis_off()
        axes.set_title(name, loc="left", fontsize=9.5, pad=4, parse_math=False)
        for row, (text, _) in enumerate(lines):
            axes.text(0, row + 0.54, text, family=FACE, fontsize=POINTS, va="center",
                      color="#111111", parse_math=False)  # fmt: skip
    _save(figure, picture)


def _letter() -> float:
    """How wide a letter is drawn, in inches: whole pixels, which is not what the face has it.

    If the colours went by the face, they would lag a letter behind after forty.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.font_manager import FontProperties

    figure = new_figure((1, 1))
    figure.set_dpi(DPI)
    face = FontProperties(family=FACE, size=POINTS)
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    pixels, _, _ = renderer.get_text_width_height_descent("m" * WIDTH, face, False)
    return float(pixels) / WIDTH / DPI


def _broken(labels: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Lines of at most `WIDTH` letters, and which symbol each letter belongs to."""
    lines: list[tuple[str, list[int]]] = [("", [])]
    for owner, label in enumerate(labels):
        shown = "".join(_SIGNS.get(c, c if c.isprintable() else "·") for c in label)
        text, owners = lines[-1]
        if text and len(text) + len(shown) > WIDTH:
            lines.append(("", []))
            text, owners = lines[-1]
        lines[-1] = (text + shown, owners + [owner] * len(shown))
        if label.endswith("\n") and owner + 1 < len(labels):
            lines.append(("", []))
    return lines


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
) -> None:
    """Draws what was read above, and a trace of each cell below it.

    Args:
        rows: keys `[length, 88]`, or with `names` a few numbers `[length, names]`.
        cells: `[length, chosen]`, -1 to 1.
        titles, picture, title: as `draw_text`.
        along: what runs along the x axis.

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
    _save(figure, picture)


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


def _save(figure: Figure, picture: Path) -> None:
    with warnings.catch_warnings():
        # A letter that the face lacks is drawn as a box, which is as good as a warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(picture, dpi=DPI)
