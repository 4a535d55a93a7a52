# mypy: ignore-errors
# What is made here are arrays for compiled code, of many kinds in one go.
"""Networks laid out for compiled code, and room for what a call is at."""

from __future__ import annotations

from math import lcm
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.kernels.integer_fields import (
    AHEAD,
    CALL,
    CELLS,
    HEADS,
    PRODUCT,
    RECORD,
    TOGETHER,
    number,
)
from stream_rnn.engine.kernels.paths import Path
from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.layout import LaidOutLayer, Layout
from stream_rnn.nets.quantised import Product

TILE = 16  # rows and columns of a tile of AMX, and groups of 4 states
GATES = {"lstm": 4, "mi-lstm": 4, "gru": 3, "tanh": 1}
_LINE = 64  # bytes; what is loaded in one go should not lie in two of them


class Span(NamedTuple):
    """How much is done at once.

    Attributes:
        blocks: of the product.
        groups: of `together` units.
    """

    blocks: int
    groups: int


def span_of(cell: str, path: Path) -> Span:
    """The least number of whole blocks that hold whole groups of units."""
    columns = lcm(GATES[cell] * path.together, path.width)
    return Span(columns // path.width, columns // (GATES[cell] * path.together))


class Packing:
    """The fields of a network, as a path reads it.

    Attributes:
        fields: of `integer_fields.NETWORK`.
    """

    def __init__(self, laid: Layout, path: Path) -> None:
        network, a = laid.network, laid.network.architecture
        self._path, self._units, self._kept = path, a.hidden, []
        self._gates, span = GATES[a.cell], span_of(a.cell, path)
        whole = span.groups * path.together  # units of a span
        self._spread = -(-a.hidden // whole) * whole  # units, with the padding of the last span
        records = [
            [*self._product(self._own(layer), gated=True), *self._product(layer.below, gated=True),
             self._array(self._by_group(layer.bias)),
             self._array(self._by_group(layer.parameters))]
            for layer in laid.layers
        ]  # fmt: skip
        for product, bias in ((network.output, network.output_bias), (network.keys, None)):
            width = 0 if product is None else path.columns(product.weights.shape[1])
            bias = np.zeros(0, np.float32) if bias is None else bias
            records.append([*self._product(product), *self._product(None),
                            self._array(_padded(bias, width)), 0])  # fmt: skip
        assert all(len(record) == len(RECORD) for record in records)
        voices = np.zeros((0, 0), np.float32) if network.voices is None else network.voices
        self.fields: dict[str, Any] = {
            "cell": CELLS.index(a.cell), "head": HEADS.index(a.head), "layers": a.layers,
            "units": a.hidden, "constant_step": len(laid.blends.bias),
            "columns": self._gates * self._spread,
            "symbols": a.symbols, "given": a.symbols if a.keys else 1,
            "voice_units": voices.shape[1], "records": np.array(records, np.int64),
            "table": aligned(self._by_group(laid.table)), "voices": np.array(voices, order="C"),
            "tiles": tile_shapes(),
        }  # fmt: skip
        if not a.artists:  # then all slots have the same, which need not be fetched for each
            self.fields |= {"constant": laid.blends.constant(()), "constant_step": 0}

    def _own(self, layer: LaidOutLayer) -> Product:
        """A layer's product with its own state; of both states, each is padded for itself."""
        weights, units = layer.own.weights, self._units
        if len(weights) == units:
            return layer.own
        wide = np.zeros((2 * self._path.padded(units), weights.shape[1]), np.int8)
        for part, start in ((weights[:units], 0), (weights[units:], len(wide) // 2)):
            wide[start : start + units] = part
        return Product(wide, layer.own.scale)

    def _product(self, product: Product | None, *, gated: bool = False) -> list[int]:
        if product is None:
            return [0] * len(PRODUCT)
        path, weights, scale = self._path, product.weights, product.scale
        if gated:
            weights, scale = self._by_group(weights), self._by_group(scale)
        packed = pack(weights, path)
        width = packed.shape[0] * path.width
        starts = np.zeros(width, np.int32)
        if path.states is np.uint8:  # states are 128 too large
            starts[: weights.shape[1]] = -128 * weights.astype(np.int32).sum(0)
        return [self._array(packed), self._array(starts), self._array(_padded(scale, width)),
                len(packed), path.padded(len(weights)) // path.group]  # fmt: skip

    def _by_group(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of `[..., gates * units]`, in the order of `integer_cells`: `[..., columns]`."""
        start, lanes, gates = values.shape[:-1], self._path.together, self._gates
        wide = np.zeros((*start, gates, self._spread), values.dtype)
        wide[..., : self._units] = values.reshape(*start, gates, self._units)
        shaped = wide.reshape(*start, gates, self._spread // lanes, lanes).swapaxes(-3, -2)
        return np.ascontiguousarray(shaped).reshape(*start, gates * self._spread)

    def _array(self, array: NDArray[Any]) -> int:
        """The address of an array, which is kept as long as this is."""
        self._kept.append(aligned(array))
        return number(self._kept[-1], array.dtype)


def pack(weights: NDArray[np.int8], path: Path) -> NDArray[np.int8]:
    """Weights `[inputs, outputs]`, padded with 0, as a path reads them one after the other.

    `[blocks, groups, vectors, lanes, group]`; for AMX `[blocks, tiles, vectors, 16, lanes, group]`.
    """
    inputs, outputs = weights.shape
    blocks, groups = -(-outputs // path.width), path.padded(inputs) // path.group
    wide = np.zeros((groups * path.group, blocks * path.width), np.int8)
    wide[:inputs, :outputs] = weights
    if path.tiles:
        tiles = wide.reshape(-1, TILE, path.group, blocks, path.vectors, path.lanes)
        return np.ascontiguousarray(tiles.transpose(3, 0, 4, 1, 5, 2))
    shaped = wide.reshape(groups, path.group, blocks, path.vectors, path.lanes)
    return np.ascontiguousarray(shaped.transpose(2, 0, 3, 4, 1))


def tile_shapes() -> NDArray[np.uint8]:
    """What AMX is told of its eight tiles: each of 16 rows of 64 bytes."""
    told = np.zeros(64, np.uint8)
    told[0] = 1
    told[16:32].view(np.uint16)[:] = 64
    told[48:56] = TILE
    return told


def make_room(laid: Layout, path: Path) -> dict[str, Any]:
    """The fields of room for the rows that are stepped together."""
    a = laid.network.architecture
    own_at = path.padded(a.hidden)
    # A cell stores `together` new states at once, which may be more than there are.
    stored = own_at + path.together
    states_width = path.padded(max(stored, 2 * own_at, path.padded(a.head_hidden or 0)))
    span = span_of(a.cell, path)
    in_head = path.columns(a.symbols) if a.head == "nade" else 0
    outputs_width = path.columns(a.outputs) + path.width
    symbols = -(-a.symbols // 16) * 16
    sums_width = max(span.blocks * path.width, in_head)
    units = path.padded(a.head_hidden or 0)

    def of_batch(width: int, kind: Any) -> NDArray[Any]:
        return aligned(np.zeros((TOGETHER + AHEAD, width), kind))

    def of_row(width: int, kind: Any) -> NDArray[Any]:
        return aligned(np.zeros(width, kind))

    given = a.symbols if a.keys else 1
    call = {name: of_batch(given, kind) if name in ("symbols_before", "made") else
            of_row(TOGETHER + AHEAD, kind) for name, kind in CALL.items()}  # fmt: skip
    return {
        **call,
        "states_0": of_batch(states_width, path.states),
        "states_1": of_batch(states_width, path.states),
        "states_width": states_width, "own_at": own_at,
        "sums": of_batch(sums_width, np.int32), "below": of_batch(sums_width, np.int32),
        "sums_width": sums_width,
        "outputs": of_batch(outputs_width, np.float32), "outputs_width": outputs_width,
        "sounding": of_batch(a.symbols + 1 if a.keys else 0, np.int64),
        "open": of_row(symbols, np.uint8), "weights": of_row(symbols, np.int32),
        "odds": of_row(symbols, np.float32), "logs": of_row(symbols, np.float32),
        "silences": of_row(symbols, np.int64), "mood": of_row(units, np.float32),
        "reversed": of_row(1, np.int64),
    }  # fmt: skip


def _padded(values: Floats, width: int) -> Floats:
    return np.concatenate([values, np.zeros(width - len(values), np.float32)])


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """A copy whose first number begins a line of the processor's cache."""
    room = np.zeros(array.nbytes + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    moved = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved
