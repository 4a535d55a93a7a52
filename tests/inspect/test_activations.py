from pathlib import Path

import numpy as np
import pytest
import torch

from stream_rnn.checkpoint import load_network, read_card
from stream_rnn.codecs.text import TextCodec
from stream_rnn.inspect.activations import activations, cell_count, final_states
from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.network import Architecture, RecurrentNetwork
from stream_rnn.train.corpus import Document

CODEC = TextCodec("abc \n")


def documents(*texts: str) -> list[Document]:
    return [
        Document(np.array(CODEC.encode(t), np.uint16), artist=i % 2) for i, t in enumerate(texts)
    ]


@pytest.mark.parametrize("cell", CELLS)
def test_cells_are_as_the_network_itself_leaves_them(cell: str) -> None:
    torch.manual_seed(1)
    network = RecurrentNetwork(Architecture(CODEC.size, 2, 8, 2, "categorical", cell)).eval()
    given = documents("abc abc", "b", "cab\nca")
    found = {id(d): cells for d, cells in activations(network, CODEC, given)}
    last = final_states(network, CODEC, given)
    for i, document in enumerate(given):
        symbols = torch.tensor([[0, *document.symbols.tolist()]])
        artists = torch.eye(2)[None, document.artist]
        with torch.no_grad():
            _, state = network(symbols, artists, network.zero_state(1))
        kept = state.cell.tanh() if CELLS[cell].remembers else state.hidden
        cells = found[id(document)]
        assert cells.shape == (len(document.symbols), cell_count(network))
        assert np.allclose(cells[-1], kept[:, 0].flatten(), atol=1e-5)
        assert np.allclose(last[i], state.hidden[:, 0].flatten(), atol=1e-5)


def test_a_blend_is_for_all_documents(models: Path) -> None:
    card = read_card(models / "verse")
    network, codec = load_network(models / "verse", card), card.make_codec()
    symbols = codec.unpack(codec.pack(np.array(codec.parse("hello"))))
    two = [Document(symbols, artist) for artist in (0, 1)]
    own = final_states(network, codec, two)
    even = final_states(network, codec, two, artists=[1 / 3] * 3)
    assert not np.allclose(own[0], own[1])
    assert (even[0] == even[1]).all()


def test_a_document_that_stands_there_twice_has_its_state_twice() -> None:
    torch.manual_seed(1)
    network = RecurrentNetwork(Architecture(CODEC.size, 2, 8, 1, "categorical")).eval()
    one, other, none = documents("abc", "b", "")
    states = final_states(network, CODEC, [one, other, none, one])
    assert (states[0] == states[3]).all() and not (states[0] == states[1]).any()
    assert not states[2].any()


def test_a_roll_is_read_frame_by_frame(models: Path) -> None:
    card = read_card(models / "roll")
    network, codec = load_network(models / "roll", card), card.make_codec()
    roll = np.zeros((5, 88), np.uint8)
    roll[:, 40] = 1
    ((_, cells),) = activations(network, codec, [Document(roll)])
    assert cells.shape == (5, 64)
    assert np.abs(cells).max() <= 1
