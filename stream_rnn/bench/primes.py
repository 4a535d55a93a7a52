"""How well models go on from a prime: `python -m stream_rnn.bench.primes MODEL… --data DIR`.

A prime is the beginning of a verse of the test set that no network has seen, and what is scored
is what follows it: mean nats a character. A model that is told the artist is asked three times:
with the right one, with an even blend of all, and with another verse's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from stream_rnn.checkpoint import Card, load_network, read_card
from stream_rnn.nets.baselines import Network
from stream_rnn.paths import bundled
from stream_rnn.train.corpus import Document
from stream_rnn.train.data import corpus_of_card

ROWS = 64


@torch.no_grad()
def continuation_loss(
    network: Network,
    documents: list[Document],
    artists: torch.Tensor,
    prime: int,
    scored: int,
) -> float:
    """Mean nats of the `scored` symbols after the first `prime` of each document.

    Args:
        network: in evaluation mode.
        documents: of `prime + scored` symbols or more.
        artists: `[documents, artists]`.
        prime: symbols that are given.
        scored: symbols that count.
    """
    total = 0.0
    for first in range(0, len(documents), ROWS):
        group = documents[first : first + ROWS]
        texts = np.stack([d.symbols[: prime + scored] for d in group]).astype(np.int64)
        symbols = functional.pad(torch.from_numpy(texts), (1, 0))  # the boundary is 0
        state = network.zero_state(len(group))
        logits, _ = network(symbols[:, :-1], artists[first : first + ROWS], state)
        losses = functional.cross_entropy(
            logits[:, prime:].transpose(1, 2), symbols[:, prime + 1 :], reduction="sum"
        )
        total += float(losses)
    return total / (len(documents) * scored)


def asked(card: Card, documents: list[Document]) -> dict[str, torch.Tensor]:
    """The ways to tell a model the artist, `[documents, artists]` each."""
    count = len(card.artists)
    if not count:
        return {"": torch.zeros(len(documents), 0)}
    right = functional.one_hot(torch.tensor([d.artist for d in documents]), count).float()
    return {
        ", the right artist": right,
        ", an even blend": torch.full_like(right, 1 / count),
        ", another's": right.roll(len(documents) // 2, 0),
    }


def main(arguments: list[str]) -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--primes", type=int, nargs="+", default=(0, 20, 60, 200))
    parser.add_argument("--scored", type=int, default=100)
    options = parser.parse_args(arguments)
    longest = max(options.primes) + options.scored
    for name in options.models:
        folder = bundled("models") / name
        card = read_card(folder)
        network = load_network(folder, card)
        documents = corpus_of_card(card, options.data).splits["test"]
        documents = [d for d in documents if len(d.symbols) >= longest]
        for how, artists in asked(card, documents).items():
            losses = [
                f"{continuation_loss(network, documents, artists, prime, options.scored):.3f}"
                f" after {prime}"
                for prime in options.primes
            ]
            sys.stdout.write(f"{name}{how} ({len(documents)} verses): {', '.join(losses)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
