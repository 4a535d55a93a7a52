"""The exact kernel: its sums are those of integers, and its steps those of the network."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from support import assert_groups_alike
from torch import Tensor

from stream_rnn.engine.kernels.exact import BUDGET, HIDDEN_BITS, LANES, ExactKernel, ExactProduct
from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.heads import Kind
from stream_rnn.nets.network import Architecture, RecurrentNetwork, State

ROWS, TIME = 3, 40

# The error that rounding weights and hidden states to 8 to 11 bits may cause in a logit or a
# hidden unit of the networks below.
TOLERANCE = 0.02


def make_network(
    head: Kind, layers: int, artists: int, *, hidden: int = 24, cell: str = "lstm"
) -> RecurrentNetwork:
    torch.manual_seed(layers)
    symbols = 11 if head == "categorical" else 88
    units = 40 if head == "nade" else 0
    architecture = Architecture(symbols, artists, hidden, layers, head, cell, head_hidden=units)
    network = RecurrentNetwork(architecture)
    for name, parameter in network.named_parameters():
        if "bias" in name or "alpha" in name or "beta" in name:
            torch.nn.init.normal_(parameter)  # so that leaving out a bias would show
    return network.eval()


def make_stream(network: RecurrentNetwork) -> tuple[Tensor, Tensor]:
    """Symbols `[rows, time]` and blends `[rows, artists]`."""
    a = network.architecture
    symbols = torch.randint(a.symbols, (ROWS, TIME))
    if a.keys:
        symbols = (torch.rand(ROWS, TIME, a.symbols) < 0.1).float()
    return symbols, torch.rand(ROWS, a.artists).softmax(1) if a.artists else torch.zeros(ROWS, 0)


every_network = pytest.mark.parametrize(
    ("head", "layers", "artists"),
    [
        ("categorical", 1, 4),
        ("categorical", 2, 4),
        ("categorical", 1, 0),
        ("bernoulli", 1, 0),
        ("bernoulli", 3, 3),
        ("nade", 1, 2),
    ],
)


every_cell = pytest.mark.parametrize("cell", CELLS)


@every_network
@every_cell
@torch.no_grad()
def test_stepping_symbol_by_symbol_is_the_whole_sequence(
    head: Kind, layers: int, artists: int, cell: str
) -> None:
    network = make_network(head, layers, artists, cell=cell)
    symbols, blends = make_stream(network)
    expected, final = network(symbols, blends, network.zero_state(ROWS))
    kernel = ExactKernel(network)
    assert kernel.width == LANES
    state = kernel.zero_state(ROWS)
    biases = torch.stack([kernel.artist_bias(blend) for blend in blends])
    for time in range(TIME):
        state = kernel.step(symbols[:, time], biases, state)
        logits = kernel.logits(state.hidden[-1])
        torch.testing.assert_close(logits, expected[:, time], atol=TOLERANCE, rtol=0)
    for part, whole in zip(state, final, strict=True):
        torch.testing.assert_close(part[..., :24], whole, atol=TOLERANCE, rtol=0)
        assert not part[..., 24:].any(), "the padding stays at 0"


@every_cell
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("head", ["categorical", "bernoulli", "nade"])
@torch.no_grad()
def test_a_step_of_any_cell_gives_the_same_bits_in_any_group(
    head: str, layers: int, cell: str
) -> None:
    assert_groups_alike(make_network(cast(Kind, head), layers, 2, hidden=50, cell=cell))


def integers(product: ExactProduct) -> Tensor:
    """A product's weights in units, `[inputs, outputs]`."""
    whole = product.weight.double() / product.unit
    assert torch.equal(whole, whole.round())
    return whole.long()


@pytest.mark.parametrize("inputs", [1, 7, 512, 3000])
@pytest.mark.parametrize("bits", [0, HIDDEN_BITS])
def test_no_sum_can_pass_what_a_float_holds_and_weights_are_as_fine_as_that_allows(
    inputs: int, bits: int
) -> None:
    weight = torch.randn(inputs, 40, dtype=torch.float64) * torch.logspace(-8, 4, 40)
    weight[:, 3] = 0
    weight[:, 4] = weight[:, 4].sign()  # as far from a normal distribution as possible
    weight[:, 5] = torch.arange(inputs) == 0
    product = ExactProduct(weight, bits=bits)
    sums = integers(product).abs().sum(0) << bits
    assert (sums <= BUDGET).all()
    used = sums[torch.arange(40) != 3]
    assert (used > BUDGET // 2 * 0.9).all(), "twice as fine a unit would have been possible"
    assert not sums[3]
    off = (product.weight.double() - weight).abs()
    assert (off <= product.unit / 2).all()


@pytest.mark.parametrize("rows", [1, 2, 5, 33])
def test_sums_are_those_of_integers(rows: int) -> None:
    """In every bit, although they reach the largest integer that a float32 holds exactly."""
    torch.manual_seed(rows)
    weight = torch.randn(90, 700).t()
    weight[:, 1] = 0.3  # with inputs of 1, all terms have one sign: the largest possible sum
    product = ExactProduct(weight, bits=HIDDEN_BITS)
    assert product.weight.is_contiguous(), "a transposed weight takes twice as long"
    hidden = torch.randint(-(1 << HIDDEN_BITS), (1 << HIDDEN_BITS) + 1, (rows, 700))
    hidden[0] = 1 << HIDDEN_BITS
    expected = hidden @ integers(product)
    found = product(hidden.float() / (1 << HIDDEN_BITS)).double() / product.unit
    assert torch.equal((found * (1 << HIDDEN_BITS)).long(), expected)
    assert expected[0, 1] > BUDGET // 2 * 0.9


def test_floats_that_are_not_rounded_do_depend_on_the_order() -> None:
    """Otherwise the tests above would prove nothing."""
    torch.manual_seed(1)
    weight, hidden = torch.randn(512, 64), torch.randn(64, 512).tanh()
    order = torch.randperm(512)
    assert not torch.equal(hidden @ weight, hidden[:, order] @ weight[order])
    product = ExactProduct(weight, bits=HIDDEN_BITS)
    hidden = (hidden * 256).round() / 256
    assert torch.equal(product(hidden), hidden[:, order] @ product.weight[order])


def test_a_product_of_too_many_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match="70000 inputs: an exact product takes 65536 at most"):
        ExactProduct(torch.ones(70_000, 1), bits=HIDDEN_BITS)


@pytest.mark.parametrize("head", ["categorical", "bernoulli", "nade"])
@torch.no_grad()
def test_hidden_states_are_rounded_to_the_nearest_multiple(head: str) -> None:
    kernel = ExactKernel(make_network(cast(Kind, head), 1, 0))
    hidden = torch.cat([torch.rand(999, LANES) * 2 - 1, torch.ones(1, LANES)])
    near = (hidden * 256).round() / 256
    assert torch.equal(kernel.logits(hidden), kernel.logits(near))
    assert not torch.equal(kernel.logits(hidden), kernel.logits(near + 1 / 256))


@torch.no_grad()
def test_a_step_leaves_the_state_and_the_weights_as_they_were() -> None:
    network = make_network("categorical", 2, 2)
    kernel, before = ExactKernel(network), [p.clone() for p in network.parameters()]
    bias = kernel.artist_bias(torch.tensor([0.5, 0.5])).expand(ROWS, -1)
    state = State(*(torch.randn(part.shape).tanh() for part in kernel.zero_state(ROWS)))
    kept = State(*(part.clone() for part in state))
    one = kernel.step(torch.tensor([1, 2, 3]), bias, state)
    two = kernel.step(torch.tensor([1, 2, 3]), bias, state)
    for x, y in zip((*one, *state), (*two, *kept), strict=True):
        assert torch.equal(x, y)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))


@torch.no_grad()
def test_a_blend_weighs_the_artists() -> None:
    network = make_network("categorical", 1, 3)
    kernel = ExactKernel(network)
    alone = [kernel.artist_bias(row) for row in torch.eye(3)]
    blend = kernel.artist_bias(torch.tensor([0.5, 0.0, 0.5]))
    torch.testing.assert_close(blend, (alone[0] + alone[2]) / 2, atol=1e-6, rtol=0)
