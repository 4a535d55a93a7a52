"""The cells of `numerics.cells`, on tensors of any device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from stream_rnn.engine.kernels.cuda_functions import bounded, chance, exp2, squashed
from stream_rnn.engine.numerics.functions import LOG2E

Update = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""A step of a layer; see `cells.Update`."""

_TWICE = float(np.float32(-2 * LOG2E))


def _lstm(inputs: Tensor, own: Tensor, cell: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    return _remember(own + inputs, cell)


def _multiplicative_lstm(
    inputs: Tensor, own: Tensor, cell: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor]:
    alpha, beta_own, beta_inputs, bias = parameters
    return _remember((inputs * beta_inputs + bias) + own * (inputs * alpha + beta_own), cell)


def _gru(inputs: Tensor, own: Tensor, cell: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    units = cell.shape[1]
    own = own + parameters[0]
    gates = chance(inputs[:, : 2 * units] + own[:, : 2 * units])
    reset, update = gates[:, :units], gates[:, units:]
    candidate = squashed(inputs[:, 2 * units :] + reset * own[:, 2 * units :])
    state = (cell - candidate) * update + candidate
    return state, state


def _plain(inputs: Tensor, own: Tensor, cell: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    return squashed(own + inputs), cell


def _remember(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    enter, forget, candidate, leave = exp2(bounded(gates)).chunk(4, 1)
    above, forget = (1.0 + enter) * (1.0 + candidate), 1.0 + forget
    cell = (cell * above + (1.0 - candidate) * forget) / (above * forget)
    power = exp2(bounded(cell * _TWICE))
    return (1.0 - power) / ((1.0 + leave) * (1.0 + power)), cell


UPDATES: dict[str, Update] = {
    "lstm": _lstm,
    "mi-lstm": _multiplicative_lstm,
    "gru": _gru,
    "tanh": _plain,
}
