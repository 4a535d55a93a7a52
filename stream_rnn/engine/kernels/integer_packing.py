# mypy: ignore-errors
# What is made here are arrays for compiled code, of many kinds in one go.
"""Networks laid out for compiled code: a few flat arrays, and room for what a call is at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.kernels.integer_batch import HEADS, Packed, Room
from stream_rnn.engine.kernels.integer_cells import CELLS
from stream_rnn.engine.kernels.integer_products import TOGETHER, columns, pack, padded, product
from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.layout import Layout
from stream_rnn.engine.numerics.randoms import mix
from stream_rnn.nets.quantised import Product


def pack_network(laid: Layout, path: int) -> Packed:
    """A network as a path reads it."""
    network, a = laid.network, laid.network.architecture
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
        packed = pack(of.weights, path)
        total = np.zeros(columns(of.weights.shape[1], path), np.int32)
        total[: of.weights.shape[1]] = 128 * of.weights.astype(np.int32).sum(0)
        found = [length(weights), *packed.shape[:2], length(shift), put(of.scale)]
        weights.append(packed.ravel())
        shift.append(total)
        return found

    where = [place(of) for layer in laid.layers for of in (layer.own, layer.below)]
    where += [place(network.output), place(network.keys)]
    beside = [[put(layer.bias), put(layer.parameters)] for layer in laid.layers]
    beside.append([put(network.output_bias), 0])
    kind = [path, CELLS[a.cell], HEADS[a.head], a.layers]
    voices = np.zeros((0, 0), np.float32) if network.voices is None else network.voices
    return Packed(
        np.array(kind), aligned(np.concatenate(weights)), np.concatenate(shift),
        np.concatenate(floats), np.array(where), np.array(beside), np.ascontiguousarray(laid.table),
        np.array(voices, order="C"),
    )  # fmt: skip


def make_room(laid: Layout, path: int) -> Room:
    """Room for the rows that are stepped together."""
    rows = TOGETHER
    a, gates = laid.network.architecture, laid.table.shape[1]
    inputs = padded(max(2 * a.hidden, a.head_hidden))
    width = columns(max(gates, a.outputs), path)
    of_batch = ((inputs, np.int16), (inputs, np.uint8), (width, np.int32), (width, np.int32),
                (a.outputs, np.float32))  # fmt: skip
    of_row = (
        (gates, np.float32),
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


@cache
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
    large, flat = small.astype(np.int16) - np.int16(128), aligned(packed.ravel())
    product(path, rows, large, small, flat, 0, *packed.shape[:2], shift, sums)
    right = large[:, :inputs].astype(np.int64) @ weights.astype(np.int64)
    return bool((sums[:, :outputs] == right).all())


def aligned(array: NDArray[np.int8]) -> NDArray[np.int8]:
    """The same at an address that vectors of 64 bytes are loaded from in one go."""
    room = np.zeros(array.size + 64, np.int8)
    start = -room.ctypes.data % 64
    moved = room[start : start + array.size].reshape(array.shape)
    moved[...] = array
    return moved
