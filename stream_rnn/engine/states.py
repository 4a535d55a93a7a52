"""The recurrent states of all slots, on the device: a rollback window of them for each slot.

For position `n`, the place `n % rollback` holds the state before the step that makes symbol `n`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream_rnn.engine.kernels import Kernel
from stream_rnn.engine.rollback import RollbackWindow
from stream_rnn.nets.network import State

Rows = int | Tensor  # the index of one row, or the indices of several


class States(RollbackWindow):
    """Preallocated states, by place.

    Args:
        count: the number of slots.
        places: the number of places in each slot's rollback window.
    """

    def __init__(self, kernel: Kernel, count: int, places: int) -> None:
        super().__init__(count, places)
        self._kernel = kernel
        self.hidden, self.cell = (_room(p, count * places) for p in kernel.zero_state(1))
        self.device = self.hidden.device

    def begin(self, slot: int) -> None:
        """Forgets a slot's states and writes the zero state that every stream begins with."""
        self.restart(slot, 0)
        place = self.place(slot, 0)
        self.hidden[:, place] = 0
        self.cell[:, place] = 0

    def take(self, rows: Rows) -> State:
        """The states at some places, `[layers, rows, width]`."""
        return State(taken(self.hidden, 1, rows), taken(self.cell, 1, rows))

    def write(self, rows: Rows, state: State) -> None:
        """Writes states into some places. The caller records their positions with `put`."""
        _write(self.hidden, rows, state.hidden)
        _write(self.cell, rows, state.cell)

    def before(self, slot: int, position: int) -> State:
        """The state before a position, as one row."""
        return self.take(self.place(slot, position))

    def exported(self, slot: int, position: int) -> bytes:
        """The state before a position in portable form; see `kernels.portable`."""
        return self._kernel.export_state(self.before(slot, position))

    def restore(self, slot: int, position: int, data: bytes) -> None:
        """Makes a state in portable form the only one of a slot, as the state before a position.

        Raises:
            EngineError: the state is of another model or other numerics; nothing is changed then.
        """
        state = self._kernel.import_state(data)
        self.restart(slot, position)
        self.write(self.place(slot, position), state)


def rows_of(places: NDArray[np.int64], device: torch.device) -> Sequence[Rows]:
    """Each row of `places`, `[n, rows]`, in the form that `taken` and `States.write` take."""
    if places.shape[1] == 1:
        return [int(place) for place in places[:, 0]]
    return torch.from_numpy(places).to(device).unbind()


# A single row is taken as a view: making and following an index tensor would take longer than
# the arithmetic on the row.


def taken(part: Tensor, axis: int, rows: Rows) -> Tensor:
    """Some rows of a tensor along `axis`."""
    if isinstance(rows, int):
        return part.narrow(axis, rows, 1)
    return part.index_select(axis, rows)


def _write(part: Tensor, rows: Rows, value: Tensor) -> None:
    if isinstance(rows, int):
        part.narrow(1, rows, 1).copy_(value)
    else:
        part.index_copy_(1, rows, value)


def _room(part: Tensor, places: int) -> Tensor:
    """Zeros for one part (hidden or cell) of the states, `[layers, places, width]`."""
    shape = (part.shape[0], places, part.shape[2])
    if part.device.type != "cpu":
        return torch.zeros(shape, device=part.device)
    # NumPy's zeros take no memory until they are written, and most models have few sessions.
    return torch.from_numpy(np.zeros(shape, np.float32))
