# mypy: ignore-errors
# LLVM's builder has no types.
"""A batch in one compiled call: the step, the outputs and the draw of some rows.

It works on the arrays of the slots themselves: a row says from which place its state is read, and
to which it is written. Nothing is allocated.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from stream_rnn.engine.kernels.emit import write
from stream_rnn.engine.kernels.integer_cells import write_copy, write_layer
from stream_rnn.engine.kernels.integer_draw import DRAWS
from stream_rnn.engine.kernels.integer_fields import (
    CELLS,
    DRAW,
    HEADS,
    OUTPUTS,
    STEP,
    Fields,
    record,
)
from stream_rnn.engine.kernels.integer_products import write_product
from stream_rnn.engine.kernels.paths import Path


def write_module(path: Path) -> ir.Module:
    """The code of a path: the function `advance`.

    It steps rows and draws of them: all that a batch takes, or those of its parts asked for. Its
    arguments: the fields of `integer_fields`; the parts; and rows, not more than there is room for.
    """
    module = ir.Module(f"integer {path.name}")
    copy, product = write_copy(module, path), write_product(module, path)
    layers = {cell: write_layer(module, path, cell, copy, product) for cell in CELLS}
    outputs = _write_outputs(module, path, product)
    sounding = _write_sounding(module)
    draws = {
        head: DRAWS[head](module, path, *([product] if head == "nade" else [])) for head in HEADS
    }

    @write(module, "advance", [[np.int64], np.int64, np.int64], outside=True)
    def advance(code, b, parts, rows):
        fields = Fields(code, b)
        count = fields.number("layers")
        both = fields.array("states_0", path.states), fields.array("states_1", path.states)
        if path.tiles:
            shapes = fields.array("tiles").pointer
            code.instruction("x86.ldtilecfg", ir.VoidType(), [shapes])
        with code.when(parts & STEP != 0):
            with code.when(fields.number("head") != 0):
                code.call(sounding, b, rows)
            with code.loop(count) as number:
                # From a layer to the next, what it reads and what it makes change places.
                states, following = code.swapped(number & 1 != 0, *both)
                for cell, layer in layers.items():
                    with code.when(fields.number("cell") == CELLS.index(cell)):
                        code.call(layer, b, number, rows, states, following)
            last = fields.array("reversed")
            last[0] = 1 - last[0]
        with code.when(parts & OUTPUTS != 0):
            states, _ = code.swapped(count & 1 != 0, *both)
            with code.when(parts & STEP == 0):
                with code.loop(rows) as m:
                    units = fields.number("units")
                    place = ((fields.array("after")[m] + 1) * count - 1) * units
                    code.call(
                        copy, fields.array("hidden").at(place), states,
                        fields.number("states_width"), m, 0, units,
                    )  # fmt: skip
            code.call(outputs, b, rows, states)
        with code.when(parts & DRAW != 0):
            for head, draw in draws.items():
                with code.when(fields.number("head") == HEADS.index(head)):
                    with code.loop(rows) as m:
                        code.call(draw, b, m)
        if path.tiles:
            code.instruction("x86.tilerelease", ir.VoidType(), [])

    return module


def _write_sounding(module):
    """Writes what lists the keys that sound in each row."""

    @write(module, "list_sounding", [[np.int64], np.int64])
    def sounding(code, b, rows):
        fields = Fields(code, b)
        symbols = fields.array("symbols_before")
        keys = fields.number("symbols")
        with code.loop(rows) as m:
            found, count = fields.array("sounding").at(m * (keys + 1)), code.variable(0, np.int64)
            with code.loop(keys) as key:
                with code.when(symbols[m * keys + key] != 0):
                    count.now = count.now + 1
                    found[count.now] = key
            found[0] = count.now

    return sounding


def _write_outputs(module, path, product):
    """Writes what makes outputs of the last layer's states, which it is given."""
    lanes = path.lanes

    @write(module, "outputs", [[np.int64], np.int64, [path.states]])
    def outputs(code, b, rows, states):
        fields = Fields(code, b)
        here = record(code, fields, fields.number("layers"))
        groups, sums = here.number("own_groups"), fields.array("sums")
        width, step = fields.number("states_width"), fields.number("sums_width")
        scales, bias = (here.array(name, np.float32) for name in ("own_scales", "bias"))
        with code.loop(here.number("own_blocks")) as j:
            code.call(
                product, rows, 1, groups, states, width,
                here.array("own_weights", np.int8).at(j * groups * (path.width * path.group)),
                here.array("own_starts", np.int32).at(j * path.width), sums, step,
            )  # fmt: skip
            with code.loop(rows) as m:
                to = fields.array("outputs").at(m * fields.number("outputs_width"))
                for v in range(path.vectors):
                    column = j * path.width + v * lanes
                    made = sums.vector(m * step + v * lanes, lanes)
                    made = made.astype(np.float32) * scales.vector(column, lanes)
                    to.put(column, made + bias.vector(column, lanes))

    return outputs
