"""The counting kernel steps a baseline with the tables that also score it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.kernels.stepped import Stepped, draw_symbols
from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.states import Draw, State
from stream_rnn.nets.counting import CountingNetwork


class CountingKernel(Stepped):
    """A baseline laid out for stepping. Its state is the context."""

    gates = 0  # baselines ignore the artist

    def __init__(self, network: CountingNetwork) -> None:
        self.architecture = network.architecture
        self._network = network

    def zero_state(self, rows: int) -> State:
        """The state before any symbol: `[1, rows, width]`, and no cells."""
        contexts = self._network.zero_state(rows).astype(np.int32)
        return State(contexts[None], np.zeros((1, rows, 0), np.float32))

    def constant(self, blend: Sequence[float]) -> Floats:
        """Nothing, `[0]`."""
        return np.zeros(0, np.float32)

    def step(self, symbols: NDArray[Any], constants: Floats, state: State) -> State:
        """The states after one symbol more; see `ReferenceKernel.step`."""
        contexts = self._network.contexts_after(symbols, state.hidden[0].astype(np.int64))
        return State(contexts.astype(np.int32)[None], state.cell)

    def outputs(self, state: State) -> Floats:
        """Logits, `[rows, symbols]`."""
        return self._network.logits(state.hidden[0].astype(np.int64))

    def draw(self, outputs: Floats, by: Draw) -> NDArray[Any]:
        """The symbols that come next; see `ReferenceKernel.draw`."""
        return draw_symbols(self.architecture, outputs, by)
