"""How well models continue a prime: `python -m stream_rnn.bench.primes MODEL… --data DIR`.

A prime is the beginning of a verse from the test set, which no network has seen. The score is the
mean nats a character of the text that follows it. A model with artists is scored three times: with
the right artist, with an even blend of all, and with the artist of another verse.
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
        documents: each has at least `prime + scored` symbols.
        artists: each document's blend, `[documents, artists]`.
        prime: how many symbols are given.
        scored: how many symbols after them count.
    """
    total = 0.0
    for first in range(0, len(documents), ROWS):
        group = documents[first : first + ROWS]
        texts = np.stack([d.symbols[: prime + scored] for d in group]).astype(np.int64)
        symbols = functional.pad(torch.from_numpy(texts), (1, 0))  # the begin-and-end symbol is 0
        state = network.zero_state(len(group))
        logits, _ = network(symbols[:, :-1], artists[first : first + ROWS], state)
        losses = functional.cross_entropy(
            logits[:, prime:].transpose(1, 2), symbols[:, prime + 1 :], reduction="sum"
        )
        total += float(losses)
    return total / (len(documents) * scored)


def asked(card: Card, documents: list[Document]) -> dict[str, torch.Tensor]:
    """The blends to score a model with, each `[documents, artists]`."""
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
