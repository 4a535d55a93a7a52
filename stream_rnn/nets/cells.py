"""The recurrent cells as a step uses them: from the gates' sums to the new state.

Training runs whole sequences through other code (`network.py`, `multiplicative.py`). A test
checks, for each cell, that the two agree.

The hyperbolic tangent is computed with the logistic function, `tanh(x) = 2 * logistic(2 * x) - 1`,
to within 1e-7. On a CPU this is four times as fast. Also, torch leaves `tanh` to a vector library
which does not promise that an element gives the same result in another place. Torch's logistic
function does treat every element alike, if a row is a whole number of vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from stream_rnn.nets.architecture import GATES

Update = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""A step of a layer, `(inputs, recurrent, hidden, cell, parameters) -> (hidden, cell)`.

    inputs: `[rows, gates * hidden]`, the product with the inputs from below, plus a bias.
        Overwritten.
    recurrent: `[rows, gates * hidden]`, the product with the hidden state. Overwritten.
    hidden, cell: `[rows, hidden]`, the state; `cell` is `[rows, 0]` for cells without one.
    parameters: `[parameters, gates * hidden]`.
"""


@dataclass(frozen=True)
class Cell:
    """A kind of recurrent cell.

    Attributes:
        gates: the number of sums that each unit takes.
        remembers: whether there is a cell state beside the hidden state.
        parameters: numbers for each sum, apart from weights and a bias.
        update: computes one step.
    """

    gates: int
    remembers: bool
    parameters: int
    update: Update


def _lstm(
    inputs: Tensor, recurrent: Tensor, hidden: Tensor, cell: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor]:
    """Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000.

    The gates are in torch's order: input, forget, candidate, output.
    """
    return _remember(inputs.add_(recurrent), cell)


def _multiplicative_lstm(
    inputs: Tensor, recurrent: Tensor, hidden: Tensor, cell: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor]:
    """An LSTM whose gates also multiply their two sums (Wu et al. 2016, arXiv 1606.06630).

    Parameters: alpha, the factor of the two sums' product; beta of the recurrent sum; beta of the
    inputs' sum; and the bias.
    """
    alpha, beta_recurrent, beta_inputs, bias = parameters
    slope = (inputs * alpha).add_(beta_recurrent)
    return _remember(inputs.mul_(beta_inputs).add_(bias).add_(recurrent.mul_(slope)), cell)


def _gru(
    inputs: Tensor, recurrent: Tensor, hidden: Tensor, cell: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor]:
    """Cho et al. 2014, in torch's form: the reset gate is applied after the recurrent product.

    The gates are in torch's order: reset, update, candidate. Parameters: the bias of the
    recurrent sums.
    """
    rows, width = hidden.shape
    recurrent += parameters[0]
    reset, update = inputs[:, : 2 * width].add_(recurrent[:, : 2 * width]).sigmoid_().view(
        rows, 2, width
    ).unbind(1)  # fmt: skip
    candidate = _tanh(inputs[:, 2 * width :].add_(recurrent[:, 2 * width :].mul_(reset)))
    return (hidden - candidate).mul_(update).add_(candidate), cell


def _plain(
    inputs: Tensor, recurrent: Tensor, hidden: Tensor, cell: Tensor, parameters: Tensor
) -> tuple[Tensor, Tensor]:
    """Elman 1990."""
    return _tanh(inputs.add_(recurrent)), cell


def _remember(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """An LSTM's hidden and cell state from its gates, `[rows, 4 * hidden]`."""
    enter, forget, candidate, leave = gates.view(gates.shape[0], 4, -1).unbind(1)
    candidate.add_(candidate)
    gates.sigmoid_()
    new_cell = _times_tanh(enter, candidate).add_(forget.mul_(cell))
    return _times_tanh(leave, (new_cell + new_cell).sigmoid_()), new_cell


def _times_tanh(factor: Tensor, logistic: Tensor) -> Tensor:
    """`factor * tanh(x)`, where `logistic` is that of `2 * x`."""
    product = factor * logistic
    return product.add_(product).sub_(factor)


def _tanh(x: Tensor) -> Tensor:
    return (x + x).sigmoid_().mul_(2).sub_(1)


CELLS: Mapping[str, Cell] = {
    "lstm": Cell(GATES["lstm"], True, 0, _lstm),
    "mi-lstm": Cell(GATES["mi-lstm"], True, 4, _multiplicative_lstm),
    "gru": Cell(GATES["gru"], False, 1, _gru),
    "tanh": Cell(GATES["tanh"], False, 0, _plain),
}
