# mypy: ignore-errors
# Numba has no types.
"""The cells of `numerics.cells`, compiled: one row of a layer, from its sums to its new state.

Arguments of all: `sums`, int32 `[gates]`, and `scale`, what they are worth; `inputs`, float32
`[gates]`; `parameters`, flat; the row's cell before and after, and its new hidden state, `[units]`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from stream_rnn.engine.kernels.compiling import OPTIONS
from stream_rnn.engine.kernels.integer_functions import (
    bounded,
    chance,
    eight_bits,
    exp2,
    squashed,
)
from stream_rnn.engine.numerics.functions import LOG2E, ONE

LSTM, MI_LSTM, GRU, TANH = range(4)
CELLS = {"lstm": LSTM, "mi-lstm": MI_LSTM, "gru": GRU, "tanh": TANH}
_TWICE = np.float32(-2 * LOG2E)


@njit(**OPTIONS)
def update(kind, sums, scale, inputs, parameters, before, after, hidden):
    """One row of any cell."""
    if kind == LSTM:
        _lstm(sums, scale, inputs, before, after, hidden)
    elif kind == MI_LSTM:
        _multiplicative(sums, scale, inputs, parameters)
        _remember(inputs, before, after, hidden)
    elif kind == GRU:
        _gru(sums, scale, inputs, parameters, before, after, hidden)
    else:
        for j in range(hidden.shape[0]):
            own = np.float32(sums[j]) * scale[j]
            hidden[j] = eight_bits(squashed(own + inputs[j]))


@njit(forceinline=True, error_model="numpy")
def _cell(enter, forget, candidate, c):
    above, forgets = (ONE + enter) * (ONE + candidate), ONE + forget
    return (c * above + (ONE - candidate) * forgets) / (above * forgets)


@njit(forceinline=True, error_model="numpy")
def _state(leave, c):
    power = exp2(bounded(c * _TWICE))
    return eight_bits((ONE - power) / ((ONE + leave) * (ONE + power)))


@njit(**OPTIONS)
def _lstm(sums, scale, inputs, before, after, hidden):
    # Two loops: in one, each turn waits so long for its own numbers that the next begin too late.
    units = hidden.shape[0]
    for j in range(units):
        i, f, a = j, units + j, 2 * units + j
        enter = exp2(bounded(np.float32(sums[i]) * scale[i] + inputs[i]))
        forget = exp2(bounded(np.float32(sums[f]) * scale[f] + inputs[f]))
        candidate = exp2(bounded(np.float32(sums[a]) * scale[a] + inputs[a]))
        after[j] = _cell(enter, forget, candidate, before[j])
    for j in range(units):
        o = 3 * units + j
        leave = exp2(bounded(np.float32(sums[o]) * scale[o] + inputs[o]))
        hidden[j] = _state(leave, after[j])


@njit(**OPTIONS)
def _multiplicative(sums, scale, inputs, parameters):
    """The gates, in the place of the inputs."""
    gates = inputs.shape[0]
    alpha, beta_own = parameters[:gates], parameters[gates : 2 * gates]
    beta_inputs, bias = parameters[2 * gates : 3 * gates], parameters[3 * gates :]
    for j in range(gates):
        x, own = inputs[j], np.float32(sums[j]) * scale[j]
        inputs[j] = (x * beta_inputs[j] + bias[j]) + own * (x * alpha[j] + beta_own[j])


@njit(**OPTIONS)
def _remember(gates, before, after, hidden):
    units = hidden.shape[0]
    for j in range(units):
        enter, forget = exp2(bounded(gates[j])), exp2(bounded(gates[units + j]))
        candidate = exp2(bounded(gates[2 * units + j]))
        after[j] = _cell(enter, forget, candidate, before[j])
    for j in range(units):
        hidden[j] = _state(exp2(bounded(gates[3 * units + j])), after[j])


@njit(**OPTIONS)
def _gru(sums, scale, inputs, bias, before, after, hidden):
    units = hidden.shape[0]
    for j in range(units):
        r, z, n = j, units + j, 2 * units + j
        reset = chance(inputs[r] + (np.float32(sums[r]) * scale[r] + bias[r]))
        keep = chance(inputs[z] + (np.float32(sums[z]) * scale[z] + bias[z]))
        own = np.float32(sums[n]) * scale[n] + bias[n]
        candidate = squashed(inputs[n] + reset * own)
        c = (before[j] - candidate) * keep + candidate
        after[j] = c
        hidden[j] = eight_bits(c)
