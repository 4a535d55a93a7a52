import pytest
import torch
from torch import Tensor

from stream_rnn.codecs.base import Head
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.network import Architecture, RecurrentNetwork

ROWS, TIME = 3, 12


def network(head: Head, layers: int, *, artists: int = 0) -> RecurrentNetwork:
    torch.manual_seed(layers)
    symbols = 11 if head == "categorical" else 88
    made = RecurrentNetwork(Architecture(symbols, artists, hidden=16, layers=layers, head=head))
    for name, parameter in made.named_parameters():
        if "bias" in name:
            torch.nn.init.normal_(parameter)  # so that a bias left out would be seen
    return made.eval()


def stream(net: RecurrentNetwork) -> Tensor:
    a = net.architecture
    if a.head == "categorical":
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
    ],
)


@every_network
@torch.no_grad()
def test_state_carried_across_chunks_equals_the_whole(
    head: Head, layers: int, artists: int
) -> None:
    net = network(head, layers, artists=artists)
    symbols, blend = stream(net), blends(net)
    expected, final = net(symbols, blend, net.zero_state(ROWS))
    state, parts = net.zero_state(ROWS), []
    for start, stop in ((0, 1), (1, 7), (7, TIME)):
        logits, state = net(symbols[:, start:stop], blend, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(state.cell, final.cell, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_artist_may_change_at_any_symbol() -> None:
    net = network("categorical", 1, artists=4)
    symbols, first, second = stream(net), blends(net), blends(net)
    by_time = torch.stack([first] * 5 + [second] * (TIME - 5), 1)
    expected, _ = net(symbols, by_time, net.zero_state(ROWS))
    before, state = net(symbols[:, :5], first, net.zero_state(ROWS))
    after, _ = net(symbols[:, 5:], second, state)
    torch.testing.assert_close(torch.cat([before, after], 1), expected, atol=1e-5, rtol=0)
    other, _ = net(symbols[:, 5:], first, state)
    assert not torch.allclose(other, after, atol=1e-3)


def test_an_architecture_is_remade_from_its_json() -> None:
    made = Architecture(11, 2, 16, 1, "categorical", dropout=0.5)
    assert Architecture.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cell": "gru"}, "unknown cell 'gru'; this version has: lstm"),
        ({"head": "softmax"}, "unknown head 'softmax'"),
        ({"hidden": 0}, "hidden is 0"),
        ({"layers": 1.0}, "layers is 1.0"),
        ({"symbols": 10**9}, "symbols is 1000000000"),
        ({"dropout": "half"}, "dropout is 'half'"),
        ({"width": 3}, "unexpected keyword argument 'width'"),
    ],
)
def test_an_architecture_that_cannot_be_is_refused(change: dict[str, object], said: str) -> None:
    good = Architecture(11, 2, 16, 1, "categorical").to_json()
    with pytest.raises(CheckpointError, match=said):
        Architecture.from_json({**good, **change})
