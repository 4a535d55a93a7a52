"""The reference kernel: the integer step of docs/numerics.md in NumPy, for all rows at once.

What it gives is the definition; another kernel is right if it gives the same bits. It does not fit
`protocol.Kernel`, on purpose: that one takes and gives tensors of torch, and leaves the draw to
others, where an engine process is to do without torch, and step and draw belong into one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics import NUMERICS
from stream_rnn.engine.numerics.categorical import draw_symbol
from stream_rnn.engine.numerics.cells import CELLED, UPDATES
from stream_rnn.engine.numerics.chords import ChordDraw
from stream_rnn.engine.numerics.functions import Floats, eight_bits
from stream_rnn.engine.numerics.keys import draw_keys
from stream_rnn.engine.numerics.layout import lay_out
from stream_rnn.engine.numerics.randoms import random_numbers
from stream_rnn.engine.numerics.sums import ZERO, ExactSums
from stream_rnn.errors import EngineError
from stream_rnn.nets.quantised import Product, QuantisedNetwork

FORMAT = b"SRN2"


class State(NamedTuple):
    """Recurrent states.

    Attributes:
        hidden: `[layers, rows, hidden]`, 1 to 255.
        cell: `[layers, rows, hidden]`, or `[layers, rows, 0]` for a cell that has none.
    """

    hidden: NDArray[np.uint8]
    cell: Floats


class Draw(NamedTuple):
    """What some rows are drawn by, an element a row.

    Attributes:
        seed, position: what the random numbers are of.
        temperature, top_k, top_p, density: see `messages.Settings`.
        may: `[rows, symbols]`: which symbols may be drawn, or which keys may sound.
    """

    seed: NDArray[np.int64]
    position: NDArray[np.int64]
    temperature: NDArray[np.float64]
    top_k: NDArray[np.int64]
    top_p: NDArray[np.float64]
    density: NDArray[np.float64]
    may: NDArray[np.bool_]


class ReferenceKernel:
    """Steps rows, and draws of what that gives. A row does not depend on the others.

    Attributes:
        gates: elements of an artist's constant.
    """

    numerics = NUMERICS

    def __init__(self, network: QuantisedNetwork) -> None:
        self.architecture = network.architecture
        self._layout = lay_out(network)
        self._update = UPDATES[self.architecture.cell]
        self._layers = [
            (layer.below and _Affine(layer.below), _Affine(layer.own), layer)
            for layer in self._layout.layers
        ]
        self.gates = len(self._layout.factors)
        self._output, self._bias = _Affine(network.output), network.output_bias
        self.chords: ChordDraw | None = None
        if network.voices is not None and network.keys is not None:
            sums = ExactSums(network.keys.weights)
            self.chords = ChordDraw(network.voices, sums, network.keys.scale)

    def zero_state(self, rows: int) -> State:
        """The state before any symbol."""
        a = self.architecture
        shape = (a.layers, rows, a.hidden)
        cell = np.zeros(shape if a.cell in CELLED else (*shape[:2], 0), np.float32)
        return State(np.full(shape, ZERO, np.uint8), cell)

    def constant(self, blend: Sequence[float]) -> Floats:
        """What a blend adds to a session's every step, `[gates]`; see `Layout.constant`."""
        return self._layout.constant(blend)

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
                inputs, own(before), state.cell[number], layer.parameters
            )
            hidden[number] = eight_bits(made)
        return State(hidden, cells)

    def outputs(self, state: State) -> Floats:
        """What the head is given, `[rows, outputs]`: logits, and the moods of the joint head."""
        return self._output(state.hidden[-1]) + self._bias

    def draw(self, outputs: Floats, by: Draw) -> NDArray[Any]:
        """The symbols that come next: `[rows]` indices or `[rows, keys]` bool."""
        a = self.architecture
        lanes = a.symbols if a.keys else 1
        numbers = random_numbers(by.seed, by.position, lanes)
        if not a.keys:
            return draw_symbol(outputs, numbers[:, 0], by.temperature, by.top_k, by.top_p, by.may)
        draw = self.chords or draw_keys
        return draw(outputs, numbers, by.temperature, by.density, by.may)

    def export_state(self, state: State) -> bytes:
        """The state of one row as bytes, which snapshots hold.

        `SRN2`, the numerics as one byte, hidden states, cells as `<f4`; a layer after the other.
        """
        cells = state.cell.astype("<f4").tobytes()
        return FORMAT + bytes([self.numerics]) + state.hidden.tobytes() + cells

    def import_state(self, data: bytes) -> State:
        """The state of one row again.

        Raises:
            EngineError: it is of another form, other numerics or another model.
        """
        zero, start = self.zero_state(1), len(FORMAT) + 1
        if data[: len(FORMAT)] != FORMAT or len(data) < start:
            raise EngineError(f"a state begins with {FORMAT!r}, not {data[: len(FORMAT)]!r}")
        if data[start - 1] != self.numerics:
            raise EngineError(
                f"the state is of numerics {data[start - 1]}, and the engine's are {self.numerics}"
            )
        size, cells = zero.hidden.size, zero.cell.size
        if len(data) != start + size + 4 * cells:
            raise EngineError("the state does not fit the model")
        hidden = np.frombuffer(data, np.uint8, size, start).reshape(zero.hidden.shape)
        cell = np.frombuffer(data, "<f4", cells, start + size).reshape(zero.cell.shape)
        return State(hidden.copy(), cell.astype(np.float32))

    def _looked_up(self, symbols: NDArray[Any]) -> Floats:
        table = self._layout.table
        # Of keys, a sum of few rows, each a whole multiple of the same: exact in any order.
        return symbols.astype(np.float32) @ table if self.architecture.keys else table[symbols]


class _Affine:
    """A product whose sums are scaled."""

    def __init__(self, product: Product) -> None:
        self._sums, self._scale = ExactSums(product.weights), product.scale

    def __call__(self, states: NDArray[np.uint8]) -> Floats:
        return np.asarray(self._sums(states).astype(np.float32) * self._scale)
