"""How long after their due times symbols were handed out."""

from __future__ import annotations

from array import array

import numpy as np

BOUNDS = (
    -0.02, -0.01, -0.005, -0.002, -0.001, 0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5,
)  # fmt: skip
AT_ONCE = 4096


class Lateness:
    """Counts times by `BOUNDS`: negative ones are of symbols that were handed out early.

    They are counted many at once, since each symbol adds one.

    Attributes:
        total: their sum, in seconds.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self._counts = np.zeros(len(BOUNDS) + 1, np.int64)
        self._new = array("d")

    def add(self, seconds: float) -> None:
        """Adds the lateness of one symbol."""
        self._new.append(seconds)
        if len(self._new) == AT_ONCE:
            self._count()

    @property
    def counts(self) -> list[int]:
        """How many there were up to each bound and beyond the one before it, and beyond all."""
        self._count()
        counts: list[int] = self._counts.tolist()
        return counts

    def _count(self) -> None:
        new, self._new = np.array(self._new), array("d")
        self.total += float(new.sum())
        self._counts += np.bincount(np.searchsorted(BOUNDS, new), minlength=len(self._counts))
