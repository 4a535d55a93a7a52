"""What the kernels of numerics 1 have in common: their states, and what they are told of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics import NUMERICS
from stream_rnn.engine.numerics.cells import CELLED
from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.layout import lay_out
from stream_rnn.engine.numerics.sums import ZERO
from stream_rnn.errors import EngineError
from stream_rnn.nets.quantised import QuantisedNetwork

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


class SlotSettings(NamedTuple):
    """What slots are stepped and drawn by, an element a slot; kept when controls change.

    Attributes:
        constant: `[slots, gates]`: what `WholeStates.constant` gives.
        temperature, sharp: see `functions.sharpness`; of chords, of `1 / temperature`.
        may: uint8: of keys `[slots, keys]`; of symbols `[1, symbols]`, or where they take turns
            `[symbols, symbols]`, by the symbol before.
    """

    constant: Floats
    seed: NDArray[np.int64]
    temperature: NDArray[np.float64]
    sharp: Floats
    top_k: NDArray[np.int64]
    top_p: NDArray[np.float64]
    density: Floats
    may: NDArray[np.uint8]


class WholeStates:
    """Recurrent states of a network in whole numbers.

    Attributes:
        numerics: of docs/numerics.md; two kernels of one number make the same stream.
        layout: the network, laid out for stepping.
        gates: elements of an artist's constant.
    """

    numerics = NUMERICS

    def __init__(self, network: QuantisedNetwork) -> None:
        self.architecture = network.architecture
        self.layout = lay_out(network)
        self.gates = len(self.layout.factors)

    def zero_state(self, rows: int) -> State:
        """The state before any symbol."""
        a = self.architecture
        shape = (a.layers, rows, a.hidden)
        cell = np.zeros(shape if a.cell in CELLED else (*shape[:2], 0), np.float32)
        return State(np.full(shape, ZERO, np.uint8), cell)

    def constant(self, blend: Sequence[float]) -> Floats:
        """What a blend adds to a session's every step, `[gates]`; see `Layout.constant`."""
        return self.layout.constant(blend)

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
