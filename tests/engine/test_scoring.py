"""What scores in the place of a trained network: near it, and the same by either kernel."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from whole import CELLS, HEADS, written_network, written_tensors

from stream_rnn.engine.scoring import ServedNetwork, serve, serve_slowly
from stream_rnn.nets.network import RecurrentNetwork

BLEND = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.5, 0.25, 0.25], [0, 0, 0]])


def some(network: ServedNetwork, rows: int, time: int) -> Tensor:
    """Symbols at random."""
    a, dice = network.architecture, torch.Generator().manual_seed(1)
    if a.keys:
        return torch.randint(0, 2, (rows, time, a.symbols), generator=dice).to(torch.uint8)
    return torch.randint(0, a.symbols, (rows, time), generator=dice)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("head", HEADS)
def test_it_foretells_nearly_what_the_trained_network_does(cell: str, head: str) -> None:
    quantised = written_network(cell, head, hidden=64)
    a = quantised.architecture
    trained = RecurrentNetwork(a).eval()
    trained.load_state_dict({k: torch.from_numpy(v) for k, v in written_tensors(a).items()})
    served = serve_slowly(quantised)
    symbols = some(served, 4, 30)
    with torch.no_grad():
        expected, _ = trained(symbols, BLEND, trained.zero_state(4))
        found, _ = served(symbols, BLEND, served.zero_state(4))
        if served.chords and trained.chords:
            expected = trained.chords.logits(expected, symbols)
            found = served.chords.logits(found, symbols)
    spread = float(expected.std())
    assert float((found - expected).abs().mean()) < 0.06 * spread


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("head", HEADS)
def test_the_compiled_kernel_gives_the_same_bits_in_stretches_of_any_length(
    cell: str, head: str
) -> None:
    """With more rows than it computes at once."""
    network = written_network(cell, head)
    slow, fast = serve_slowly(network), serve(network)
    symbols, blend = some(slow, 100, 12), BLEND.repeat(25, 1)
    expected, last = slow(symbols, blend, slow.zero_state(100))
    state, found = fast.zero_state(100), []
    for part in symbols.split([1, 4, 7], 1):
        outputs, state = fast(part, blend, state)
        found.append(outputs)
    assert torch.equal(torch.cat(found, 1).view(torch.int32), expected.view(torch.int32))
    assert torch.equal(state.hidden, last.hidden)
    assert torch.equal(state.cell.view(torch.int32), last.cell.view(torch.int32))
    one, _ = fast(symbols[7:8], blend[7:8], fast.zero_state(1))
    assert torch.equal(one[0], expected[7])
