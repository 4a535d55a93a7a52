"""What the kernels of numerics 1 have in common: their states, and what they are told of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics import NUMERICS
from stream_rnn.engine.numerics.cells import CELLED
from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.layout import Layout
from stream_rnn.engine.numerics.sums import ZERO
from stream_rnn.errors import EngineError

FORMAT = b"SRN2"


class State(NamedTuple):
    """Recurrent states.

    Attributes:
        hidden: `[layers, rows, hidden]` uint8, 1 to 255; of a counting network, what it has read,
            `[1, rows, width]` int32.
        cell: `[layers, rows, hidden]`, or `[layers, rows, 0]` where there is none.
    """

    hidden: NDArray[Any]
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


class Placed:
    """States that lie in NumPy arrays: room for them is `[places, layers, units]`."""

    numerics = NUMERICS

    def zero_state(self, rows: int) -> State:
        raise NotImplementedError

    def room(self, places: int) -> State:
        """Room for so many states; see `empty_states`."""
        return empty_states(self.zero_state(1), places)

    def put(self, room: State, place: int, state: State) -> None:
        """Writes a state of one row into a place."""
        for part, value in zip(room, state, strict=True):
            part[place] = value[:, 0]

    def get(self, room: State, place: int) -> State:
        """The state in a place, as one row."""
        return State(*(part[place, :, None] for part in room))

    def changed(self, slot: int) -> None:
        """Nothing: settings are looked at in place."""

    def export_state(self, state: State) -> bytes:
        """The state of one row as bytes; see `pack_state`."""
        return pack_state(state)

    def import_state(self, data: bytes) -> State:
        """The state of one row again; see `unpack_state`."""
        return unpack_state(data, self.zero_state(1))


class WholeStates(Placed):
    """Recurrent states of a network in whole numbers.

    Attributes:
        gates: elements of an artist's constant.
    """

    def __init__(self, layout: Layout) -> None:
        self.architecture = layout.network.architecture
        self._blends = layout.blends
        self.gates = len(layout.blends.bias)

    def zero_state(self, rows: int) -> State:
        """The state before any symbol."""
        a = self.architecture
        shape = (a.layers, rows, a.hidden)
        cell = np.zeros(shape if a.cell in CELLED else (*shape[:2], 0), np.float32)
        return State(np.full(shape, ZERO, np.uint8), cell)

    def constant(self, blend: Sequence[float]) -> Floats:
        """What a blend adds to a session's every step, `[gates]`; see `Blends.constant`."""
        return self._blends.constant(blend)


def pack_state(state: State) -> bytes:
    """A state as bytes, which snapshots hold and any machine reads.

    `SRN2`, the numerics as one byte, hidden states, cells; little-endian, layer by layer.
    """
    parts = (part.astype(part.dtype.newbyteorder("<")).tobytes() for part in state)
    return b"".join((FORMAT, bytes([NUMERICS]), *parts))


def unpack_state(data: bytes, like: State) -> State:
    """The state again, of the shape of another.

    Raises:
        EngineError: it is of another form, other numerics or another model.
    """
    start = len(FORMAT) + 1
    if data[: len(FORMAT)] != FORMAT or len(data) < start:
        raise EngineError(f"a state begins with {FORMAT!r}, not {data[: len(FORMAT)]!r}")
    if data[start - 1] != NUMERICS:
        raise EngineError(
            f"the state is of numerics {data[start - 1]}, and the engine's are {NUMERICS}"
        )
    if (found := len(data) - start) != (wanted := sum(part.nbytes for part in like)):
        raise EngineError(f"the state does not fit the model: {found} bytes, not {wanted}")
    parts = []
    for part in like:
        values = np.frombuffer(data, part.dtype.newbyteorder("<"), part.size, start)
        parts.append(values.reshape(part.shape).astype(part.dtype))
        start += part.nbytes
    return State(*parts)


def empty_states(one: State, places: int) -> State:
    """Room for so many states, `[places, layers, units]`, of the kind of `one` (one row).

    It takes no memory until it is written, and most of it never is. What was not written is no
    state.
    """
    shapes = [(places, part.shape[0], part.shape[2]) for part in one]
    return State(*(np.zeros(s, p.dtype) for s, p in zip(shapes, one, strict=True)))


def turned(state: State) -> State:
    """Layers first as rows first, or the other way."""
    return State(*(np.ascontiguousarray(part.swapaxes(0, 1)) for part in state))
