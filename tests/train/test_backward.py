import numpy as np
import pytest
import torch

from stream_rnn.nets.network import Architecture, RecurrentNetwork, State
from stream_rnn.train.backward import chunk_loss
from stream_rnn.train.corpus import Document
from stream_rnn.train.windows import WindowFeed


def gradients(segment: int, layers: int) -> tuple[float, State, list[torch.Tensor]]:
    torch.manual_seed(1)
    network = RecurrentNetwork(Architecture(9, 2, 12, layers, "categorical"))
    symbols = torch.randint(0, 9, (4, 24))
    mask = (torch.rand(4, 23) < 0.8).float()
    artists = torch.eye(2)[torch.randint(0, 2, (4, 23))]
    state = State(*torch.randn(2, layers, 4, 12).tanh())
    loss, after = chunk_loss(
        network, symbols[:, :-1], symbols[:, 1:], mask, artists, state, segment=segment
    )
    torch.autograd.backward(loss)
    return float(loss.detach()), after, [p.grad for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("segment", [1, 7, 22, 23, 100])
@pytest.mark.parametrize("layers", [1, 2])
def test_checkpointing_changes_neither_loss_nor_state_nor_gradient(
    segment: int, layers: int
) -> None:
    whole, parts = gradients(0, layers), gradients(segment, layers)
    assert parts[0] == pytest.approx(whole[0], rel=1e-6)
    torch.testing.assert_close(parts[1].hidden, whole[1].hidden)
    assert len(parts[2]) == len(whole[2]) > 4
    for a, b in zip(parts[2], whole[2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_windows_are_stretches_of_one_document_each_and_ask_for_what_follows() -> None:
    documents = [
        Document(np.arange(1, 8, dtype=np.uint16), 0),
        Document(np.arange(11, 31, dtype=np.uint16), 1, ends=False),
        Document(np.zeros(0, np.uint16)),
    ]
    feed = WindowFeed(documents, np.zeros((), np.uint16), rows=16, window=4, seed=1)
    asked = set()
    for _ in range(60):
        chunk = next(feed)
        assert chunk.inputs.shape == chunk.targets.shape == (16, 4)
        assert chunk.restart.all() and (chunk.mask == [0, 0, 0, 1]).all()
        np.testing.assert_array_equal(chunk.inputs[:, 1:], chunk.targets[:, :-1])
        for text, target, artist in zip(
            chunk.inputs, chunk.targets[:, -1], chunk.artists[:, -1], strict=True
        ):
            row = [int(s) for s in text if s] + [int(target)]
            assert row == list(range(row[0], row[0] + len(row))) or row == [4, 5, 6, 7, 0]
            assert artist == (row[0] > 10)
            asked.add(int(target))
    assert asked == {*range(1, 8), 0, *range(11, 31)}  # every symbol, and the end that is one
    twin = WindowFeed(documents, np.zeros((), np.uint16), rows=16, window=4, seed=1)
    twin.restore(feed.state())
    np.testing.assert_array_equal(next(twin).inputs, next(feed).inputs)
