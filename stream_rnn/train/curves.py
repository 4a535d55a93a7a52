"""Loss curves: `log.csv`, and a picture of it."""

from __future__ import annotations

import csv
from pathlib import Path

COLUMNS = ("step", "split", "loss", "learning_rate", "seconds")


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
        """Drops what was logged after `step`, before a run goes on from there."""
        if not self._path.exists():
            return
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        with self._path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(r for i, r in enumerate(rows) if i == 0 or int(r[0]) <= step)


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
