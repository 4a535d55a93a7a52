"""The reference kernel: the integer step of docs/numerics.md in NumPy, for all rows at once.

What it gives is the definition; another kernel is right if it gives the same bits. An engine steps
with it where `STREAM_RNN_KERNEL` is `reference`, slowly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.kernels.stepped import Stepped, draw_symbols
from stream_rnn.engine.numerics.cells import UPDATES
from stream_rnn.engine.numerics.chords import ChordDraw
from stream_rnn.engine.numerics.functions import Floats, eight_bits
from stream_rnn.engine.numerics.keys import draw_keys
from stream_rnn.engine.numerics.layout import lay_out
from stream_rnn.engine.numerics.states import Draw, State, WholeStates
from stream_rnn.engine.numerics.sums import ExactSums
from stream_rnn.nets.quantised import Product, QuantisedNetwork


class ReferenceKernel(WholeStates, Stepped):
    """Steps rows, and draws of what that gives. A row does not depend on the others.

    Attributes:
        chords: what draws with the joint head, if there is one.
    """

    def __init__(self, network: QuantisedNetwork) -> None:
        layout = lay_out(network)
        super().__init__(layout)
        self._table = layout.table
        self._update = UPDATES[self.architecture.cell]
        self._layers = [
            (layer.below and _Affine(layer.below), _Affine(layer.own), layer)
            for layer in layout.layers
        ]
        self._output, self._bias = _Affine(network.output), network.output_bias
        self.chords: ChordDraw | None = None
        if network.voices is not None and network.keys is not None:
            sums = ExactSums(network.keys.weights)
            self.chords = ChordDraw(network.voices, sums, network.keys.scale)

    def step(self, symbols: NDArray[Any], constants: Floats, state: State) -> State:
        """The states after one symbol more.

        Args:
            symbols: `[rows]` indices or `[rows, keys]` of 0 and 1: the symbol before.
            constants: `[rows, gates]` of `constant`.
            state: it is left as it is.
        """
        hidden, cells = np.empty_like(state.hidden), np.empty_like(state.cell)
        for number, (below, own, layer) in enumerate(self._layers):
            before = state.hidden[number]
            if number == 0:
                inputs = self._looked_up(symbols) + constants
            elif below:
                inputs = below(hidden[number - 1]) + layer.bias
            else:
                before = np.concatenate([hidden[number - 1], before], axis=1)
                inputs = layer.bias
            made, cells[number] = self._update(
                self._by_gate(inputs), self._by_gate(own(before)), state.cell[number],
                [self._by_gate(parameter) for parameter in layer.parameters],
            )  # fmt: skip
            hidden[number] = eight_bits(made)
        return State(hidden, cells)

    def outputs(self, state: State) -> Floats:
        """What the head is given, `[rows, outputs]`: logits, and the moods of the joint head."""
        return self._output(state.hidden[-1]) + self._bias

    def draw(self, outputs: Floats, by: Draw) -> NDArray[Any]:
        """The symbols that come next: `[rows]` indices or `[rows, keys]` bool."""
        return draw_symbols(self.architecture, outputs, by, self.chords or draw_keys)

    def _by_gate(self, values: Floats) -> list[Floats]:
        """Of `[..., gates]`, each gate's `[..., hidden]`."""
        return np.split(values, values.shape[-1] // self.architecture.hidden, axis=-1)

    def _looked_up(self, symbols: NDArray[Any]) -> Floats:
        table = self._table
        # Of keys, a sum of few rows, each a whole multiple of the same: exact in any order.
        return symbols.astype(np.float32) @ table if self.architecture.keys else table[symbols]


class _Affine:
    """A product whose sums are scaled."""

    def __init__(self, product: Product) -> None:
        self._sums, self._scale = ExactSums(product.weights), product.scale

    def __call__(self, states: NDArray[np.uint8]) -> Floats:
        return np.asarray(self._sums(states).astype(np.float32) * self._scale)
