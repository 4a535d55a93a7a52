"""What serving in whole numbers costs: a model's score beside that of its trained floats.

    python -m stream_rnn.bench.scores MODEL ... [--data DIR] [--symbols N]

Both score the same part of the test set, for as many symbols as asked: pieces of documents that
lie evenly over it, so that a row is long enough and there are enough rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from stream_rnn.checkpoint import load_network, read_card
from stream_rnn.engine.kernels.reference import ReferenceKernel
from stream_rnn.engine.numerics.convert import load_quantised
from stream_rnn.engine.numerics.scoring import ServedNetwork
from stream_rnn.nets.baselines import Network
from stream_rnn.train.corpus import Document
from stream_rnn.train.data import corpus_of_card
from stream_rnn.train.evaluate import evaluate

PIECE = 500


def score(folder: Path, data: Path, symbols: int) -> dict[str, Any]:
    """Nats a symbol of a model's test set, in floats and as it would be served."""
    card = read_card(folder)
    corpus = corpus_of_card(card, data)
    documents = some(corpus.splits["test"], symbols)
    floats = evaluate(load_network(folder, card), documents, corpus.codec)
    served = ServedNetwork(ReferenceKernel(load_quantised(folder, card)))
    whole = evaluate(cast(Network, served), documents, corpus.codec)
    return {
        "model": card.name,
        "symbols": floats.symbols,
        "float": round(floats.nll, 5),
        "integer": round(whole.nll, 5),
        "lost": round(whole.nll - floats.nll, 5),
        "lost_share": round((whole.nll - floats.nll) / floats.nll, 6),
    }


def some(documents: Sequence[Document], symbols: int) -> list[Document]:
    """Pieces of the documents, evenly over them, that have about so many symbols."""
    pieces = [piece for document in documents for piece in document.pieces(PIECE)]
    there = sum(len(piece.symbols) for piece in pieces)
    return pieces[:: max(1, round(there / symbols))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--symbols", type=int, default=50_000)
    options = parser.parse_args()
    for folder in options.models:
        sys.stdout.write(json.dumps(score(folder, options.data, options.symbols)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
