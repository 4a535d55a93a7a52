"""Parts of steps that may come, made while there is nothing else to do.

Who feeds a paused session waits for the step that reads what was fed. A good part of that step
does not depend on it: the products of the state that was there before. They stay good until
that state is another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Precomputed:
    """By slot, what a kernel's `recurrent` made for one position.

    Args:
        count: of slots.

    Attributes:
        position: by slot; -1 where there is nothing.
    """

    def __init__(self, count: int) -> None:
        self.position = np.full(count, -1, np.int64)
        self._products: dict[int, list[Tensor]] = {}

    def keep(self, slot: int, position: int, products: list[Tensor]) -> None:
        """Keeps products of the state before a position."""
        self._products[slot], self.position[slot] = products, position

    def forget(self, slot: int) -> None:
        """The state is another."""
        self._products.pop(slot, None)
        self.position[slot] = -1

    def take(self, slots: NDArray[np.int64], positions: NDArray[np.int64]) -> list[Tensor] | None:
        """What there is for a step, if that is of one session; forgets what the step overwrites."""
        if not self._products:
            return None
        kept = self.position[slots]
        found = None
        for i in (kept >= positions).nonzero()[0]:
            if len(slots) == 1 and kept[i] == positions[i]:
                found = self._products[int(slots[i])]
            self.forget(int(slots[i]))
        return found
