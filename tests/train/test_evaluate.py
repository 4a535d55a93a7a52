import math

import numpy as np
import pytest
import torch

from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.nets.network import Architecture, RecurrentNetwork
from stream_rnn.train import evaluate as module
from stream_rnn.train.corpus import Document
from stream_rnn.train.evaluate import boundary_of, evaluate

TEXT, ROLL = TextCodec("abcdef"), PianorollCodec(4)


def network(codec: Codec, artists: int = 0) -> RecurrentNetwork:
    torch.manual_seed(1)
    return RecurrentNetwork(Architecture(codec.size, artists, 12, 2, codec.head, dropout=0.5))


def texts(count: int) -> list[Document]:
    dice = np.random.default_rng(2)
    return [
        Document(dice.integers(2, TEXT.size, 1 + i * 7 % 23).astype(np.uint16), i % 3)
        for i in range(count)
    ]


def rolls(count: int) -> list[Document]:
    dice = np.random.default_rng(2)
    return [Document((dice.random((1 + i, 88)) < 0.1).astype(np.uint8)) for i in range(count)]


@torch.no_grad()
def alone(net: RecurrentNetwork, document: Document, codec: Codec) -> tuple[float, int]:
    """A document's summed nats, computed the long way: one network call, then the definition."""
    edge = boundary_of(codec)[None]
    ending = codec.head == "categorical"
    framed = np.concatenate([edge, document.symbols, edge] if ending else [edge, document.symbols])
    symbols = torch.from_numpy(framed.astype(np.int64))[None]
    artist = torch.eye(max(1, net.architecture.artists))[document.artist : document.artist + 1]
    logits, _ = net(symbols[:, :-1], artist[:, : net.architecture.artists], net.zero_state(1))
    targets = symbols[0, 1:]
    if ending:
        chances = logits[0].softmax(1)[torch.arange(len(targets)), targets]
    else:
        on = logits[0].double().sigmoid()
        chances = torch.where(targets == 1, on, 1 - on)
    return -float(chances.double().log().sum()), len(targets)


@pytest.mark.parametrize("domain", ["text", "roll"])
def test_a_score_is_the_mean_over_every_symbol_of_every_document(
    domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec: Codec = TEXT if domain == "text" else ROLL
    documents = texts(9) if domain == "text" else rolls(7)
    net = network(codec, artists=3 if domain == "text" else 0).eval()
    parts = [alone(net, d, codec) for d in documents]
    expected = sum(nats for nats, _ in parts) / sum(count for _, count in parts)
    for rows, time in ((64, 256), (2, 5), (1, 1)):
        monkeypatch.setattr(module, "ROWS", rows)
        monkeypatch.setattr(module, "TIME", time)
        score = evaluate(net, documents, codec)
        assert score.nll == pytest.approx(expected, rel=1e-5)
        assert score.symbols == sum(count for _, count in parts)


def test_text_counts_the_boundary_that_ends_a_document_and_rolls_do_not() -> None:
    document, piece = texts(4)[3], rolls(4)[3]
    assert evaluate(network(TEXT), [document], TEXT).symbols == len(document.symbols) + 1
    assert evaluate(network(ROLL), [piece], ROLL).symbols == len(piece.symbols)


def test_rolls_are_also_scored_without_the_first_frame_of_each_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces, net = rolls(7), network(ROLL).eval()
    every = [alone(net, p, ROLL) for p in pieces]
    first = [alone(net, Document(p.symbols[:1]), ROLL) for p in pieces]
    nats = sum(n for n, _ in every) - sum(n for n, _ in first)
    frames = sum(len(p.symbols) - 1 for p in pieces)
    for rows, time in ((64, 256), (2, 5), (1, 1)):
        monkeypatch.setattr(module, "ROWS", rows)
        monkeypatch.setattr(module, "TIME", time)
        score = evaluate(net, pieces, ROLL)
        assert score.nll_after_first == pytest.approx(nats / frames, rel=1e-5)
        assert score.to_json().keys() == {"nll", "symbols", "nll_after_first"}
    assert evaluate(net, [Document(pieces[0].symbols[:1])], ROLL).nll_after_first is None
    text = evaluate(network(TEXT), texts(4), TEXT)
    assert text.to_json().keys() == {"nll", "symbols"}


def test_a_stretch_of_something_longer_does_not_end() -> None:
    whole = texts(9)[3]
    (same,) = whole.pieces(len(whole.symbols))
    pieces = whole.pieces(4)
    assert same is whole
    assert [p.ends for p in pieces] == [False] * (len(pieces) - 1) + [True]
    np.testing.assert_array_equal(np.concatenate([p.symbols for p in pieces]), whole.symbols)
    net = network(TEXT)
    parts = [evaluate(net, [p], TEXT) for p in pieces]
    assert sum(p.symbols for p in parts) == len(whole.symbols) + 1
    together = evaluate(net, pieces, TEXT)
    assert together.nll * together.symbols == pytest.approx(sum(p.nll * p.symbols for p in parts))


def test_order_does_not_matter_empty_documents_count_nothing_and_dropout_is_off() -> None:
    net, documents = network(TEXT).train(), texts(9)
    score = evaluate(net, documents, TEXT)
    empty = Document(np.zeros(0, np.uint16))
    again = evaluate(net, [empty, *reversed(documents)], TEXT)
    assert again.symbols == score.symbols
    assert again.nll == pytest.approx(score.nll, rel=1e-6)


def test_an_untrained_even_network_scores_the_logarithm_of_its_choices() -> None:
    net = network(TEXT)
    torch.nn.init.zeros_(net.output.weight)
    torch.nn.init.zeros_(net.output.bias)
    assert evaluate(net, texts(5), TEXT).nll == pytest.approx(math.log(TEXT.size))
    net = network(ROLL)
    torch.nn.init.zeros_(net.output.weight)
    torch.nn.init.zeros_(net.output.bias)
    assert evaluate(net, rolls(5), ROLL).nll == pytest.approx(88 * math.log(2))


def test_progress_adds_up_to_the_symbols() -> None:
    done: list[int] = []
    score = evaluate(network(TEXT), texts(9), TEXT, progress=done.append)
    assert sum(done) == score.symbols
