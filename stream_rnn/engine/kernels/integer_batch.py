# mypy: ignore-errors
# Numba has no types.
"""A batch in one compiled call: the step, the outputs and the draw of some rows.

It works on the arrays of the slots themselves: a row says from which place its state is read, and
to which it is written. Nothing is allocated.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import carray, njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from stream_rnn.engine.kernels.compiling import OPTIONS
from stream_rnn.engine.kernels.integer_cells import GRU, MI_LSTM, update
from stream_rnn.engine.kernels.integer_draw import (
    draw_chord,
    draw_keys,
    draw_symbol,
    hash_of,
    number_of,
)
from stream_rnn.engine.kernels.integer_products import product
from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.states import SlotSettings

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


def bundle(network: Packed, settings: SlotSettings, state: Any, room: Room) -> NDArray[np.int64]:
    """Where a network, settings, states and room lie: int64 `[arrays, 4]`, address and shape.

    To be told of each array in each call takes longer than a row's draw. What is here is not kept
    alive by being here.
    """
    rows = []
    for array, kind in zip((*network, *settings, *state, *room), KINDS, strict=True):
        if array.dtype != kind or not array.flags.c_contiguous:
            raise TypeError(f"an array of {array.dtype}; it must be of {kind}, and in C order")
        rows.append([array.ctypes.data, *array.shape, *[0] * (3 - array.ndim)])
    return np.array(rows, np.int64)


_WIDE, _FLOAT, _DOUBLE, _INT, _SHORT = np.int64, np.float32, np.float64, np.int32, np.int16
_BYTE, _UNSIGNED = np.int8, np.uint8
KINDS = (
    _WIDE, _BYTE, _INT, _FLOAT, _WIDE, _WIDE, _FLOAT, _FLOAT,
    _FLOAT, _WIDE, _DOUBLE, _FLOAT, _WIDE, _DOUBLE, _FLOAT, _UNSIGNED,
    _UNSIGNED, _FLOAT,
    _SHORT, _UNSIGNED, _INT, _INT, _FLOAT, _FLOAT, _INT, _FLOAT, _WIDE, _FLOAT, _FLOAT, _WIDE,
)  # fmt: skip


@intrinsic
def _pointer(typingctx, address, kind):
    """A pointer to numbers of a kind."""
    to = types.CPointer(kind.instance_type)

    def codegen(context, build, signature, args):
        return build.inttoptr(args[0], context.get_value_type(to))

    return to(types.int64, kind), codegen


@njit(forceinline=True, error_model="numpy")
def _one(row, kind):
    return carray(_pointer(row[0], kind), (row[1],))


@njit(forceinline=True, error_model="numpy")
def _two(row, kind):
    return carray(_pointer(row[0], kind), (row[1], row[2]))


@njit(forceinline=True, error_model="numpy")
def _three(row, kind):
    return carray(_pointer(row[0], kind), (row[1], row[2], row[3]))


@njit(**OPTIONS)
def _network(b):
    return Packed(
        _one(b[0], _WIDE), _one(b[1], _BYTE), _one(b[2], _INT), _one(b[3], _FLOAT),
        _two(b[4], _WIDE), _two(b[5], _WIDE), _two(b[6], _FLOAT), _two(b[7], _FLOAT),
    )  # fmt: skip


@njit(**OPTIONS)
def _settings(b):
    return SlotSettings(
        _two(b[8], _FLOAT), _one(b[9], _WIDE), _one(b[10], _DOUBLE), _one(b[11], _FLOAT),
        _one(b[12], _WIDE), _one(b[13], _DOUBLE), _one(b[14], _FLOAT), _two(b[15], _UNSIGNED),
    )  # fmt: skip


@njit(**OPTIONS)
def _room(b):
    return Room(
        _two(b[18], _SHORT), _two(b[19], _UNSIGNED), _two(b[20], _INT), _two(b[21], _INT),
        _two(b[22], _FLOAT), _one(b[23], _FLOAT), _one(b[24], _INT), _one(b[25], _FLOAT),
        _one(b[26], _WIDE), _one(b[27], _FLOAT), _one(b[28], _FLOAT), _one(b[29], _WIDE),
    )  # fmt: skip


@njit(**OPTIONS)
def _some(
    parts, network, settings, room, hidden, cells, symbols, slots, positions, at, after, made
):
    """As many rows as there is room for; see `advance`."""
    kind = network.kind
    path, cell, head, layers = kind[0], kind[1], kind[2], kind[3]
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


@njit(**OPTIONS)
def advance(parts, bundled, symbols, slots, positions, at, after, made):
    """Steps rows and draws of them: all that a batch takes, or those of its `parts` asked for.

    As many rows at once as there is room for; what a row gives does not depend on it.

    Args:
        bundled: of `bundle`.
        symbols: `[rows, 1]` indices or `[rows, keys]` of 0 and 1: the symbol before each.
        slots, positions: `[rows]`.
        at, after: `[rows]`: the places of the states before and after.
        made: where the symbols go, as `symbols` lie.
    """
    network, settings, room = _network(bundled), _settings(bundled), _room(bundled)
    hidden, cells = _three(bundled[16], _UNSIGNED), _three(bundled[17], _FLOAT)
    most = room.states.shape[0]
    for first in range(0, at.shape[0], most):
        last = min(first + most, at.shape[0])
        _some(
            parts, network, settings, room, hidden, cells, symbols[first:last], slots[first:last],
            positions[first:last], at[first:last], after[first:last], made[first:last],
        )  # fmt: skip
