"""The interface of a kernel, which is a network laid out for stepping and drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.states import SlotSettings, State
from stream_rnn.nets.architecture import Architecture, CountingArchitecture


class Kernel(Protocol):
    """Steps any number of rows at once. The result for a row depends neither on the other rows
    nor on their number.

    Attributes:
        numerics: which definition of the step it computes; see docs/numerics.md. Kernels of the
            same numerics and network give the same stream from the same state, on any machine.
        gates: the length of an artist's constant.
    """

    numerics: int
    gates: int

    @property
    def architecture(self) -> Architecture | CountingArchitecture:
        """The network's."""
        ...

    def zero_state(self, rows: int) -> State:
        """The state before any symbol, `[layers, rows, units]`."""
        ...

    def constant(self, blend: Sequence[float]) -> Floats:
        """What a blend of artists adds to each step of a session, `[gates]`."""
        ...

    def room(self, places: int) -> Any:
        """Room for so many states, where the kernel computes. A state is written before it is
        read. Room takes no memory until then, where the machine allows that.
        """
        ...

    def put(self, room: Any, place: int, state: State) -> None:
        """Writes a state of one row into a place."""
        ...

    def get(self, room: Any, place: int) -> State:
        """The state in a place, as one row."""
        ...

    def changed(self, slot: int) -> None:
        """Is told after each change of a slot's settings; for kernels that keep a copy of them."""
        ...

    def advance(
        self,
        symbols: NDArray[np.int64],
        slots: NDArray[np.int64],
        positions: NDArray[np.int64],
        settings: SlotSettings,
        at: NDArray[np.int64],
        after: NDArray[np.int64],
        room: Any,
        made: NDArray[np.int64],
        *,
        draw: bool = True,
    ) -> None:
        """Steps rows, and draws the symbol at each one's position.

        Args:
            symbols: the symbol before, `[rows, 1]` indices or `[rows, keys]` of 0 and 1.
            slots: whose settings a row goes by, `[rows]`.
            positions: of which the random numbers are, `[rows]`.
            settings: the same object in each call, changed in place between them; see `changed`.
            at, after: the places of the states before and after the step, `[rows]`.
            made: where the symbols are put, in the form of `symbols`.
            draw: whether to draw; if not, `made` is left as it is.
        """
        ...

    def export_state(self, state: State) -> bytes:
        """The state of one row in portable form; see `numerics.states.pack_state`."""
        ...

    def import_state(self, data: bytes) -> State:
        """A state of one row from its portable form.

        Raises:
            EngineError: the state has another format, other numerics or another model's size.
        """
        ...
