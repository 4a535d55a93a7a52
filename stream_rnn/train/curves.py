"""Loss curves: `log.csv`, and pictures of it."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stream_rnn.errors import DataError
from stream_rnn.train.runs import Point, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("step", "split", "loss", "learning_rate", "seconds")
# Okabe and Ito's colours, which colour-blind people can tell apart, without the yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


class Log:
    """Appends rows to a run's `log.csv`, one line at a time, so that an interrupt loses none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, step: int, split: str, loss: float, learning_rate: float, seconds: float) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(COLUMNS)
            writer.writerow((step, split, f"{loss:.5f}", f"{learning_rate:.3g}", f"{seconds:.1f}"))

    def cut(self, step: int) -> None:
        """Drops the rows after `step`, before a run is resumed there."""
        if not self._path.exists():
            return
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        with self._path.open("w", newline="", encoding="utf-8") as file:
            # A run that was killed may have left half a line.
            whole = [r for r in rows[1:] if len(r) == len(COLUMNS) and int(r[0]) <= step]
            csv.writer(file).writerows([*rows[:1], *whole])


def draw_curves(log: Path, picture: Path, *, title: str) -> None:
    """Draws training and validation loss of a log; does nothing where matplotlib is absent."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for split, style in (("train", {"alpha": 0.35, "lw": 1}), ("valid", {"marker": "o", "ms": 3})):
        points = [(int(r["step"]), float(r["loss"])) for r in rows if r["split"] == split]
        if points:
            axes.plot(*zip(*points, strict=True), label=split, **style)
    best = min((float(r["loss"]) for r in rows if r["split"] == "valid"), default=None)
    suffix = f" (best validation {best:.3f})" if best is not None else ""
    axes.set(title=title + suffix, xlabel="step", ylabel="nats per symbol")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=110)


AXES = {"step": "step", "symbols": "million symbols trained on", "minutes": "minutes of training"}


def draw_comparison(runs: Sequence[Run], picture: Path, *, by: str = "step") -> None:
    """Draws the losses of several runs in one figure.

    Args:
        by: the x axis, one of `AXES`.

    Raises:
        DataError: matplotlib is absent, or a run does not know its symbols.
    """
    figure = new_figure((9, 5.2))
    axes = figure.subplots()
    highest = []
    for run, colour in zip(runs, cycle(COLOURS), strict=False):
        best = run.best()
        label = run.name
        if best is not None:
            label += f": {best.loss:.3f} at step {best.step:,}"
        train, valid = run.of("train"), run.of("valid")
        x = [_along(run, p, by) for p in train]
        axes.plot(x, [p.loss for p in train], color=colour, alpha=0.3, lw=0.8)
        x = [_along(run, p, by) for p in valid]
        axes.plot(x, [p.loss for p in valid], color=colour, marker="o", ms=3, lw=1.8, label=label)
        if best is not None:
            axes.plot(_along(run, best, by), best.loss, marker="o", ms=9, mfc="none", color=colour)
        highest += [p.loss for p in valid[:1]] or [p.loss for p in train[:1]]
    losses = [p.loss for run in runs for p in run.points if math.isfinite(p.loss)]
    if losses:
        # The high losses of the first steps would flatten all the rest.
        low, high = min(losses), min(max(losses), max(highest))
        axes.set_ylim(low - 0.05 * (high - low) - 1e-3, high + 0.1 * (high - low) + 1e-3)
    axes.set(xlabel=AXES[by], ylabel="nats a symbol")
    axes.set_title(
        "validation (dots; the best ringed) and training (thin)", loc="left", fontsize=11
    )
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, title="best validation", alignment="left")
    figure.savefig(picture, dpi=120)


def _along(run: Run, point: Point, by: str) -> float:
    if by == "minutes":
        return point.seconds / 60
    if by == "step":
        return point.step
    if run.symbols_a_step is None:
        raise DataError(f"{run.name}: has no model yet that says how many symbols a step takes")
    return point.step * run.symbols_a_step / 1e6


def new_figure(
    inches: tuple[float, float], layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """An empty white figure, which arranges its parts itself unless `layout` is None.

    Raises:
        DataError: matplotlib is absent.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise DataError("drawing needs matplotlib: pip install 'stream-rnn[train]'") from None
    return Figure(figsize=inches, layout=layout)
