"""The LSTM with multiplicative integration: its equations, and its hand-written gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from stream_rnn.nets.multiplicative import ALPHA, BETA, MultiplicativeLSTM


def make(layers: int, dropout: float = 0.0) -> MultiplicativeLSTM:
    torch.manual_seed(layers)
    lstm = MultiplicativeLSTM(5, 3, layers, dropout).double()
    for parameter in lstm.parameters():
        torch.nn.init.normal_(parameter)
    return lstm


def by_the_paper(lstm: MultiplicativeLSTM, inputs: Tensor, state: tuple[Tensor, Tensor]) -> Any:
    """Follows the paper's equations one by one; the inputs are `[rows, time, 5]`."""
    hidden, cell = list(state[0]), list(state[1])
    outputs = []
    for x in inputs.unbind(1):
        for n in range(lstm.layers):
            p = {k: v for k, v in lstm.named_parameters() if k.endswith(f"_l{n}")}
            wx, uh = x @ p[f"weight_ih_l{n}"].t(), hidden[n] @ p[f"weight_hh_l{n}"].t()
            gates = p[f"alpha_l{n}"] * wx * uh + p[f"beta_hh_l{n}"] * uh
            gates = gates + p[f"beta_ih_l{n}"] * wx + p[f"bias_l{n}"]
            i, f, g, o = gates.chunk(4, 1)
            cell[n] = f.sigmoid() * cell[n] + i.sigmoid() * g.tanh()
            x = hidden[n] = o.sigmoid() * cell[n].tanh()
        outputs.append(x)
    return torch.stack(outputs, 1), (torch.stack(hidden), torch.stack(cell))


def weighed(outputs: Tensor, after: tuple[Tensor, Tensor]) -> Tensor:
    """A weighted sum of all results, each with a different weight."""
    parts = [outputs, *after]
    weights = [torch.linspace(-1, 2, p.numel(), dtype=p.dtype).view_as(p) for p in parts]
    total = torch.stack([(p * w).sum() for p, w in zip(parts, weights, strict=True)])
    return total.sum()


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("time", [1, 7])
def test_it_is_what_the_paper_says_and_so_is_its_gradient(layers: int, time: int) -> None:
    lstm = make(layers)
    inputs = torch.randn(2, time, 5, dtype=torch.double, requires_grad=True)
    state = tuple(
        torch.randn(layers, 2, 3, dtype=torch.double, requires_grad=True) for _ in range(2)
    )
    assert len(state) == 2
    found = lstm(lstm.first(inputs, inputs[..., :0]), state)
    expected = by_the_paper(lstm, inputs, state)
    torch.testing.assert_close(found, expected)
    wanted = (inputs, *state, *lstm.parameters())
    slopes = torch.autograd.grad(weighed(*found), wanted)
    torch.testing.assert_close(slopes, torch.autograd.grad(weighed(*expected), wanted))


@pytest.mark.slow
def test_the_gradient_is_that_of_finite_differences() -> None:
    lstm = make(2)
    inputs = torch.randn(2, 4, 5, dtype=torch.double, requires_grad=True)
    state = torch.randn(2, 2, 2, 3, dtype=torch.double, requires_grad=True)

    def run(inputs: Tensor, state: Tensor, *parameters: Tensor) -> Tensor:
        # The parameters are changed in place.
        outputs, after = lstm(lstm.first(inputs, inputs[..., :0]), (state[0], state[1]))
        return torch.cat([outputs.flatten(), *(part.flatten() for part in after)])

    assert torch.autograd.gradcheck(run, (inputs, state, *lstm.parameters()))


def test_a_one_hot_input_is_a_row_of_a_table() -> None:
    lstm = make(1).float()
    symbols, extra = torch.tensor([[0, 2, 1]]), torch.rand(1, 1, 2)
    spelled = torch.nn.functional.one_hot(symbols, 3).float()
    torch.testing.assert_close(lstm.first(symbols, extra), lstm.first(spelled, extra))
    whole = torch.cat([spelled, extra.expand(-1, 3, -1)], 2)
    torch.testing.assert_close(lstm.first(symbols, extra), lstm.first(whole, whole[..., :0]))


def test_what_is_dropped_between_layers_is_dropped_in_training_only() -> None:
    lstm = make(2, dropout=0.5)
    inputs = torch.randn(2, 9, 5, dtype=torch.double)
    zeros = torch.zeros(2, 2, 3, dtype=torch.double)

    def run() -> Tensor:
        outputs: Tensor = lstm(lstm.first(inputs, inputs[..., :0]), (zeros, zeros))[0]
        return outputs

    assert not torch.equal(run(), run())
    lstm.eval()
    assert torch.equal(run(), run())
    torch.testing.assert_close(run(), by_the_paper(lstm, inputs, (zeros, zeros))[0])


def test_it_starts_as_in_the_paper() -> None:
    lstm = MultiplicativeLSTM(5, 3, 1, 0.0)
    values = {name: p.unique().tolist() for name, p in lstm.named_parameters() if p.ndim == 1}
    assert values == {
        "alpha_l0": [ALPHA],
        "beta_hh_l0": [BETA],
        "beta_ih_l0": [BETA],
        "bias_l0": [0.0],
    }
