"""What a kernel is: a network laid out for stepping."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from stream_rnn.nets.network import State


class Kernel(Protocol):
    """Steps any number of rows at once. Its result for a row depends neither on the other rows
    nor on their number.

    Attributes:
        numerics: the name of the arithmetic. Two kernels of one name, made from one network, give
            the same stream from the same state; of two names, they need not.
        width: units of a layer, with padding if there is any.
        gates: elements of an artist bias.
    """

    numerics: str
    width: int
    gates: int

    def zero_state(self, rows: int) -> State:
        """The state before any symbol, `[layers, rows, width]` each; see `State`."""
        ...

    def artist_bias(self, blend: Tensor) -> Tensor:
        """What a blend `[artists]` adds to a session's every step, `[gates]`."""
        ...

    def recurrent(self, state: State) -> list[Tensor]:
        """What a step takes of a state before it knows the symbol, if there is such a thing:
        `[rows, gates]` a layer.
        """
        ...

    def step(
        self,
        symbols: Tensor,
        artist_bias: Tensor,
        state: State,
        recurrent: list[Tensor] | None = None,
    ) -> State:
        """One step of each row; see `ExactKernel.step`."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """What the head makes of the last layer's `[rows, width]`: `[rows, outputs]`."""
        ...

    def export_state(self, state: State) -> bytes:
        """The state of one row in portable form; see `portable`."""
        ...

    def import_state(self, data: bytes) -> State:
        """A state of one row, on the kernel's device, of what `export_state` made.

        Raises:
            EngineError: it is of another form, other numerics or another model.
        """
        ...
