"""Parts of future steps, precomputed while the engine has nothing else to do.

A client that feeds a paused session waits for the step that reads the fed symbol. A good part of
that step does not depend on the symbol: the recurrent weights' products with the state before it.
These products stay valid until that state changes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Precomputed:
    """For each slot, the products that a kernel's `recurrent` made for one position.

    Args:
        count: the number of slots.

    Attributes:
        position: by slot, the position of the products; -1 where there are none.
    """

    def __init__(self, count: int) -> None:
        self.position = np.full(count, -1, np.int64)
        self._products: dict[int, list[Tensor]] = {}

    def keep(self, slot: int, position: int, products: list[Tensor]) -> None:
        """Keeps products of the state before a position."""
        self._products[slot], self.position[slot] = products, position

    def forget(self, slot: int) -> None:
        """Drops a slot's products, since its state has changed."""
        self._products.pop(slot, None)
        self.position[slot] = -1

    def take(self, slots: NDArray[np.int64], positions: NDArray[np.int64]) -> list[Tensor] | None:
        """A single session's products for its step; forgets those that the step makes invalid."""
        if not self._products:
            return None
        kept = self.position[slots]
        found = None
        for i in (kept >= positions).nonzero()[0]:
            if len(slots) == 1 and kept[i] == positions[i]:
                found = self._products[int(slots[i])]
            self.forget(int(slots[i]))
        return found
