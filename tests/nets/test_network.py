from pathlib import Path

import pytest
import torch
from torch import Tensor

from stream_rnn.checkpoint import Card, load_network, read_card, save_model
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.heads import Kind
from stream_rnn.nets.network import Architecture, RecurrentNetwork

ROWS, TIME = 3, 12


def network(head: Kind, layers: int, *, artists: int = 0, cell: str = "lstm") -> RecurrentNetwork:
    torch.manual_seed(layers)
    symbols = 11 if head == "categorical" else 88
    units = 20 if head == "nade" else 0
    made = RecurrentNetwork(
        Architecture(symbols, artists, 16, layers, head, cell, head_hidden=units)
    )
    for name, parameter in made.named_parameters():
        if "bias" in name:
            torch.nn.init.normal_(parameter)  # so that leaving out a bias would show
    return made.eval()


def stream(net: RecurrentNetwork) -> Tensor:
    a = net.architecture
    if not a.keys:
        return torch.randint(a.symbols, (ROWS, TIME))
    return (torch.rand(ROWS, TIME, a.symbols) < 0.1).float()


def blends(net: RecurrentNetwork) -> Tensor:
    return torch.rand(ROWS, net.architecture.artists).softmax(1) if net.architecture.artists else (
        torch.zeros(ROWS, 0)
    )  # fmt: skip


every_network = pytest.mark.parametrize(
    ("head", "layers", "artists"),
    [
        ("categorical", 1, 4),
        ("categorical", 2, 4),
        ("categorical", 1, 0),
        ("bernoulli", 1, 0),
        ("bernoulli", 2, 3),
        ("nade", 1, 2),
    ],
)


every_cell = pytest.mark.parametrize("cell", CELLS)


@every_network
@every_cell
@torch.no_grad()
def test_state_carried_across_chunks_equals_the_whole(
    head: Kind, layers: int, artists: int, cell: str
) -> None:
    net = network(head, layers, artists=artists, cell=cell)
    symbols, blend = stream(net), blends(net)
    expected, final = net(symbols, blend, net.zero_state(ROWS))
    state, parts = net.zero_state(ROWS), []
    for start, stop in ((0, 1), (1, 7), (7, TIME)):
        logits, state = net(symbols[:, start:stop], blend, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(state, final, atol=1e-5, rtol=0)


@every_cell
@torch.no_grad()
def test_the_artist_may_change_at_any_symbol(cell: str) -> None:
    net = network("categorical", 1, artists=4, cell=cell)
    symbols, first, second = stream(net), blends(net), blends(net)
    by_time = torch.stack([first] * 5 + [second] * (TIME - 5), 1)
    expected, _ = net(symbols, by_time, net.zero_state(ROWS))
    before, state = net(symbols[:, :5], first, net.zero_state(ROWS))
    after, _ = net(symbols[:, 5:], second, state)
    torch.testing.assert_close(torch.cat([before, after], 1), expected, atol=1e-5, rtol=0)
    other, _ = net(symbols[:, 5:], first, state)
    assert not torch.allclose(other, after, atol=1e-3)


@pytest.mark.slow
@every_cell
def test_every_cell_learns(cell: str) -> None:
    """Each symbol comes twice: only the state, not the symbol, tells what follows."""
    net = network("categorical", 2, artists=2, cell=cell).train()
    symbols = torch.arange(11).repeat_interleave(2).repeat(ROWS, 2)
    blend, optimiser = blends(net), torch.optim.Adam(net.parameters(), 0.02)
    losses = []
    for _ in range(60):
        logits, _ = net(symbols[:, :-1], blend, net.zero_state(ROWS))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), symbols[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 < 2 < losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@every_cell
@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_every_cell_is_saved_and_loaded(cell: str, layers: int, tmp_path: Path) -> None:
    codec = TextCodec("abcdefghij")
    net = RecurrentNetwork(Architecture(codec.size, 2, 16, layers, "categorical", cell)).eval()
    card = Card("it", "It", codec.to_json(), net.architecture.to_json(), artists=("A", "B"))
    save_model(tmp_path, card, net, half=False)
    loaded = load_network(tmp_path, read_card(tmp_path))
    symbols, blend = torch.randint(codec.size, (ROWS, TIME)), torch.eye(2)[[0, 1, 0]]
    start = net.zero_state(ROWS)
    assert torch.equal(loaded(symbols, blend, start)[0], net(symbols, blend, start)[0])


@every_cell
def test_a_gate_that_forgets_starts_open(cell: str) -> None:
    net = RecurrentNetwork(Architecture(5, 0, 16, 2, "categorical", cell))
    for layer in range(2):
        _, _, bias, parameters = net.layer_weights(layer)
        bias = bias + parameters[-1] if len(parameters) else bias
        expected = [0.0] * CELLS[cell].gates * 16
        if CELLS[cell].remembers:
            expected[16:32] = [1.0] * 16
        assert bias.tolist() == expected


def test_an_architecture_is_remade_from_its_json() -> None:
    made = Architecture(11, 2, 16, 1, "categorical", dropout=0.5)
    assert Architecture.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cell": "qrnn"}, "cell is 'qrnn'; it must be 'lstm' or 'mi-lstm' or 'gru' or 'tanh'"),
        (
            {"head": "softmax"},
            "head is 'softmax'; it must be 'categorical' or 'bernoulli' or 'nade'",
        ),
        ({"hidden": 0}, "hidden is 0; it must be a whole number from 1 to 16384"),
        ({"layers": 1.0}, "layers is 1.0"),
        ({"layers": True}, "layers is True"),
        ({"hidden": 16_384}, "architecture has 1,074,905,099 weights, and the most is 268,435,456"),
        ({"head_hidden": 3}, "head_hidden is 3, and the head 'categorical'"),
        ({"symbols": 10**9}, "symbols is 1000000000"),
        ({"dropout": "half"}, "dropout is 'half'"),
        ({"width": 3}, "architecture.width is no field; there are: symbols, artists, hidden"),
    ],
)
def test_an_architecture_that_cannot_be_is_refused(change: dict[str, object], said: str) -> None:
    good = Architecture(11, 2, 16, 1, "categorical").to_json()
    with pytest.raises(CheckpointError, match=said):
        Architecture.from_json({**good, **change})


@every_cell
def test_recurrent_weights_are_dropped_in_training_only(cell: str) -> None:
    torch.manual_seed(0)
    net = RecurrentNetwork(Architecture(11, 0, 16, 2, "categorical", cell, weight_drop=0.5))
    symbols, blend, state = stream(net), blends(net), net.zero_state(ROWS)
    first, second = (net(symbols, blend, state)[0] for _ in range(2))
    # The first symbol's outputs depend on no recurrent weight; the later ones differ.
    torch.testing.assert_close(first[:, 0], second[:, 0])
    assert not torch.allclose(first[:, -1], second[:, -1])
    first.sum().backward()
    dropped = [p.grad for name, p in net.named_parameters() if "weight_hh" in name]
    assert all(g is not None and 0.3 < float((g == 0).float().mean()) < 0.7 for g in dropped)
    net.eval()
    assert torch.equal(net(symbols, blend, state)[0], net(symbols, blend, state)[0])
