"""The counting kernel steps a baseline with the tables that also score it."""

from __future__ import annotations

import torch
from torch import Tensor

from stream_rnn.engine.kernels.portable import pack, unpack
from stream_rnn.nets.baselines import CountingNetwork
from stream_rnn.nets.network import State


class CountingKernel:
    """A baseline laid out for stepping; the methods are described at `ExactKernel`.

    `CountingNetwork` computes with whole numbers and elementwise, so its rows are exact already.
    """

    numerics = "counts-1"
    gates = 0  # baselines ignore the artist

    def __init__(self, network: CountingNetwork) -> None:
        self.architecture = network.architecture
        self.width = network.width
        self._network = network

    def zero_state(self, rows: int) -> State:
        """The state before any symbol, `[1, rows, width]`, and no cell."""
        return self._network.zero_state(rows)

    def artist_bias(self, blend: Tensor) -> Tensor:
        """Nothing, `[0]`."""
        return blend.new_zeros(0)

    def recurrent(self, state: State) -> list[Tensor]:
        """Nothing: no part of a step can be done without the symbol."""
        return []

    def step(
        self,
        symbols: Tensor,
        artist_bias: Tensor,
        state: State,
        recurrent: list[Tensor] | None = None,
    ) -> State:
        """The state after one more symbol of each row."""
        contexts = self._network.contexts(symbols[:, None], state.hidden[0])
        return State(contexts[None, :, 0], state.cell)

    @torch.no_grad()
    def logits(self, hidden: Tensor) -> Tensor:
        """Logits of the next symbol, `[rows, symbols]`, after contexts `[rows, width]`."""
        return self._network.logits(hidden)

    def export_state(self, state: State) -> bytes:
        """The state of one row in portable form."""
        return pack(self.numerics, state)

    def import_state(self, data: bytes) -> State:
        """A state of one row from its portable form; see `Kernel.import_state`."""
        zero = self.zero_state(1)
        parts = unpack(data, self.numerics, [part.shape for part in zero])
        return State(*(part.to(zero.hidden) for part in parts))
