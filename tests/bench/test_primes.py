import numpy as np
import pytest
import torch

from stream_rnn.bench.primes import asked, continuation_loss
from stream_rnn.checkpoint import Card
from stream_rnn.codecs.text import TextCodec
from stream_rnn.nets.network import Architecture, RecurrentNetwork
from stream_rnn.train.corpus import Document
from stream_rnn.train.evaluate import evaluate

CODEC = TextCodec("abcdef")


def verses(count: int, length: int) -> list[Document]:
    dice = np.random.default_rng(1)
    return [
        Document(dice.integers(2, CODEC.size, length).astype(np.uint16), i % 3, ends=False)
        for i in range(count)
    ]


def test_what_follows_a_prime_and_the_prime_make_the_whole() -> None:
    torch.manual_seed(1)
    network = RecurrentNetwork(Architecture(CODEC.size, 3, 12, 1, "categorical")).eval()
    documents = verses(70, 30)
    right = asked(Card("m", "M", {}, {}, artists=("A", "B", "C")), documents)[", the right artist"]
    whole = continuation_loss(network, documents, right, 0, 30)
    assert whole == pytest.approx(evaluate(network, documents, CODEC).nll, rel=1e-5)
    first = continuation_loss(network, documents, right, 0, 10)
    rest = continuation_loss(network, documents, right, 10, 20)
    assert whole == pytest.approx((10 * first + 20 * rest) / 30, rel=1e-5)


def test_a_model_with_artists_is_asked_in_three_ways_and_another_in_one() -> None:
    documents = verses(6, 3)
    ways = asked(Card("m", "M", {}, {}, artists=("A", "B", "C")), documents)
    assert [tuple(w.sum(1).tolist()) for w in ways.values()] == [(1.0,) * 6] * 3
    right, blend, _ = ways.values()
    assert right.argmax(1).tolist() == [0, 1, 2, 0, 1, 2]
    assert blend.unique().tolist() == [pytest.approx(1 / 3)]
    (none,) = asked(Card("m", "M", {}, {}), documents).values()
    assert none.shape == (6, 0)
