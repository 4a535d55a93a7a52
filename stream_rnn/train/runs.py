"""Reads what a run has left behind: its log, its card, and the samples made on the way."""

from __future__ import annotations

import contextlib
import csv
import re
from dataclasses import dataclass
from pathlib import Path

from stream_rnn.checkpoint import Card, read_card
from stream_rnn.errors import CheckpointError, DataError

_STEP = re.compile(r"step-(\d+)\.txt$")


@dataclass(frozen=True)
class Point:
    """A line of `log.csv`: nats a symbol, in training or on the validation set."""

    step: int
    split: str
    loss: float
    seconds: float


@dataclass(frozen=True)
class Run:
    """A run's folder, read.

    Attributes:
        name: the folder's.
        points: the log, in order.
        symbols_a_step: how many symbols a step trained on; None before there is a card.
        samples: texts by step.
        test: nats a symbol of the best network on the test set, as it is served; None before the
            run is done.
    """

    name: str
    points: tuple[Point, ...]
    symbols_a_step: float | None
    samples: dict[int, str]
    test: float | None

    def of(self, split: str) -> list[Point]:
        """The points of a split."""
        return [p for p in self.points if p.split == split]

    def best(self) -> Point | None:
        """The point with the best validation loss, if there is one."""
        return min(self.of("valid"), key=lambda p: p.loss, default=None)


def read_run(folder: Path) -> Run:
    """Reads a run's folder.

    Raises:
        DataError: no run is there, or its log is damaged.
    """
    log = folder / "log.csv"
    try:
        with log.open(newline="", encoding="utf-8") as file:
            points = tuple(
                Point(int(r["step"]), r["split"], float(r["loss"]), float(r["seconds"]))
                for r in csv.DictReader(file)
            )
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{folder}: not a run's folder (no log.csv in it)") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{log}: not the log of a run ({error!r})") from None
    if not points:
        raise DataError(f"{log}: nothing is in it yet")
    samples = {
        int(found[1]): path.read_text(encoding="utf-8")
        for path in sorted((folder / "samples").glob("*.txt"))
        if (found := _STEP.search(path.name))
    }
    card = None
    with contextlib.suppress(CheckpointError):
        card = read_card(folder / "best")
    return Run(
        folder.resolve().name,
        points,
        _symbols_a_step(card) if card else None,
        dict(sorted(samples.items())),
        card.scores.get("test", {}).get("nll") if card else None,
    )


def _symbols_a_step(card: Card) -> float | None:
    with contextlib.suppress(LookupError, ZeroDivisionError):
        return float(card.training["symbols"] / card.training["steps"])
    return None


def evolution(run: Run) -> str:
    """The samples of a run one after another, from noise to words, each with its step's losses.

    Raises:
        DataError: no samples were kept.
    """
    if not run.samples:
        raise DataError(f"{run.name}: no samples were kept; see sample_every in its recipe")
    last = run.points[-1]
    page = [f"{run.name}: {len(run.samples)} samples in {last.step:,} steps, {_spent(last)}"]
    for step, text in run.samples.items():
        page.append(f"{_heading(run, step)}\n\n{text.strip()}")
    return "\n\n\n".join(page) + "\n"


def _heading(run: Run, step: int) -> str:
    facts = [f"step {step:,}"]
    for split, word in (("valid", "validation"), ("train", "training")):
        before = [p for p in run.of(split) if p.step <= step]
        if before:
            facts.append(f"{word} {before[-1].loss:.3f} nats a symbol")
    reached = [p for p in run.points if p.step <= step]
    if reached:
        facts.append(_spent(reached[-1]))
    line = " · ".join(facts)
    return f"{line}\n{'─' * len(line)}"


def _spent(point: Point) -> str:
    minutes = round(point.seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
