"""Which cells follow a feature of the input: a search by correlation.

A cell *follows* a feature (`features.py`) as far as the two correlate. Among many cells some
correlate with anything by chance. So a cell is picked on one half of the data, and its
correlation on the other half is reported beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.inspect.features import Features

Matrix = NDArray[np.float64]

HARDLY = 0.25  # a correlation too weak to be seen in a picture


@dataclass(frozen=True)
class Found:
    """A cell that follows a feature.

    Attributes:
        feature: the feature's name.
        cell: the cell's number.
        correlation: -1 to 1, on the half on which the cell was picked; for a pulse 0 to 1, in any
            phase.
        again: the same on the other half; NaN if the feature or the cell does not vary there.
    """

    feature: str
    cell: int
    correlation: float
    again: float

    @property
    def overall(self) -> float:
        """The mean of both halves, or the first half's if the second has none."""
        return self.correlation if np.isnan(self.again) else (self.correlation + self.again) / 2


class Search:
    """Accumulates the sums for correlations of cells and features, without the activations.

    Args:
        cells: how many there are.
    """

    def __init__(self, cells: int) -> None:
        self._cells = cells
        # By half and feature, with columns f and cells x: count, sum f, sum f^2, sum x, sum x^2,
        # sum f*x, and the sum of the first column times the last. Only places where the feature
        # is defined (not NaN) count.
        self._sums: tuple[dict[str, list[Matrix]], ...] = ({}, {})

    def add(self, activations: NDArray[Any], features: Features, half: int) -> None:
        """Adds a piece: activations `[length, cells]`, and the features at the same places.

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
        """The correlation of every cell with each feature, `[cells]`; NaN if either is constant.

        For a feature with two columns, a cosine and a sine, it is the multiple correlation.
        """
        found = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            for name, (count, f, ff, x, xx, fx, across) in self._sums[half].items():
                spread = (count * ff - f * f) * (count * xx - x * x)
                # The rounding errors of a saturated cell must not count as variance.
                spread = np.where(spread > 1e-9 * (count * ff) * (count * xx), spread, np.nan)
                each = (count * fx - f * x) / np.sqrt(spread)
                found[name] = each[0]
                if len(each) > 1:
                    # Over whole periods the two columns are uncorrelated, but a short piece may
                    # have only a part of a period.
                    spreads = count * ff - f * f  # [2, 1]
                    shared = (count[0] * across[0] - f[0] * f[1]) / np.sqrt(spreads.prod())
                    found[name] = _multiple(each[0], each[1], float(shared[0]))
        return found

    def best(self, most: int) -> list[list[Found]]:
        """For each feature that varies, the cells that follow it best, at most `most`.

        The cells are picked on half 0. The features are sorted by the correlation on half 1.
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
        """The features that a cell follows, sorted by the smaller correlation of the two halves."""
        here, there = self.correlations(0), self.correlations(1)
        found = [
            Found(name, cell, float(values[cell]), float(there[name][cell]))
            for name, values in here.items()
            if name in there and not np.isnan(values[cell] + there[name][cell])
        ]
        return sorted(found, key=lambda f: -min(abs(f.correlation), abs(f.again)))


def _multiple(first: Matrix, second: Matrix, shared: float) -> Matrix:
    """The multiple correlation with two columns, from those with each, and that of the columns."""
    if not abs(shared) < 1 - 1e-6:  # the columns are nearly the same
        return np.abs(first)
    explained = first**2 + second**2 - 2 * shared * first * second
    return np.asarray(np.sqrt(np.clip(explained / (1 - shared**2), 0.0, 1.0)))


def interesting(table: list[list[Found]], most: int) -> list[Found]:
    """One cell for each feature, from the best followed feature down, and no cell twice.

    A cell that hardly follows anything is chosen only if there is no other.
    """
    chosen: dict[int, Found] = {}
    for row in table:
        fresh = next((found for found in row if found.cell not in chosen), None)
        if fresh is not None and (abs(fresh.overall) > HARDLY or not chosen):
            chosen[fresh.cell] = fresh
    return list(chosen.values())[:most]
