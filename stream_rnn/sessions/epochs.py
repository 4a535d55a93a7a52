"""Epochs: the numbered pasts of a session, and where each parted from the others. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

KEPT = 64
LEAP = 1_000_000  # more epochs than a store can have lost


class Epochs:
    """Counts the pasts of one session, from 0: each rewind, reset or change of model begins one.

    Attributes:
        now: the number of the past that the session has now.
    """

    def __init__(self) -> None:
        self.now = 0
        self._partings: list[tuple[int, int]] = []  # (epoch, position); both rise
        self._unknown = (
            0,
            0,
        )  # epochs from the first to below the second: nobody knows if they were

    def begin(self, position: int) -> None:
        """Begins a new past, which is the same as the old one up to `position`."""
        self.now += 1
        # Every older past parts from the new one here or earlier: later partings mean nothing now.
        while self._partings and self._partings[-1][1] >= position:
            self._partings.pop()
        self._partings.append((self.now, position))
        if len(self._partings) > KEPT:
            # Merge the two oldest at the earlier position: safe for both, though not exact.
            (_, earlier), (epoch, _) = self._partings[:2]
            self._partings[:2] = [(epoch, earlier)]

    @classmethod
    def of(cls, now: int, partings: Sequence[tuple[int, int]], unknown: tuple[int, int]) -> Epochs:
        """Epochs of which `parts` has been kept."""
        epochs = cls()
        epochs.now, epochs._partings, epochs._unknown = now, list(partings), unknown
        return epochs

    @property
    def parts(self) -> tuple[tuple[tuple[int, int], ...], tuple[int, int]]:
        """What is known of older pasts; see `of`."""
        return tuple(self._partings), self._unknown

    def leap(self, position: int) -> None:
        """Begins a new past where later ones are lost: their numbers are not given again."""
        lost = self.now + 1
        self.begin(position)
        self.now += LEAP - 1
        self._partings[-1] = (self.now, position)
        self._unknown = (lost, self.now)

    def parting(self, epoch: int) -> int | None:
        """The position up to which an epoch's past is the same as the present one's.

        Returns:
            None if it is the present epoch; 0 if nothing is known of that epoch.
        """
        if epoch == self.now:
            return None
        if self._unknown[0] <= epoch < self._unknown[1]:
            return 0
        return next((position for began, position in self._partings if began > epoch), 0)
