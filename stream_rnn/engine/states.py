"""What the slots of a model remember: for each a rollback window of states and symbols.

For position `n`, the place `n % places` holds the state before the step that makes symbol `n`,
and symbol `n` itself once it is made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.kernels import Kernel
from stream_rnn.engine.rollback import RollbackWindow


class States(RollbackWindow):
    """Preallocated states and symbols, by place.

    Args:
        count: the number of slots.
        places: the number of places in each slot's rollback window.

    Attributes:
        room: the states; see `Kernel.room`.
        symbols: `[all places, 1]` indices or `[all places, keys]` of 0 and 1.
    """

    def __init__(self, kernel: Kernel, count: int, places: int) -> None:
        super().__init__(count, places)
        self._kernel = kernel
        self._zero = kernel.zero_state(1)
        self.room = kernel.room(count * places)
        a = kernel.architecture
        self.symbols = np.zeros((count * places, a.symbols if a.keys else 1), np.int64)

    def begin(self, slot: int) -> None:
        """Forgets a slot's states and writes the one that every stream begins with."""
        self.restart(slot, 0)
        self._kernel.put(self.room, self.place(slot, 0), self._zero)

    def before(self, places: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The symbols in some places, which are those before `positions`.

        Before position 0 that is every codec's begin-and-end symbol: index 0, or no keys.
        """
        symbols = self.symbols[places]
        symbols[positions == 0] = 0
        return symbols

    def exported(self, slot: int, position: int) -> bytes:
        """The state before a position in portable form; see `numerics.states.pack_state`."""
        state = self._kernel.get(self.room, self.place(slot, position))
        return self._kernel.export_state(state)

    def restore(self, slot: int, position: int, data: bytes) -> None:
        """Makes a state in portable form the only one of a slot, as the state before a position.

        Raises:
            EngineError: the state is of another model or other numerics; nothing is changed then.
        """
        state = self._kernel.import_state(data)
        self.restart(slot, position)
        self._kernel.put(self.room, self.place(slot, position), state)
