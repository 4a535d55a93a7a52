# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, no-untyped-def"
# mypy: disable-error-code="no-untyped-call, no-any-return, misc"
"""The integer kernel: numerics 1, compiled by Numba. Step and draw of a batch in one call.

It works on the arrays of the slots themselves: a row says from which place its state is read, and
to which it is written. Nothing is allocated, nothing copied that is not needed, and no torch.
`docs/numerics.md` is what it does; `reference` is what it is held against.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stream_rnn.engine.kernels.compiling import OPTIONS
from stream_rnn.engine.kernels.integer_cells import CELLS, GRU, MI_LSTM, update
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
from stream_rnn.engine.numerics.randoms import mix
from stream_rnn.errors import ConfigError
from stream_rnn.nets.quantised import Product, QuantisedNetwork

MOST_ROWS = 64  # of a call, unless more are asked for; what a row gives does not depend on it
HEADS = {"categorical": 0, "bernoulli": 1, "nade": 2}
STEP, OUTPUTS, DRAW = 1, 2, 4  # parts of `advance`


class Packed(NamedTuple):
    """A network as compiled code reads it: a few flat arrays, whatever its size and cell.

    Attributes:
        kind: path, cell, head and layers.
        weights: int8: all products, each in the packing of the path.
        shift: int32: 128 times each output's weights.
        floats: all scales, biases and parameters.
        where: `[products, 5]`: where a product begins among the weights, its blocks and groups,
            and where it begins in `shift` and `floats`. Of a layer two, its own and the one below,
            then those of the outputs and of the joint head.
        beside: `[layers + 1, 2]`: where a layer's bias and parameters begin among the floats; then
            the outputs' bias.
        table: see `layout.Layout`.
        voices: of the joint head, or `[0, 0]`.
    """

    kind: NDArray[np.int64]
    weights: NDArray[np.int8]
    shift: NDArray[np.int32]
    floats: Floats
    where: NDArray[np.int64]
    beside: NDArray[np.int64]
    table: Floats
    voices: Floats


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
    """Where a call keeps what it is at: the first arrays of a batch, the others of a row."""

    states: NDArray[np.int16]
    bytes_: NDArray[np.uint8]
    sums: NDArray[np.int32]
    from_below: NDArray[np.int32]
    outputs: Floats
    inputs: Floats
    weights: NDArray[np.int32]
    odds: Floats
    above: NDArray[np.int64]
    logs: Floats
    mood: Floats
    one: NDArray[np.int64]


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
    gates = inputs.shape[0]
    if keyed:
        for j in range(gates):
            inputs[j] = np.float32(0.0)
        for key in range(before.shape[0]):
            if before[key]:
                row = table[key]
                for j in range(gates):
                    inputs[j] += row[j]
        for j in range(gates):
            inputs[j] += constant[j]
    else:
        row = table[before[0]]
        for j in range(gates):
            inputs[j] = row[j] + constant[j]


@njit(**OPTIONS)
def advance(
    parts, network, symbols, slots, positions, settings, at, after, hidden, cells, made, room
):
    """Steps rows and draws of them: all that a batch takes, or those of its `parts` asked for.

    Args:
        symbols: `[rows, 1]` indices or `[rows, keys]` of 0 and 1: the symbol before each.
        slots, positions: `[rows]`.
        at, after: `[rows]`: the places of the states before and after.
        hidden, cells: `[places, layers, units]`.
        made: where the symbols go, as `symbols` lie.
    """
    path, cell, head, layers = network.kind
    rows, units, gates = at.shape[0], hidden.shape[2], network.table.shape[1]
    weights, floats, where, shift = network.weights, network.floats, network.where, network.shift
    apart = cell == MI_LSTM or cell == GRU
    inputs, from_below = room.inputs, room.from_below
    # The products in turn: each layer's from below, where it is apart, and own; the outputs'.
    for turn in range(2 * layers + 1):
        layer, own = turn >> 1, bool(turn & 1)
        last = layer == layers
        if last:
            if not parts & OUTPUTS:
                continue
            _read(rows, hidden, after, layers - 1, room.states, room.bytes_, 0)
        else:
            if not parts & STEP or (not own and (layer == 0 or not apart)):
                continue
            start = 0
            if layer and (not own or not apart):
                _read(rows, hidden, after, layer - 1, room.states, room.bytes_, 0)
                start = units
            if own:
                _read(rows, hidden, at, layer, room.states, room.bytes_, start)
        place = where[2 * layer + (0 if own or last else 1)]
        sums = room.sums if own or last else from_below
        product(
            path, rows, room.states, room.bytes_, weights, place[0], place[1], place[2],
            shift[place[3] :], sums,
        )  # fmt: skip
        scale, beside = floats[place[4] :], network.beside[layer]
        if last:
            bias = floats[beside[0] :]
            for m in range(rows):
                given, outputs = sums[m], room.outputs[m]
                for j in range(room.outputs.shape[1]):
                    outputs[j] = np.float32(given[j]) * scale[j] + bias[j]
        elif own:
            bias = floats[beside[0] : beside[0] + gates]
            parameters = floats[beside[1] :]
            scale_below = floats[where[2 * layer + 1, 4] :]
            for m in range(rows):
                if layer == 0:
                    constant = settings.constant[slots[m]]
                    _look_up(head > 0, network.table, symbols[m], constant, inputs)
                elif apart:
                    given = from_below[m]
                    for j in range(gates):
                        inputs[j] = np.float32(given[j]) * scale_below[j] + bias[j]
                update(
                    cell, sums[m], scale, bias if layer and not apart else inputs, parameters,
                    cells[at[m], layer], cells[after[m], layer], hidden[after[m], layer],
                )  # fmt: skip
    if not parts & DRAW:
        return
    joint = where[2 * layers + 1]
    for m in range(rows):
        s = slots[m]
        hashed = hash_of(settings.seed[s], positions[m])
        temperature, sharp, density = (
            settings.temperature[s],
            settings.sharp[s],
            settings.density[s],
        )
        if head == 0:
            may = settings.may[symbols[m, 0] if settings.may.shape[0] > 1 else 0]
            made[m, 0] = draw_symbol(
                room.outputs[m], may, number_of(hashed, 0), temperature, sharp,
                settings.top_k[s], settings.top_p[s], room.weights,
            )  # fmt: skip
        elif head == 1:
            draw_keys(
                room.outputs[m], settings.may[s], hashed, temperature, sharp, density, room.odds,
                made[m],
            )  # fmt: skip
        else:
            draw_chord(
                path, room.outputs[m], settings.may[s], hashed, temperature, sharp, density,
                network.voices, weights, joint, shift[joint[3] :], floats[joint[4] :], room,
                made[m],
            )  # fmt: skip


def choose_path(name: str | None = None) -> int:
    """The path of a name, or the fastest that this processor has and that adds up right.

    Args:
        name: of `integer_products.PATHS`; what `STREAM_RNN_KERNEL` says if absent.

    Raises:
        ConfigError: there is no such path, or this processor does not have it.
    """
    name = name or os.environ.get("STREAM_RNN_KERNEL") or None
    if name is None:
        return next(path for path in (VNNI, AVX2, PLAIN) if HAS[path] and adds_up(path))
    if name not in PATHS:
        raise ConfigError(f"STREAM_RNN_KERNEL is {name!r}; it may be {', '.join(PATHS)}")
    if not HAS[PATHS[name]]:
        raise ConfigError(f"STREAM_RNN_KERNEL is {name!r}, which this processor does not have")
    return PATHS[name]


def adds_up(path: int) -> bool:
    """Whether a path gives the sums of whole numbers, the largest among them."""
    rows, inputs, outputs = 13, 1030, 50
    numbers = mix(np.arange((rows + outputs) * inputs, dtype=np.uint64)).reshape(-1, inputs)
    small = np.zeros((rows, padded(inputs)), np.uint8)
    small[:, :inputs] = numbers[:rows] % 255 + 1
    small[0], small[1] = 255, 1
    weights = np.ascontiguousarray((numbers[rows:] % 255).astype(np.int16) - 127).astype(np.int8).T
    weights[:, 0], weights[:, 1] = 127, -127
    packed = pack(weights, path)
    shift = np.zeros(columns(outputs, path), np.int32)
    shift[:outputs] = 128 * weights.astype(np.int32).sum(0)
    sums = np.zeros((rows, len(shift)), np.int32)
    large, flat = small.astype(np.int16) - np.int16(128), _aligned(packed.ravel())
    product(path, rows, large, small, flat, 0, *packed.shape[:2], shift, sums)
    right = large[:, :inputs].astype(np.int64) @ weights.astype(np.int64)
    return bool((sums[:, :outputs] == right).all())


class IntegerKernel(ReferenceKernel):
    """`ReferenceKernel`, compiled; and `advance`, which is what an engine calls.

    Args:
        path: see `choose_path`.
        rows: the most in one call.
    """

    def __init__(
        self, network: QuantisedNetwork, path: str | None = None, *, rows: int = MOST_ROWS
    ) -> None:
        super().__init__(network)
        self.path = choose_path(path)
        self._packed = self._pack(network)
        self._rows, self._room = rows, self._make_room(rows)

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
            STEP | OUTPUTS | DRAW, self._packed, symbols, slots, positions, settings, at, after,
            *state, made, self._room,
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
        made = State(*(part.swapaxes(0, 1).copy() for part in state))
        given = symbols.reshape(rows, -1).astype(np.int64)
        settings = self.settings(_nothing(rows), constants)
        self._run(STEP, given, np.arange(rows), settings, made, given)
        return State(*(part.swapaxes(0, 1).copy() for part in made))

    def outputs(self, state: State) -> Floats:
        rows = state.hidden.shape[1]
        self._fit(rows)
        now = State(*(part.swapaxes(0, 1).copy() for part in state))
        none, settings = np.zeros((rows, 1), np.int64), self.settings(_nothing(rows), _NO_CONSTANTS)
        self._run(OUTPUTS, none, np.arange(rows), settings, now, none)
        return self._room.outputs[:rows].copy()

    def draw(self, outputs: Floats, by: Draw) -> NDArray[Any]:
        rows, a = len(outputs), self.architecture
        made = np.zeros((rows, a.symbols if a.keys else 1), np.int64)
        for m in range(rows):  # one by one, since each may have symbols of its own that may come
            one = Draw(*(part[m : m + 1].copy() for part in by))
            self._room.outputs[0] = outputs[m]
            part = made[m : m + 1]
            settings = self.settings(one, _NO_CONSTANTS)
            self._run(DRAW, np.zeros_like(part), one.position, settings, self.room(1), part)
        return made.astype(np.bool_) if a.keys else made[:, 0]

    def _run(
        self, parts: int, symbols: NDArray[np.int64], positions: NDArray[np.int64],
        settings: Settings, state: State, made: NDArray[np.int64],
    ) -> None:  # fmt: skip
        places = np.arange(len(symbols))
        advance(
            parts, self._packed, symbols, places, positions, settings, places, places, *state,
            made, self._room,
        )  # fmt: skip

    def _fit(self, rows: int) -> None:
        if rows > self._rows:
            self._rows, self._room = rows, self._make_room(rows)

    def _pack(self, network: QuantisedNetwork) -> Packed:
        a, laid = self.architecture, self._layout
        weights: list[NDArray[np.int8]] = []
        shift: list[NDArray[np.int32]] = []
        floats: list[Floats] = []

        def length(parts: Sequence[NDArray[Any]]) -> int:
            return sum(part.size for part in parts)

        def put(part: Floats) -> int:
            floats.append(part.ravel())
            return length(floats) - part.size

        def place(of: Product | None) -> list[int]:
            if of is None:
                return [0] * 5
            packed = pack(of.weights, self.path)
            total = np.zeros(columns(of.weights.shape[1], self.path), np.int32)
            total[: of.weights.shape[1]] = 128 * of.weights.astype(np.int32).sum(0)
            found = [length(weights), *packed.shape[:2], length(shift), put(of.scale)]
            weights.append(packed.ravel())
            shift.append(total)
            return found

        where = [place(of) for layer in laid.layers for of in (layer.own, layer.below)]
        where += [place(network.output), place(network.keys)]
        beside = [[put(layer.bias), put(layer.parameters)] for layer in laid.layers]
        beside.append([put(network.output_bias), 0])
        kind = [self.path, CELLS[a.cell], HEADS[a.head], a.layers]
        voices = np.zeros((0, 0), np.float32) if network.voices is None else network.voices
        return Packed(
            np.array(kind), _aligned(np.concatenate(weights)), np.concatenate(shift),
            np.concatenate(floats), np.array(where), np.array(beside), np.array(laid.table),
            np.array(voices, order="C"),
        )  # fmt: skip

    def _make_room(self, rows: int) -> Room:
        a = self.architecture
        inputs = padded(max(2 * a.hidden, a.head_hidden))
        width = columns(max(self.gates, a.outputs), self.path)
        of_batch = ((inputs, np.int16), (inputs, np.uint8), (width, np.int32), (width, np.int32),
                    (a.outputs, np.float32))  # fmt: skip
        of_row = (
            (self.gates, np.float32),
            (a.symbols, np.int32),
            (a.symbols, np.float32),
            (a.symbols, np.int64),
            (a.symbols, np.float32),
            (a.head_hidden, np.float32),
        )
        return Room(
            *(np.zeros((rows, size), kind) for size, kind in of_batch),
            *(np.zeros(size, kind) for size, kind in of_row),
            np.ones(1, np.int64),
        )  # fmt: skip


_NO_CONSTANTS = np.zeros((1, 0), np.float32)


def _nothing(rows: int) -> Draw:
    """Settings where nothing is drawn."""
    kinds = (np.int64, np.int64, np.float64, np.int64, np.float64, np.float64)
    return Draw(*(np.zeros(rows, kind) for kind in kinds), np.zeros((rows, 0), np.bool_))


def _aligned(array: NDArray[np.int8]) -> NDArray[np.int8]:
    """The same at an address that vectors of 64 bytes are loaded from in one go."""
    room = np.zeros(array.size + 64, np.int8)
    start = -room.ctypes.data % 64
    moved = room[start : start + array.size].reshape(array.shape)
    moved[...] = array
    return moved


__all__: Sequence[str] = ("IntegerKernel", "Settings", "advance", "choose_path")
