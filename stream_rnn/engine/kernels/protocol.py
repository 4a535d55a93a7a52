"""The interface of a kernel, which is a network laid out for stepping."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from stream_rnn.nets.network import State


class Kernel(Protocol):
    """Steps any number of rows at once. The result for a row depends neither on the other rows
    nor on their number.

    Attributes:
        numerics: the name of the arithmetic. Kernels of the same name, made from the same network,
            give the same stream from the same state; kernels of different names need not.
        width: units of a layer, including padding if there is any.
        gates: the length of an artist bias.
    """

    numerics: str
    width: int
    gates: int

    def zero_state(self, rows: int) -> State:
        """The state before any symbol, `[layers, rows, width]` each; see `State`."""
        ...

    def artist_bias(self, blend: Tensor) -> Tensor:
        """The constant `[gates]` that a blend `[artists]` adds to each step of a session."""
        ...

    def recurrent(self, state: State) -> list[Tensor]:
        """The part of a step that needs no symbol, `[rows, gates]` per layer; perhaps empty."""
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
        """The outputs, `[rows, outputs]`, for the last layer's hidden state, `[rows, width]`."""
        ...

    def export_state(self, state: State) -> bytes:
        """The state of one row in portable form; see `portable`."""
        ...

    def import_state(self, data: bytes) -> State:
        """A state of one row, on the kernel's device, from the bytes of `export_state`.

        Raises:
            EngineError: the state has another format, other numerics or another model's size.
        """
        ...
