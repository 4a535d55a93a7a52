"""Scoring gives the figures of the models' cards again."""

from __future__ import annotations

import pytest
from boxed import MODELS, held_out, needs_data

from stream_rnn.checkpoint import load_network, load_quantised, read_card
from stream_rnn.engine.scoring import serve
from stream_rnn.train.evaluate import ROWS, evaluate

PIECE = 4096


@needs_data
@pytest.mark.parametrize("name", MODELS)
def test_eval_prints_the_score_of_the_card_again(name: str) -> None:
    """A few long documents are scored in pieces, side by side, since a row alone takes minutes.

    Each piece begins with a zero state, which can only cost something: on the models of now 0.002
    to 0.007 nats.
    """
    card = read_card(MODELS[name])
    codec, documents, sizes = held_out(name)
    assert sizes == card.data["sizes"]
    pieces = documents
    if len(documents) < ROWS:
        pieces = [piece for document in documents for piece in document.pieces(PIECE)]
    network = (
        load_network(MODELS[name], card)
        if card.counts
        else serve(load_quantised(MODELS[name], card))
    )
    score = evaluate(network, pieces, codec)
    assert score.symbols == card.scores["test"]["symbols"]
    more = score.nll - card.scores["test"]["nll"]
    assert -1e-3 < more < (1e-3 if len(pieces) == len(documents) else 0.01)
