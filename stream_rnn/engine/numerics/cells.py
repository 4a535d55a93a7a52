"""The recurrent cells in whole numbers: what becomes of the gates once the sums are made.

Gates are exponents (see `layout`): `2**gate` is what stands in the denominator of a logistic
function. So an LSTM's new cell is one fraction, and its new state another.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stream_rnn.engine.numerics.functions import (
    LOG2E,
    ONE,
    Floats,
    bounded,
    chance,
    exp2,
    squashed,
)

Update = Callable[[Floats, Floats, Floats, Floats], tuple[Floats, Floats]]
"""A step of a layer, `(inputs, own, cell, parameters) -> (state, cell)`.

    inputs: `[rows, gates * hidden]`: from below, with the bias.
    own: `[rows, gates * hidden]`: of the layer's own state, or of both.
    cell: `[rows, hidden]`, or `[rows, 0]` for the cell that has none.
    parameters: `[parameters, gates * hidden]`.
    state: `[rows, hidden]`, from -1 to 1, before it is rounded to 8 bits.
"""

_TWICE = np.float32(-2 * LOG2E)


def _lstm(inputs: Floats, own: Floats, cell: Floats, parameters: Floats) -> tuple[Floats, Floats]:
    """Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000."""
    return _remember(own + inputs, cell)


def _multiplicative_lstm(
    inputs: Floats, own: Floats, cell: Floats, parameters: Floats
) -> tuple[Floats, Floats]:
    """Wu et al. 2016 (arXiv 1606.06630)."""
    alpha, beta_own, beta_inputs, bias = parameters
    return _remember((inputs * beta_inputs + bias) + own * (inputs * alpha + beta_own), cell)


def _gru(inputs: Floats, own: Floats, cell: Floats, parameters: Floats) -> tuple[Floats, Floats]:
    """Cho et al. 2014, in the form of torch. Its cell is its state, before it is rounded."""
    units = cell.shape[1]
    own = own + parameters[0]
    gates = chance(inputs[:, : 2 * units] + own[:, : 2 * units])
    reset, update = gates[:, :units], gates[:, units:]
    candidate = squashed(inputs[:, 2 * units :] + reset * own[:, 2 * units :])
    state = (cell - candidate) * update + candidate
    return state, state


def _plain(inputs: Floats, own: Floats, cell: Floats, parameters: Floats) -> tuple[Floats, Floats]:
    """Elman 1990."""
    return squashed(own + inputs), cell


def _remember(gates: Floats, cell: Floats) -> tuple[Floats, Floats]:
    """An LSTM's state and cell from its gates, in torch's order, `[rows, 4 * hidden]`."""
    units = cell.shape[1]
    powers = exp2(bounded(gates))
    enter, forget, candidate, leave = (powers[:, i * units : (i + 1) * units] for i in range(4))
    above, forget = (ONE + enter) * (ONE + candidate), ONE + forget
    cell = np.asarray((cell * above + (ONE - candidate) * forget) / (above * forget), np.float32)
    power = exp2(bounded(cell * _TWICE))
    return np.asarray((ONE - power) / ((ONE + leave) * (ONE + power)), np.float32), cell


UPDATES: dict[str, Update] = {
    "lstm": _lstm,
    "mi-lstm": _multiplicative_lstm,
    "gru": _gru,
    "tanh": _plain,
}
CELLED = ("lstm", "mi-lstm", "gru")
"""The cells that keep a float a unit beside the 8-bit state."""
