"""Which cells follow something: a search by correlation.

A cell *follows* a feature of what is read (`features.py`) as far as the two correlate. Of many
cells some correlate by chance with anything. So a cell is picked on one half of what was read,
and its correlation on the other half stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.inspect.features import Features

Matrix = NDArray[np.float64]

HARDLY = 0.25  # a correlation that one would not see in a picture


@dataclass(frozen=True)
class Found:
    """A cell that follows a feature.

    Attributes:
        feature: what it follows.
        cell: its number.
        correlation: -1 to 1, where the cell was picked; for a pulse 0 to 1, whatever its phase.
        again: the same on the other half; NaN where the feature does not vary there.
    """

    feature: str
    cell: int
    correlation: float
    again: float

    @property
    def overall(self) -> float:
        """The mean of both halves, or the one there is."""
        return self.correlation if np.isnan(self.again) else (self.correlation + self.again) / 2


class Search:
    """Sums up what cells and features do together; keeps no activations.

    Args:
        cells: how many there are.
    """

    def __init__(self, cells: int) -> None:
        self._cells = cells
        # By half and feature: of each column (count, sum of f and of f^2), of each column and
        # cell (sum of x, x^2 and f*x), and the sum of the first column times the last. A feature
        # counts only where it is defined.
        self._sums: tuple[dict[str, list[Matrix]], ...] = ({}, {})

    def add(self, activations: NDArray[Any], features: Features, half: int) -> None:
        """Takes in a stretch: activations `[length, cells]`, and what is in the same places.

        Args:
            half: 0 or 1.
        """
        for name, values in features.items():
            columns = values.reshape(len(values), -1)
            defined = ~np.isnan(columns[:, 0])
            x = activations[defined].astype(np.float64)
            f = columns[defined].astype(np.float64)
            made = [
                np.full((f.shape[1], 1), len(f)), f.sum(0)[:, None], (f * f).sum(0)[:, None],
                x.sum(0)[None], (x * x).sum(0)[None], f.T @ x, f[:, :1].T @ f[:, -1:],
            ]  # fmt: skip
            before = self._sums[half].get(name)
            self._sums[half][name] = (
                made if before is None else [a + b for a, b in zip(before, made, strict=True)]
            )

    def correlations(self, half: int) -> dict[str, Matrix]:
        """The correlation of every cell with each feature, `[cells]`; NaN where one stands still.

        That of a feature of two columns, a cosine and a sine, is the multiple one.
        """
        found = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            for name, (count, f, ff, x, xx, fx, across) in self._sums[half].items():
                spread = (count * ff - f * f) * (count * xx - x * x)
                # Where a cell saturates, rounding leaves a little that is no variance.
                spread = np.where(spread > 1e-9 * (count * ff) * (count * xx), spread, np.nan)
                each = (count * fx - f * x) / np.sqrt(spread)
                found[name] = each[0]
                if len(each) > 1:
                    # Over whole periods the columns have nothing in common; a short piece may
                    # be a part of one.
                    spreads = count * ff - f * f  # [2, 1]
                    shared = (count[0] * across[0] - f[0] * f[1]) / np.sqrt(spreads.prod())
                    found[name] = _multiple(each[0], each[1], float(shared[0]))
        return found

    def best(self, most: int) -> list[list[Found]]:
        """For each feature that varies, the cells that follow it best, `most` at most.

        Picked on half 0. The features in the order of how well that holds on the other half.
        """
        here, there = self.correlations(0), self.correlations(1)
        nothing = np.full(self._cells, np.nan)
        table = []
        for name, values in here.items():
            again = there.get(name, nothing)
            order = np.argsort(-np.nan_to_num(np.abs(values)), kind="stable")[:most]
            row = [
                Found(name, int(cell), float(values[cell]), float(again[cell]))
                for cell in order
                if not np.isnan(values[cell])
            ]
            if row:
                table.append(row)
        return sorted(table, key=lambda row: -np.nan_to_num(abs(row[0].again)))

    def follows(self, cell: int) -> list[Found]:
        """What a cell follows, best first, by what holds on both halves."""
        here, there = self.correlations(0), self.correlations(1)
        found = [
            Found(name, cell, float(values[cell]), float(there[name][cell]))
            for name, values in here.items()
            if name in there and not np.isnan(values[cell] + there[name][cell])
        ]
        return sorted(found, key=lambda f: -min(abs(f.correlation), abs(f.again)))


def _multiple(first: Matrix, second: Matrix, shared: float) -> Matrix:
    """The multiple correlation with two columns of which each is known, and that of the two."""
    if not abs(shared) < 1 - 1e-6:  # as good as one column
        return np.abs(first)
    explained = first**2 + second**2 - 2 * shared * first * second
    return np.asarray(np.sqrt(np.clip(explained / (1 - shared**2), 0.0, 1.0)))


def interesting(table: list[list[Found]], most: int) -> list[Found]:
    """One cell a feature, from the best followed down, none of them twice.

    Those that hardly follow anything only where there are no others.
    """
    chosen: dict[int, Found] = {}
    for row in table:
        fresh = next((found for found in row if found.cell not in chosen), None)
        if fresh is not None and (abs(fresh.overall) > HARDLY or not chosen):
            chosen[fresh.cell] = fresh
    return list(chosen.values())[:most]
