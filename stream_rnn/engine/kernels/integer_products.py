# mypy: ignore-errors
# LLVM's builder has no types.
"""Products of 8-bit states and weights, as each path makes them.

A block is `width` columns of a product. Its weights are read once for many rows: that is what a
batch gains.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from stream_rnn.engine.kernels.emit import Value, type_of, write
from stream_rnn.engine.kernels.integer_packing import TILE

_TILE_STATES = 4 * TILE  # of a row


class States:
    """The states of rows, as products take them; for AMX in tiles.

    Args:
        array: `path.states`.
        width: states of a row.
    """

    def __init__(self, path, array, width):
        self.path, self.array, self.width = path, array, width

    def at(self, m, unit):
        """Where a row's state lies; and those behind it, in tiles up to a whole 64."""
        if not self.path.tiles:
            return self.array.at(m * self.width + unit)
        tile = (m & -TILE) * self.width + (unit & -_TILE_STATES) * TILE
        return self.array.at(tile + (m & (TILE - 1)) * _TILE_STATES + (unit & (_TILE_STATES - 1)))

    def put(self, m, unit, states, mask=None):
        """Stores 8-bit states of a row, a vector or one, as the products take them."""
        if self.path.states is not np.uint8:
            states = (states.astype(np.int16) - 128).astype(self.path.states)
        self.at(m, unit).put(0, states, mask)


def write_product(module, path):
    """Writes what multiplies the states of some rows by some blocks of weights.

    Its arguments: rows; blocks, and the groups in each; states and how many there are in a row; the
    weights; int32 where the sums of a row begin; and where they go, and how many numbers lie there
    from a row to the next.
    """
    arguments = [np.int64, np.int64, np.int64, [path.states], np.int64, [np.int8], [np.int32],
                 [np.int32], np.int64]  # fmt: skip
    if path.tiles:
        return _write_tiles(module, path, arguments)
    some = {
        rows: _write_rows(module, path, rows, arguments[2:]) for rows in range(1, path.rows + 1)
    }
    first_rows = _write_rows(module, path, path.rows, arguments[2:], asks_ahead=True)

    @write(module, "product", arguments)
    def product(code, rows, blocks, groups, states, width, weights, starts, sums, step):
        with code.loop(blocks) as j:
            done = code.variable(0, np.int64)

            def multiply(function, count):
                m = done.now
                code.call(
                    function, groups, states.at(m * width), width,
                    weights.at(j * groups * (path.width * path.group)), starts.at(j * path.width),
                    sums.at(m * step + j * path.width), step,
                )  # fmt: skip
                done.now = m + count

            with code.when(rows >= 2 * path.rows):
                multiply(first_rows, path.rows)
            for count in range(path.rows, 0, -1):
                with code.loop_while(lambda count=count: rows - done.now >= count):
                    multiply(some[count], count)

    return product


def _write_rows(module, path, rows, arguments, *, asks_ahead=False):
    """The same of a fixed number of rows of a block, whose sums stay in registers.

    Args:
        asks_ahead: whether to ask for the block behind this one. The first rows of a batch do: for
            them weights come from afar, and not as fast as they could be multiplied.
    """
    lanes, vectors, group = path.lanes, path.vectors, path.group
    few = rows * vectors
    chains = 4 if few <= 4 else 2 if few <= 8 else 1  # so that no sum waits for the one before

    @write(module, "first_rows" if asks_ahead else f"rows_{rows}", arguments)
    def product(code, groups, states, width, weights, starts, sums, step):
        begin = [starts.vector(v * lanes, lanes) for v in range(vectors)]
        none = code.value(0, np.int32, lanes)
        totals = [
            [[code.variable(none if chain else begin[v]) for v in range(vectors)]
             for _ in range(rows)]
            for chain in range(chains)
        ]  # fmt: skip
        starting = [states.at(width * m) for m in range(rows)]
        # From one vector of a group's weights to the next, and from one group's states.
        inside = TILE if path.tiles else 1
        turn = lanes * group
        with code.loop(groups, step=max(chains, inside)) as k:
            if asks_ahead:
                code.prefetch(weights.at((groups + k) * (vectors * turn)), vectors * turn)
            for g in range(max(chains, inside)):
                here = (k * vectors + g * (1 if path.tiles else vectors)) * turn
                given = [
                    prepared(path, weights.vector(here + v * inside * turn, turn))
                    for v in range(vectors)
                ]
                unit = k * (inside * group) + g * group
                for m in range(rows):
                    states_of = group_of(path, starting[m].at(unit))
                    for v in range(vectors):
                        total = totals[g % chains][m][v]
                        total.now = add_products(path, total.now, states_of, given[v])
        for m in range(rows):
            for v in range(vectors):
                total = totals[0][m][v].now
                for chain in range(1, chains):
                    total = total + totals[chain][m][v].now
                sums.put(step * m + v * lanes, total)

    return product


def group_of(path, states):
    """A group of a row's states in all lanes."""
    if path.group == 1:
        return states[0].astype(np.int32).spread(path.lanes)
    together = states.view(np.int32)[0].spread(path.lanes)  # 4 of 8 bits, or 2 of 16
    return together if path.states is np.uint8 else together.view(path.states)


def prepared(path, weights):
    """A vector of weights in the form in which it is multiplied."""
    if path.group == 4:
        return weights.view(np.int32) if path.states is np.uint8 else weights
    return weights.astype(np.int16 if path.group == 2 else np.int32)


def add_products(path, total, states, weights):
    """Sums, and the products of a group of states with weights."""
    code, wide = total.code, type_of(np.int32, path.lanes)
    if path.group == 1:
        return total + states * weights
    if path.group == 2:
        raw = code.instruction("x86.avx2.pmadd.wd", wide, [states.raw, weights.raw])
        return total + Value(code, raw, np.int32)
    if path.name == "sdot":
        name = f"aarch64.neon.sdot.v{path.lanes}i32.v{4 * path.lanes}i8"
    else:  # 4 bytes are given as a number of 32 bits: older LLVMs want it so, newer ones take both
        name = f"x86.avx512.vpdpbusd.{32 * path.lanes}"
    raw = code.instruction(name, wide, [total.raw, states.raw, weights.raw])
    return Value(code, raw, np.int32)


def _write_tiles(module, path, arguments):
    """By AMX. Rows are taken in whole tiles, for which there is room.

    Two tiles of rows stay in the fastest memory while all blocks pass by. One row alone is a matter
    of how fast weights are read, which vectors do faster.
    """
    alone = _write_rows(module, path, 1, arguments[2:])
    some = {count: _write_tile_rows(module, path, count, arguments[2:]) for count in (2, 1)}

    @write(module, "product", arguments)
    def product(code, rows, blocks, groups, states, width, weights, starts, sums, step):
        def multiply(function, m):
            with code.loop(blocks) as j:
                code.call(
                    function, groups, states.at(m * width), width,
                    weights.at(j * groups * (path.width * path.group)), starts.at(j * path.width),
                    sums.at(m * step + j * path.width), step,
                )  # fmt: skip

        with code.when_else(rows == 1) as (one, more):
            with one:
                multiply(alone, 0)
            with more:
                done = code.variable(0, np.int64)
                for count, function in some.items():
                    with code.loop_while(lambda least=(count - 1) * TILE: rows - done.now > least):
                        multiply(function, done.now)
                        done.now = done.now + count * TILE

    return product


def _write_tile_rows(module, path, count, arguments):
    """`count` times 16 rows of a block."""
    vectors, line = path.vectors, 4 * path.lanes
    byte, void = ir.IntType(8), ir.VoidType()
    # Tiles 0 … are the sums, then come those of states, then those of weights.
    of_states = count * vectors
    of_weights = of_states + count

    @write(module, f"tiles_{count}", arguments)
    def product(code, groups, states, width, weights, starts, sums, step):
        def load(tile, array, stride):
            raws = [byte(tile), array.pointer, code.value(stride, np.int64).raw]
            code.instruction("x86.tileloadd64", void, raws)

        for m in range(count):
            for v in range(vectors):
                load(m * vectors + v, starts.at(v * path.lanes), 0)  # the same for each row
        with code.loop(groups, step=TILE) as k:
            for m in range(count):
                load(of_states + m, states.at(width * (m * TILE) + k * line), line)
            for v in range(vectors):
                load(of_weights + v, weights.at((k * vectors + v * TILE) * line), line)
            for m in range(count):
                for v in range(vectors):
                    tiles = (m * vectors + v, of_states + m, of_weights + v)
                    code.instruction("x86.tdpbusd", void, [byte(tile) for tile in tiles])
        for m in range(count):
            for v in range(vectors):
                to = sums.at(step * (m * TILE) + v * path.lanes)
                raws = [byte(m * vectors + v), to.pointer, (step * 4).raw]
                code.instruction("x86.tilestored64", void, raws)

    return product
