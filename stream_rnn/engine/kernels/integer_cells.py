# mypy: ignore-errors
# LLVM's builder has no types.
"""A layer: its products and its cell, a span of units after the other.

A span is as many blocks of columns as hold all gates of some units; so sums are used while they
are in the fastest memory. The columns of all that has gates are in that order: of each `together`
units, one gate after the other.
"""

from __future__ import annotations

import numpy as np

from stream_rnn.engine.kernels.emit import write
from stream_rnn.engine.kernels.integer_fields import AHEAD, Fields, record
from stream_rnn.engine.kernels.integer_packing import GATES, span_of
from stream_rnn.engine.kernels.integer_products import States
from stream_rnn.engine.numerics.cells import CELLED, UPDATES
from stream_rnn.engine.numerics.functions import eight_bits

PARAMETERS = {"lstm": 0, "mi-lstm": 4, "gru": 1, "tanh": 0}
APART = ("mi-lstm", "gru")  # whose sums from below and of their own state are not one sum


def write_layer(module, path, cell, copy, product):
    """Writes what steps some rows in one layer.

    Its arguments: the fields; the layer; rows; the states that the products take, and those that
    they take in the next layer, where the new states go, too.
    """
    span, apart = span_of(cell, path), cell in APART
    updates = {
        kind: _write_update(module, path, cell, kind) for kind in ("symbols", "keys", "above")
    }

    @write(
        module, f"layer_{cell}",
        [[np.int64], np.int64, np.int64, [path.states], [path.states]],
    )  # fmt: skip
    def layer(code, b, number, rows, states, following):
        fields = Fields(code, b)
        here = record(code, fields, number)
        width, units = fields.number("states_width"), fields.number("units")
        # In layers above the first, the state below is there already.
        start = code.where(number == 0, 0, fields.number("own_at"))
        hidden, step = fields.array("hidden").at(number * units), fields.number("layers") * units
        with code.loop(rows) as m:
            code.call(copy, hidden.at(fields.array("at")[m] * step), states, width, m, start, units)

        def multiply(which, span_index, first, sums):
            groups, block = here.number(f"{which}_groups"), span_index * span.blocks
            code.call(
                product, rows, span.blocks, groups, States(path, states, width).at(0, first), width,
                here.array(f"{which}_weights", np.int8).at(
                    block * groups * (path.width * path.group)),
                here.array(f"{which}_starts", np.int32).at(block * path.width),
                fields.array(sums), fields.number("sums_width"),
            )  # fmt: skip

        def update(kind, index):
            code.call(updates[kind], b, number, index, rows, following)

        spans = here.number("own_blocks") / span.blocks
        backwards = fields.array("reversed")[0] != 0
        with code.loop(spans) as counted:
            index = code.where(backwards, spans - 1 - counted, counted)
            multiply("own", index, start if apart else 0, "sums")
            with code.when_else(number == 0) as (first, above):
                with first:
                    with code.when_else(fields.number("head") == 0) as (one, several):
                        with one:
                            update("symbols", index)
                        with several:
                            update("keys", index)
                with above:
                    if apart:
                        multiply("below", index, 0, "below")
                    update("above", index)

    return layer


def _write_update(module, path, cell, kind):
    """Writes what makes new states of the sums of a span.

    Args:
        kind: what comes to the layer: "symbols" or "keys", or "above" for a layer above the first.
    """
    lanes, span, gates = path.together, span_of(cell, path), range(GATES[cell])

    @write(
        module, f"update_{cell}_{kind}",
        [[np.int64], np.int64, np.int64, np.int64, [path.states]],
    )  # fmt: skip
    def update(code, b, number, index, rows, following):
        fields = Fields(code, b)
        here = record(code, fields, number)
        units, columns = fields.number("units"), fields.number("columns")
        next_states = States(path, following, fields.number("states_width"))

        def by_gate(array, start):
            return [array.vector(start + g * lanes, lanes) for g in gates]

        def scaled(sums, start, scales):
            found = by_gate(sums, start)
            return [x.astype(np.float32) * scale for x, scale in zip(found, scales, strict=True)]

        def step(group, unit, mask):
            """Of `lanes` units, all rows."""
            column, here_unit = unit * len(gates), number * units + unit
            hidden, memories = fields.array("hidden"), fields.array("memory")
            of_place = fields.number("layers") * units
            scales = by_gate(here.array("own_scales", np.float32), column)
            if kind == "above":
                bias = by_gate(here.array("bias", np.float32), column)
                if cell in APART:
                    below_scales = by_gate(here.array("below_scales", np.float32), column)
            all_parameters = here.array("parameters", np.float32)
            parameters = [
                by_gate(all_parameters, columns * p + column) for p in range(PARAMETERS[cell])
            ]
            with code.loop(rows) as m:
                if cell in CELLED:  # a later row's lie anywhere, and come from afar
                    later = fields.array("at")[m + AHEAD] * of_place
                    code.prefetch(memories.at(later + here_unit), lanes)
                if kind == "symbols":
                    later = fields.array("symbols_before")[m + AHEAD] * columns
                    code.prefetch(fields.array("table").at(later + column), lanes * len(gates))
                start = m * fields.number("sums_width") + group * (len(gates) * lanes)
                own = scaled(fields.array("sums"), start, scales)
                if kind != "above":
                    inputs = _first_inputs(code, fields, kind, m, column, lanes, gates)
                    slot = fields.array("slots")[m]
                    constants = fields.array("constant").at(slot * fields.number("constant_step"))
                    for g in gates:
                        constant = constants.vector(units * g + unit, lanes, mask)
                        inputs[g] = inputs[g] + constant
                elif cell in APART:
                    below = scaled(fields.array("below"), start, below_scales)
                    inputs = [x + y for x, y in zip(below, bias, strict=True)]
                else:
                    inputs = bias
                before, place = None, fields.array("after")[m]
                if cell in CELLED:
                    source = fields.array("at")[m] * of_place
                    before = memories.vector(source + here_unit, lanes, mask)
                state, memory = UPDATES[cell](inputs, own, before, parameters)
                if cell in CELLED:
                    memories.put(place * of_place + here_unit, memory, mask)
                small = eight_bits(state)
                hidden.put(place * of_place + here_unit, small, mask)
                next_states.put(m, unit, small)

        with code.loop(span.groups) as group:
            unit = (index * span.groups + group) * lanes
            with code.when_else(unit + lanes <= units) as (whole, part):
                with whole:
                    step(group, unit, None)
                with part:
                    with code.when(unit < units):
                        step(group, unit, code.places(lanes) < units - unit)

    return update


def _first_inputs(code, fields, kind, m, column, lanes, gates):
    """The rows of the table that are looked up for a row, of each gate."""
    table, columns = fields.array("table"), fields.number("columns")
    if kind == "symbols":
        row = table.at(fields.array("symbols_before")[m] * columns + column)
        return [row.vector(g * lanes, lanes) for g in gates]
    totals = [code.variable(0, np.float32, lanes) for _ in gates]
    sounding = fields.array("sounding").at(m * (fields.number("symbols") + 1))
    with code.loop(sounding[0]) as key:
        row = table.at(sounding[key + 1] * columns + column)
        for g in gates:
            totals[g].now = totals[g].now + row.vector(g * lanes, lanes)
    return [total.now for total in totals]


def write_copy(module, path):
    """Writes what copies states to where products take them.

    Its arguments: from where; to which rows' states, and how many a row has; the row; the first
    state there; and how many.
    """
    lanes = 16

    @write(module, "copy", [[np.uint8], [path.states], *[np.int64] * 4])
    def copy(code, source, to, width, m, start, count):
        states, whole = States(path, to, width), count - (count & (lanes - 1))
        with code.loop(whole, step=lanes) as i:
            states.put(m, start + i, source.vector(i, lanes))
        with code.loop(count, start=whole) as i:
            states.put(m, start + i, source[i])

    return copy
