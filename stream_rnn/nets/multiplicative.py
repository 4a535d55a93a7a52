"""Runs whole sequences through LSTM layers with multiplicative integration, for training.

From Wu, Zhang, Zhang, Bengio and Salakhutdinov 2016 (arXiv 1606.06630), appendix A: each gate is
`alpha * Wx * Uh + beta_h * Uh + beta_x * Wx + b`, with elementwise products. `Wx` is computed
for the whole sequence at once; only `Uh` has to wait for the step before. The gradient is written
out by hand. So the weights' gradient, too, is one product for the whole sequence, and elementwise
operations are done while their values are in the cache.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

# The initial values of public implementations; Caffe2's MILSTMCell has 1 throughout. Those of the
# paper's own experiments could not be found.
ALPHA, BETA = 1.0, 0.5
PARAMETERS = ("alpha", "beta_hh", "beta_ih", "bias")


class MultiplicativeLSTM(nn.Module):
    """Stacked layers. The parameters are named as in `nn.LSTM`.

    Args:
        inputs: the number of inputs of the first layer.
        hidden: units in a layer.
        layers: the number of layers.
        dropout: share of units dropped between layers.
        weight_drop: share of recurrent weights dropped.
    """

    def __init__(
        self, inputs: int, hidden: int, layers: int, dropout: float, weight_drop: float = 0.0
    ) -> None:
        super().__init__()
        self.hidden, self.layers, self.dropout = hidden, layers, dropout
        self.weight_drop = weight_drop
        for layer in range(layers):
            below = hidden if layer else inputs
            made = {
                "weight_ih": torch.empty(4 * hidden, below),
                "weight_hh": torch.empty(4 * hidden, hidden),
                "alpha": torch.empty(4 * hidden),
                "beta_hh": torch.empty(4 * hidden),
                "beta_ih": torch.empty(4 * hidden),
                "bias": torch.empty(4 * hidden),
            }
            for name, value in made.items():
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(value))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Starts the parameters anew, as the method of `nn.LSTM` does."""
        bound = 1 / math.sqrt(self.hidden)
        starts = {"alpha": ALPHA, "beta_hh": BETA, "beta_ih": BETA, "bias": 0.0}
        for name, parameter in self.named_parameters():
            if (value := starts.get(name.rpartition("_l")[0])) is None:
                nn.init.uniform_(parameter, -bound, bound)
            else:
                nn.init.constant_(parameter, value)

    def first(self, symbols: Tensor, extra: Tensor) -> Tensor:
        """The first layer's product with its inputs.

        Args:
            symbols: `[..., symbols]` floats, or `[...]` indices, for which the product is a row
                of a table.
            extra: the artist blend, `[..., artists]`; its time may be 1 for all steps.

        Returns:
            `[..., 4 * hidden]`.
        """
        weight = self.get_parameter("weight_ih_l0")
        count = weight.shape[1] - extra.shape[-1]
        if symbols.dtype == torch.int64:
            product = functional.embedding(symbols, weight[:, :count].t())
        else:
            product = functional.linear(symbols, weight[:, :count])
        if extra.shape[-1]:
            product = product + functional.linear(extra, weight[:, count:])
        return product

    def forward(self, first: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        """Runs a stretch of a sequence.

        Args:
            first: `[rows, time, 4 * hidden]`, from `first`.
            state: hidden and cell, `[layers, rows, hidden]` each.

        Returns:
            The last layer's outputs, `[rows, time, hidden]`, and the new state.
        """
        product = first.transpose(0, 1)  # time first, so that each step is contiguous
        hidden: list[Tensor] = []
        cell: list[Tensor] = []
        outputs = product
        for layer in range(self.layers):
            if layer:
                dropped = functional.dropout(outputs, self.dropout, self.training)
                product = functional.linear(dropped, self.get_parameter(f"weight_ih_l{layer}"))
            weight = self.get_parameter(f"weight_hh_l{layer}")
            outputs, last = _Sequence.apply(  # type: ignore[no-untyped-call]
                product,
                *(self.get_parameter(f"{name}_l{layer}") for name in PARAMETERS),
                functional.dropout(weight, self.weight_drop, self.training),
                state[0][layer],
                state[1][layer],
            )
            hidden.append(outputs[-1])
            cell.append(last)
        return outputs.transpose(0, 1), (torch.stack(hidden), torch.stack(cell))


class _Sequence(torch.autograd.Function):
    """One layer's loop over time, and its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        below: Tensor,
        alpha: Tensor,
        beta_hh: Tensor,
        beta_ih: Tensor,
        bias: Tensor,
        weight: Tensor,
        hidden: Tensor,
        cell: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Runs a layer.

        Args:
            below: `[time, rows, 4 * hidden]`, the product with the inputs.
            alpha, beta_hh, beta_ih, bias: `[4 * hidden]` each.
            weight: `[4 * hidden, hidden]`.
            hidden, cell: the state, `[rows, hidden]` each.

        Returns:
            The hidden states of all steps, `[time, rows, hidden]`, and the last cell state.
        """
        time, rows, _ = below.shape
        width = hidden.shape[1]
        products = below.new_empty(below.shape)
        gates = below.new_empty(below.shape)
        hiddens = below.new_empty(time + 1, rows, width)
        cells = below.new_empty(time + 1, rows, width)
        squashed = below.new_empty(time, rows, width)
        hiddens[0], cells[0] = hidden, cell
        turned = weight.t().contiguous()  # [hidden, 4 * hidden]
        for t in range(time):
            torch.mm(hiddens[t], turned, out=products[t])
            slope = torch.addcmul(beta_hh, alpha, below[t])
            torch.addcmul(bias, beta_ih, below[t], out=gates[t]).addcmul_(slope, products[t])
            enter, forget, candidate, leave = gates[t].view(rows, 4, width).unbind(1)
            # tanh(x) = 2 * logistic(2 * x) - 1: the same function for all gates, and faster.
            candidate += candidate
            gates[t].sigmoid_()
            candidate.mul_(2).sub_(1)
            torch.mul(forget, cells[t], out=cells[t + 1]).addcmul_(enter, candidate)
            torch.add(cells[t + 1], cells[t + 1], out=squashed[t]).sigmoid_().mul_(2).sub_(1)
            torch.mul(leave, squashed[t], out=hiddens[t + 1])
        ctx.save_for_backward(
            below, alpha, beta_hh, beta_ih, weight, products, gates, hiddens, cells, squashed
        )
        return hiddens[1:].clone(), cells[time].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hiddens: Tensor, d_last: Tensor) -> tuple[Tensor, ...]:
        below, alpha, beta_hh, beta_ih, weight, *kept = ctx.saved_tensors
        products, gates, hiddens, cells, squashed = kept
        time, rows, width = squashed.shape
        d_below, d_products = torch.empty_like(gates), torch.empty_like(gates)
        d_hidden, d_cell = torch.zeros_like(hiddens[0]), d_last.clone()
        d_alpha, d_beta_hh, d_beta_ih, d_bias = gates.new_zeros(4, rows, 4 * width).unbind(0)
        d_gates, steep, slope = gates.new_empty(3, rows, 4 * width).unbind(0)
        d_enter, d_forget, d_candidate, d_leave = d_gates.view(rows, 4, width).unbind(1)
        for t in range(time - 1, -1, -1):
            enter, forget, candidate, leave = gates[t].view(rows, 4, width).unbind(1)
            d_hidden += d_hiddens[t]
            torch.mul(d_hidden, squashed[t], out=d_leave)
            # At a value y, tanh has the slope 1 - y ** 2, and the logistic function y - y ** 2.
            d_hidden.mul_(leave)
            d_cell.add_(d_hidden).addcmul_(d_hidden.mul_(squashed[t]), squashed[t], value=-1)
            torch.mul(d_cell, candidate, out=d_enter)
            torch.mul(d_cell, cells[t], out=d_forget)
            torch.mul(d_cell, enter, out=d_candidate)
            d_cell.mul_(forget)
            torch.addcmul(gates[t], gates[t], gates[t], value=-1, out=steep)
            steep_candidate = steep[:, 2 * width : 3 * width]
            torch.mul(candidate, candidate, out=steep_candidate).neg_().add_(1)
            d_gates.mul_(steep)
            # gates = alpha * below * products + beta_hh * products + beta_ih * below + bias
            torch.addcmul(beta_hh, alpha, below[t], out=slope)
            torch.mul(d_gates, slope, out=d_products[t])
            torch.addcmul(beta_ih, alpha, products[t], out=slope)
            torch.mul(d_gates, slope, out=d_below[t])
            torch.mm(d_products[t], weight, out=d_hidden)
            d_bias.add_(d_gates)
            d_beta_hh.addcmul_(d_gates, products[t])
            d_gates.mul_(below[t])
            d_beta_ih.add_(d_gates)
            d_alpha.addcmul_(d_gates, products[t])
        d_weight = d_products.flatten(0, 1).t() @ hiddens[:-1].flatten(0, 1)
        sums = (d.sum(0) for d in (d_alpha, d_beta_hh, d_beta_ih, d_bias))
        return d_below, *sums, d_weight, d_hidden, d_cell
