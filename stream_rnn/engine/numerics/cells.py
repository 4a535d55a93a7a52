"""The recurrent cells in whole numbers: what becomes of the gates once the sums are made.

Gates are exponents (see `layout`): `2**gate` is what stands in the denominator of a logistic
function. So an LSTM's new cell is one fraction, and its new state another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

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

Gates = Sequence[Floats]
Update = Callable[[Gates, Gates, Floats, Sequence[Gates]], tuple[Floats, Floats]]
"""A step of a layer, `(inputs, own, cell, parameters) -> (state, cell)`, element by element.

    inputs: of each gate, `[rows, hidden]`: from below, with the bias.
    own: of each gate, `[rows, hidden]`: of the layer's own state, or of both.
    cell: `[rows, hidden]`; of no use to the cell that has none.
    parameters: each of each gate, `[hidden]`.
    state: `[rows, hidden]`, from -1 to 1, before it is rounded to 8 bits.

The compiled kernels do what stands here; see `functions`.
"""

_TWICE = np.float32(-2 * LOG2E)


def _lstm(
    inputs: Gates, own: Gates, cell: Floats, parameters: Sequence[Gates]
) -> tuple[Floats, Floats]:
    """Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000."""
    return _remember([b + a for a, b in zip(inputs, own, strict=True)], cell)


def _multiplicative_lstm(
    inputs: Gates, own: Gates, cell: Floats, parameters: Sequence[Gates]
) -> tuple[Floats, Floats]:
    """Wu et al. 2016 (arXiv 1606.06630)."""
    each = zip(inputs, own, *parameters, strict=True)
    gates = [(a * in_ + bias) + b * (a * alpha + own_) for a, b, alpha, own_, in_, bias in each]
    return _remember(gates, cell)


def _gru(
    inputs: Gates, own: Gates, cell: Floats, parameters: Sequence[Gates]
) -> tuple[Floats, Floats]:
    """Cho et al. 2014, in the form of torch. Its cell is its state, before it is rounded."""
    (biases,) = parameters
    reset, update, new = (b + bias for b, bias in zip(own, biases, strict=True))
    reset, update = chance(inputs[0] + reset), chance(inputs[1] + update)
    candidate = squashed(inputs[2] + reset * new)
    state = (cell - candidate) * update + candidate
    return state, state


def _plain(
    inputs: Gates, own: Gates, cell: Floats, parameters: Sequence[Gates]
) -> tuple[Floats, Floats]:
    """Elman 1990."""
    return squashed(own[0] + inputs[0]), cell


def _remember(gates: Gates, cell: Floats) -> tuple[Floats, Floats]:
    """An LSTM's state and cell from its gates, in torch's order."""
    enter, forget, candidate, leave = (exp2(bounded(gate)) for gate in gates)
    above, forget = (ONE + enter) * (ONE + candidate), ONE + forget
    cell = cast(Floats, (cell * above + (ONE - candidate) * forget) / (above * forget))
    power = exp2(bounded(cell * _TWICE))
    return cast(Floats, (ONE - power) / ((ONE + leave) * (ONE + power))), cell


UPDATES: dict[str, Update] = {
    "lstm": _lstm,
    "mi-lstm": _multiplicative_lstm,
    "gru": _gru,
    "tanh": _plain,
}
CELLED = ("lstm", "mi-lstm", "gru")
"""The cells that keep a float a unit beside the 8-bit state."""
