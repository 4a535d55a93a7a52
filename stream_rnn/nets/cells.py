"""What a recurrent cell does with its gates, once the matrix products are done.

The training forward uses torch's fused kernels; stepping uses these functions. A test
holds the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor


def lstm_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """One LSTM update (Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000).

    Args:
        gates: `[rows, 4 * hidden]`, in torch's order: input, forget, candidate, output.
            Overwritten.
        cell: `[rows, hidden]`.

    Returns:
        The new hidden and cell state, `[rows, hidden]` each.
    """
    hidden = cell.shape[1]
    gates[:, : 2 * hidden].sigmoid_()
    gates[:, 3 * hidden :].sigmoid_()
    enter, forget, candidate, leave = torch.split(gates, hidden, dim=1)
    new_cell = torch.addcmul(forget * cell, enter, candidate.tanh_())
    return leave * torch.tanh(new_cell), new_cell
