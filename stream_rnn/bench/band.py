"""Scores a band's network beside Markov chains, in nats a gesture of the three players.

    python -m stream_rnn.bench.band [models/band]

A person plays the lead, so the lead's gestures do not count. Simulated performances, test split.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stream_rnn.checkpoint import load_network, read_card
from stream_rnn.codecs.ensemble import GESTURES, PLAYERS, EnsembleCodec
from stream_rnn.train.corpus import Corpus
from stream_rnn.train.data import load_corpus
from stream_rnn.train.evaluate import symbol_losses
from stream_rnn.train.recipe import DataRecipe

Rows = list[NDArray[np.int64]]
Past = Callable[[NDArray[np.int64], int, int], Hashable]

PASTS: dict[str, Past] = {
    "the player's last gesture": lambda rows, t, p: rows[t - 1, p],
    "that, and the lead's present one": lambda rows, t, p: (rows[t - 1, p], rows[t, 0]),
    "those, and the lead's last one": lambda rows, t, p: (*rows[t - 1, [p, 0]], rows[t, 0]),
}


def markov(train: Rows, test: Rows, past: Past) -> float:
    """Nats a gesture for a Markov chain: counts after each past, with 0.1 added to each count."""
    counts: dict[Hashable, NDArray[np.float64]] = defaultdict(lambda: np.full(len(GESTURES), 0.1))
    for rows in train:
        for p in range(1, len(PLAYERS)):
            for t in range(1, len(rows)):
                counts[past(rows, t, p)][rows[t, p]] += 1
    costs = []
    for rows in test:
        for p in range(1, len(PLAYERS)):
            for t in range(1, len(rows)):
                after = counts[past(rows, t, p)]
                costs.append(-np.log(after[rows[t, p]] / after.sum()))
    return float(np.mean(costs))


@torch.no_grad()
def network(folder: Path, corpus: Corpus) -> float:
    """The same for a network, which reads the whole performance; without each first row."""
    net = load_network(folder, read_card(folder)).eval()
    costs = []
    for document in corpus.splits["test"]:
        symbols = torch.from_numpy(np.concatenate([[0], document.symbols]).astype(np.int64))[None]
        logits, _ = net(symbols[:, :-1], torch.zeros(1, 0), net.zero_state(1))
        by_row = symbol_losses(net, logits, symbols[:, 1:]).reshape(-1, len(PLAYERS))
        costs.append(by_row[1:, 1:].flatten())
    return float(torch.cat(costs).mean())


def main(folder: Path) -> None:
    """Prints the table."""
    corpus = load_corpus(DataRecipe("", "ensemble", split=(0.8, 0.1, 0.1)), Path())
    codec = corpus.codec
    assert isinstance(codec, EnsembleCodec)
    train, test = (
        [np.array(codec.decode(d.symbols)) for d in corpus.splits[name]]
        for name in ("train", "test")
    )
    for name, past in PASTS.items():
        sys.stdout.write(f"{markov(train, test, past):.3f}  Markov: {name}\n")
    sys.stdout.write(f"{network(folder, corpus):.3f}  {folder}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "models/band"))
