import msgspec
import pytest
import torch

from stream_rnn.nets.architecture import Architecture
from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.heads import Kind
from stream_rnn.nets.network import RecurrentNetwork
from stream_rnn.train.evaluate import artist_vectors
from stream_rnn.train.recipe import OptimiserRecipe
from stream_rnn.train.trained import Dropout, TrainedNetwork

OPTIONS = OptimiserRecipe(rows=2, chunk=8, steps=1, learning_rate=1e-3)
ROWS, TIME = 3, 10


def made(
    *, head: Kind = "categorical", cell: str = "lstm", artists: int = 0, layers: int = 1,
    **options: object,
) -> TrainedNetwork:  # fmt: skip
    torch.manual_seed(1)
    symbols = 11 if head == "categorical" else 88
    architecture = Architecture(symbols, artists, 64, layers, head, cell)
    return TrainedNetwork(architecture, msgspec.structs.replace(OPTIONS, **options))


def some(network: RecurrentNetwork) -> tuple[torch.Tensor, torch.Tensor]:
    a = network.architecture
    symbols = torch.randint(a.symbols, (ROWS, TIME))
    if a.keys:
        symbols = (torch.rand(ROWS, TIME, a.symbols) < 0.1).to(torch.uint8)
    return symbols, torch.rand(ROWS, a.artists).softmax(1) if a.artists else torch.zeros(ROWS, 0)


@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
@pytest.mark.parametrize("artists", [0, 3])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding", [0, 5])
@torch.no_grad()
def test_the_network_that_is_served_computes_the_same_without_the_embedding(
    head: Kind, artists: int, cell: str, embedding: int
) -> None:
    network = made(head=head, cell=cell, artists=artists, layers=2, embedding=embedding).eval()
    served = network.served()
    assert type(served) is RecurrentNetwork and not served.training
    shapes = {name: tuple(p.shape) for name, p in served.state_dict().items()}
    assert shapes == dict(network.architecture.tensors())
    symbols, blend = some(network)
    expected, state = network(symbols, blend, network.zero_state(ROWS))
    found, after = served(symbols, blend, served.zero_state(ROWS))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(after, state, atol=1e-5, rtol=0)


def test_numbers_of_the_embedding_are_dropped_in_training_only() -> None:
    network = made(embedding=400, embedding_dropout=0.25)
    symbols, _ = some(network)
    dropped = float((network.train().encode(symbols) == 0).float().mean())
    assert dropped == pytest.approx(0.25, abs=0.03)
    assert float((network.eval().encode(symbols) == 0).float().mean()) == 0


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.4, 0.99])
def test_dropped_values_are_a_share_and_the_others_grow(share: float) -> None:
    torch.manual_seed(1)
    drop, values = Dropout(share), torch.ones(401, 3, 811)
    found = drop(values)
    assert float((found == 0).float().mean()) == pytest.approx(share, abs=0.004)
    assert float(found.mean()) == pytest.approx(1.0, abs=0.01 + share**20 / 5)
    assert len(found.unique()) <= 2
    assert not torch.equal(drop(values), found) or share < 0.002
    assert torch.equal(drop.eval()(values), values)


def test_what_is_dropped_has_no_gradient() -> None:
    values = torch.randn(50, 50, requires_grad=True)
    found = Dropout(0.5)(values)
    torch.autograd.backward(found.sum())
    assert values.grad is not None
    torch.testing.assert_close(values.grad * values, found, check_stride=False)


def test_the_recurrent_weights_begin_as_torchs_or_orthogonal() -> None:
    bound = 64**-0.5
    started = made(initial="uniform", embedding=8).recurrent
    for name, weights in started.named_parameters():
        weights = weights.detach()
        assert float(weights.abs().max()) <= bound, name
        assert float(weights.std()) == pytest.approx(bound / 3**0.5, rel=0.15), name
    orthogonal = made(initial="orthogonal").recurrent
    gate = orthogonal.get_parameter("weight_hh_l0")[:64]
    torch.testing.assert_close((gate @ gate.t()).detach(), torch.eye(64), atol=1e-4, rtol=0)
    bias = orthogonal.get_parameter("bias_ih_l0")
    assert bias[64:128].eq(1).all() and bias.sum() == 64


@pytest.mark.parametrize("initial", ["uniform", "orthogonal"])
def test_inputs_that_are_not_embedded_begin_at_unit_variance(initial: str) -> None:
    weights = made(initial=initial).recurrent.get_parameter("weight_ih_l0")
    assert float(weights.detach().std()) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("embedding", [0, 6])
def test_the_artists_may_begin_smaller_than_the_symbols(embedding: int) -> None:
    network = made(artists=4, artist_start=0.01, embedding=embedding)
    weights = network.recurrent.get_parameter("weight_ih_l0").detach()
    assert float(weights[:, -4:].std()) == pytest.approx(0.01, rel=0.2)
    assert float(weights[:, :-4].std()) > 0.05
    made(artist_start=0.01)  # without artists there is nothing to start


@pytest.mark.parametrize("cell", ["lstm", "gru", "tanh"])
def test_products_of_16_bits_are_near_those_of_32_and_learn_the_same(cell: str) -> None:
    both = [made(cell=cell, layers=2, embedding=8, bfloat16=on).train() for on in (False, True)]
    symbols, blend = some(both[0])
    slopes = []
    for network in both:
        outputs, state = network(symbols, blend, network.zero_state(ROWS))
        assert outputs.dtype == state.hidden.dtype == torch.float32
        torch.autograd.backward(outputs.square().sum())
        slopes.append({n: p.grad for n, p in network.named_parameters()})
    for name, slope in slopes[0].items():
        near = torch.nn.functional.cosine_similarity(
            slope.flatten(), slopes[1][name].flatten(), dim=0
        )
        assert float(near) > 0.99, name
    network = both[1].eval()
    with torch.no_grad():
        expected = both[0].eval()(symbols, blend, network.zero_state(ROWS))[0]
        torch.testing.assert_close(network(symbols, blend, network.zero_state(ROWS))[0], expected)


def test_anyone_is_an_even_blend_of_the_artists() -> None:
    network = made(artists=4)
    told = artist_vectors(network, torch.tensor([[2, -1]]))
    assert told.tolist() == [[[0, 0, 1, 0], [0.25] * 4]]
    assert artist_vectors(made(), torch.tensor([0, -1])).shape == (2, 0)
