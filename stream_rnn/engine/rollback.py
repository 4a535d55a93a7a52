"""Which positions' states lie in a slot's rollback window.

A rollback window has fewer places than a stream has positions. After a stream went back, some
places still hold states of the future that was given up. So each place records which position its
state belongs to, and no code has to infer that from the slot's position.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOTHING = -1


class RollbackWindow:
    """The positions of the states in the rollback windows of several slots.

    Args:
        count: the number of slots.
        places: the places in each window; the state before position `n` lies at `n % places`.
    """

    def __init__(self, count: int, places: int) -> None:
        self._at = np.full(count * places, NOTHING, np.int64)
        self._places = places

    def place(self, slot: int, position: int) -> int:
        """The place, among those of all slots, where the state before a position is kept."""
        return slot * self._places + position % self._places

    def holds(self, slot: int, position: int) -> bool:
        """Whether the window holds the state before a position."""
        return bool(self._at[self.place(slot, position)] == position)

    def put(self, places: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        """Records that the states before `positions` were written into `places`."""
        self._at[places] = positions

    def forget_after(self, slot: int, position: int) -> None:
        """Forgets the states beyond the one before `position`: their future was given up."""
        part = self._at[slot * self._places : (slot + 1) * self._places]
        part[part > position] = NOTHING

    def restart(self, slot: int, position: int) -> None:
        """Forgets all states of a slot but the one before `position`, which was just written."""
        self._at[slot * self._places : (slot + 1) * self._places] = NOTHING
        self._at[self.place(slot, position)] = position
