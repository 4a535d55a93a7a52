# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, no-untyped-def"
# mypy: disable-error-code="no-untyped-call, no-any-return, misc"
"""The integer kernel: numerics 1, compiled by Numba. Step and draw of a batch in one call.

It works on the arrays of the slots themselves: a row says from which place its state is read, and
to which it is written. Nothing is allocated, nothing copied that is not needed, and no torch.
`docs/numerics.md` is what it does; `reference` is what it is held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stream_rnn.engine.kernels.compiling import OPTIONS
from stream_rnn.engine.kernels.integer_cells import CELLS, update
from stream_rnn.engine.kernels.integer_draw import (
    draw_chord,
    draw_keys,
    draw_symbol,
    hash_of,
    number_of,
)
from stream_rnn.engine.kernels.integer_products import (
    AVX2,
    HAS,
    PATHS,
    PLAIN,
    VNNI,
    columns,
    pack,
    padded,
    product,
)
from stream_rnn.engine.kernels.reference import Draw, ReferenceKernel, State
from stream_rnn.engine.numerics.functions import Floats, sharpness
from stream_rnn.nets.quantised import Product, QuantisedNetwork

MOST_ROWS = 64  # of a call, unless more are asked for; what a row gives does not depend on it
HEADS = {"categorical": 0, "bernoulli": 1, "nade": 2}


class Packed(NamedTuple):
    """A product as compiled code reads it; see `integer_products.product`."""

    weights: NDArray[np.int8]
    shift: NDArray[np.int32]
    scale: Floats


class Layers(NamedTuple):
    """All recurrent layers; see `layout.LaidOutLayer`. Tuples of one entry a layer."""

    own: tuple[Packed, ...]
    below: tuple[Packed, ...]  # what is not there is the own one again, and not read
    bias: tuple[Floats, ...]
    parameters: tuple[Floats, ...]


class Settings(NamedTuple):
    """What slots are stepped and drawn by, an element a slot; kept when controls change.

    Attributes:
        constant: `[slots, gates]`.
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


class Room(NamedTuple):
    """Where a call keeps what it is at. Of a batch, but for the vectors, which are of a row."""

    states: NDArray[np.int16]
    bytes_: NDArray[np.uint8]
    sums: NDArray[np.int32]
    from_below: NDArray[np.int32]
    inputs: Floats
    outputs: Floats
    weights: NDArray[np.int32]
    odds: Floats
    chord: Any


@njit(**OPTIONS)
def _read(rows, hidden, places, layer, states, bytes_, start):
    """One layer's states at some places, as the products take them, from a column on."""
    for m in range(rows):
        source, small, large = hidden[places[m], layer], bytes_[m], states[m]
        for i in range(source.shape[0]):
            small[start + i] = source[i]
            large[start + i] = np.int16(source[i]) - np.int16(128)


@njit(**OPTIONS)
def _look_up(keyed, table, before, constant, inputs):
    """The first layer's inputs of one row."""
    if keyed:
        inputs[:] = np.float32(0.0)
        for key in range(before.shape[0]):
            if before[key]:
                row = table[key]
                for j in range(inputs.shape[0]):
                    inputs[j] += row[j]
        for j in range(inputs.shape[0]):
            inputs[j] += constant[j]
    else:
        row = table[before[0]]
        for j in range(inputs.shape[0]):
            inputs[j] = row[j] + constant[j]


@njit(**OPTIONS)
def step(
    path, cell, keyed, table, layers, symbols, slots, constant, at, after, hidden, cells, room
):
    """The states after one symbol more, from the places `at` to the places `after`.

    Args:
        symbols: `[rows, 1]` indices or `[rows, keys]`: the symbol before.
        slots: `[rows]`: whose constant is whose.
        hidden, cells: `[places, layers, units]`.
    """
    rows, units = at.shape[0], hidden.shape[2]
    apart = cell == 1 or cell == 2
    for layer in range(len(layers.own)):
        own, below = layers.own[layer], layers.below[layer]
        if layer and apart:
            _read(rows, hidden, after, layer - 1, room.states, room.bytes_, 0)
            product(
                path, rows, room.states, room.bytes_, below.weights, below.shift, room.from_below
            )
        start = 0
        if layer and not apart:
            _read(rows, hidden, after, layer - 1, room.states, room.bytes_, 0)
            start = units
        _read(rows, hidden, at, layer, room.states, room.bytes_, start)
        product(path, rows, room.states, room.bytes_, own.weights, own.shift, room.sums)
        bias, inputs = layers.bias[layer], room.inputs
        for m in range(rows):
            if layer == 0:
                _look_up(keyed, table, symbols[m], constant[slots[m]], inputs)
            elif apart:
                sums, scale = room.from_below[m], below.scale
                for j in range(inputs.shape[0]):
                    inputs[j] = np.float32(sums[j]) * scale[j] + bias[j]
            update(
                cell, room.sums[m], own.scale, bias if layer and not apart else inputs,
                layers.parameters[layer], cells[at[m], layer], cells[after[m], layer],
                hidden[after[m], layer],
            )  # fmt: skip


@njit(**OPTIONS)
def put_out(path, output, bias, places, hidden, room):
    """What the head is given of the states at some places, into the room's `outputs`."""
    rows, outputs = places.shape[0], bias.shape[0]
    _read(rows, hidden, places, hidden.shape[1] - 1, room.states, room.bytes_, 0)
    product(path, rows, room.states, room.bytes_, output.weights, output.shift, room.sums)
    for m in range(rows):
        sums, made = room.sums[m], room.outputs[m]
        for j in range(outputs):
            made[j] = np.float32(sums[j]) * output.scale[j] + bias[j]


@njit(**OPTIONS)
def draw(path, head, joint, outputs, symbols, slots, positions, settings, made, room):
    """The symbols that come next, `[rows, 1]` or `[rows, keys]`, into `made`; see `advance`."""
    for m in range(positions.shape[0]):
        s = slots[m]
        hashed = hash_of(settings.seed[s], positions[m])
        temperature, sharp = settings.temperature[s], settings.sharp[s]
        if head == 0:
            may = settings.may[symbols[m, 0] if settings.may.shape[0] > 1 else 0]
            made[m, 0] = draw_symbol(
                outputs[m, : may.shape[0]], may, number_of(hashed, 0), temperature, sharp,
                settings.top_k[s], settings.top_p[s], room.weights,
            )  # fmt: skip
        elif head == 1:
            draw_keys(
                outputs[m, : made.shape[1]], settings.may[s], hashed, temperature, sharp,
                settings.density[s], room.odds, made[m],
            )  # fmt: skip
        else:
            draw_chord(
                path, outputs[m], settings.may[s], hashed, temperature, sharp,
                settings.density[s], joint[0], joint[1].weights, joint[1].shift, joint[1].scale,
                room.chord, made[m],
            )  # fmt: skip


@njit(**OPTIONS)
def advance(
    path, cell, head, table, layers, output, bias, joint, symbols, slots, positions, settings,
    at, after, hidden, cells, made, room,
):  # fmt: skip
    """Steps rows and draws of them: all that a batch takes.

    Args:
        symbols: `[rows, 1]` or `[rows, keys]`: the symbol before each.
        slots, positions: `[rows]`.
        at, after: `[rows]`: the places of the states before and after.
        made: where the symbols go, as `symbols` lie.
    """
    step(
        path, cell, head > 0, table, layers, symbols, slots, settings.constant, at, after,
        hidden, cells, room,
    )  # fmt: skip
    put_out(path, output, bias, after, hidden, room)
    draw(path, head, joint, room.outputs, symbols, slots, positions, settings, made, room)


def best_path() -> int:
    """The fastest that this processor has."""
    return next(path for path in (VNNI, AVX2, PLAIN) if HAS[path])


class IntegerKernel(ReferenceKernel):
    """`ReferenceKernel`, compiled; and `advance`, which is what an engine calls.

    Args:
        path: of `integer_products.PATHS`; the best if absent.
        rows: the most in one call.
    """

    def __init__(
        self, network: QuantisedNetwork, path: str | None = None, *, rows: int = MOST_ROWS
    ) -> None:
        super().__init__(network)
        a = self.architecture
        self.path = PATHS[path] if path else best_path()
        laid = self._layout
        self._cell, self._head = CELLS[a.cell], HEADS[a.head]
        self._table = laid.table
        own = tuple(self._pack(layer.own) for layer in laid.layers)
        below = tuple(
            self._pack(layer.below) if layer.below else mine
            for layer, mine in zip(laid.layers, own, strict=True)
        )
        self._stack = Layers(
            own, below, tuple(layer.bias for layer in laid.layers),
            tuple(layer.parameters for layer in laid.layers),
        )  # fmt: skip
        self._packed_output = self._pack(network.output)
        voices, keys = network.voices, network.keys
        self._joint = (
            np.zeros((1, 1), np.float32) if voices is None else voices,
            self._pack(keys) if keys else self._packed_output,
        )
        self._rows = rows
        self._room = self._make_room(rows)

    def room(self, places: int) -> State:
        """States before any symbol, as `advance` takes them: `[places, layers, units]`."""
        hidden, cell = self.zero_state(places)
        return State(*(np.ascontiguousarray(part.swapaxes(0, 1)) for part in (hidden, cell)))

    def advance(
        self,
        symbols: NDArray[np.int64],
        slots: NDArray[np.int64],
        positions: NDArray[np.int64],
        settings: Settings,
        at: NDArray[np.int64],
        after: NDArray[np.int64],
        state: State,
        made: NDArray[np.int64],
    ) -> None:
        """Steps and draws; see the function of that name. At most `rows` rows."""
        advance(
            self.path, self._cell, self._head, self._table, self._stack, self._packed_output,
            self._bias, self._joint, symbols, slots, positions, settings, at, after, *state, made,
            self._room,
        )  # fmt: skip

    def settings(self, by: Draw, constants: Floats) -> Settings:
        """Settings of some rows, from those that the reference takes."""
        doublings = {"doublings": 1.0} if self.architecture.head == "nade" else {}
        return Settings(
            np.ascontiguousarray(constants), by.seed, by.temperature,
            sharpness(by.temperature, **doublings), by.top_k, by.top_p,
            by.density.astype(np.float32), by.may.astype(np.uint8),
        )  # fmt: skip

    # What the reference has, by the compiled parts: for tests and scores.

    def step(self, symbols: NDArray[Any], constants: Floats, state: State) -> State:
        rows = len(symbols)
        self._fit(rows)
        hidden, cells = (np.ascontiguousarray(part.swapaxes(0, 1)) for part in state)
        places = np.arange(rows)
        given = np.ascontiguousarray(symbols.reshape(rows, -1).astype(np.int64))
        step(
            self.path, self._cell, self._head > 0, self._table, self._stack, given, places,
            np.ascontiguousarray(constants), places, places, hidden, cells, self._room,
        )  # fmt: skip
        return State(*(np.ascontiguousarray(part.swapaxes(0, 1)) for part in (hidden, cells)))

    def outputs(self, state: State) -> Floats:
        rows = state.hidden.shape[1]
        self._fit(rows)
        hidden = np.ascontiguousarray(state.hidden.swapaxes(0, 1))
        put_out(self.path, self._packed_output, self._bias, np.arange(rows), hidden, self._room)
        return self._room.outputs[:rows, : len(self._bias)].copy()

    def draw(self, outputs: Floats, by: Draw) -> NDArray[Any]:
        rows, a = len(outputs), self.architecture
        made = np.zeros((rows, a.symbols if a.keys else 1), np.int64)
        no_constants = np.zeros((rows, 0), np.float32)
        for m in range(rows):  # one by one, since each row may have its own symbols that may come
            one = Draw(*(np.ascontiguousarray(part[m : m + 1]) for part in by))
            draw(
                self.path, self._head, self._joint, np.ascontiguousarray(outputs[m : m + 1]),
                made[m : m + 1], np.zeros(1, np.int64), one.position,
                self.settings(one, no_constants[:1]), made[m : m + 1], self._room,
            )  # fmt: skip
        return made.astype(np.bool_) if a.keys else made[:, 0]

    def _fit(self, rows: int) -> None:
        if rows > self._rows:
            self._rows, self._room = rows, self._make_room(rows)

    def _pack(self, product_: Product) -> Packed:
        weights, width = product_.weights, columns(product_.weights.shape[1], self.path)
        shift = np.zeros(width, np.int32)
        shift[: weights.shape[1]] = 128 * weights.astype(np.int32).sum(0)
        return Packed(_aligned(pack(weights, self.path)), shift, product_.scale)

    def _make_room(self, rows: int) -> Room:
        a = self.architecture
        inputs = padded(max(2 * a.hidden, a.head_hidden))
        width = columns(max(self.gates, a.outputs), self.path)
        # The padding of the states meets weights of 0.
        chord = (
            np.zeros((1, inputs), np.int16), np.zeros((1, inputs), np.uint8),
            np.zeros((1, width), np.int32), np.zeros(a.head_hidden, np.float32),
            *(np.zeros(a.symbols, kind) for kind in (np.float32, np.int64, np.float32, np.int32)),
        )  # fmt: skip
        return Room(
            np.zeros((rows, inputs), np.int16), np.zeros((rows, inputs), np.uint8),
            np.zeros((rows, width), np.int32), np.zeros((rows, width), np.int32),
            np.zeros(self.gates, np.float32), np.zeros((rows, a.outputs), np.float32),
            np.zeros(a.symbols, np.int32), np.zeros(a.symbols, np.float32), chord,
        )  # fmt: skip


def _aligned(array: NDArray[np.int8]) -> NDArray[np.int8]:
    """The same at an address that vectors of 64 bytes are loaded from in one go."""
    room = np.zeros(array.size + 64, np.int8)
    start = -room.ctypes.data % 64
    moved = room[start : start + array.size].reshape(array.shape)
    moved[...] = array
    return moved


__all__: Sequence[str] = ("IntegerKernel", "Settings", "advance", "best_path")
