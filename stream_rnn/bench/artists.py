"""How well the chosen artist can be recognised in a model's texts.

`python -m stream_rnn.bench.artists MODEL --data DIR [--characters N] [--pair "A" "B"]`

A judge, a multinomial naive Bayes over strings of one to four characters, learns the artists from
the validation and test verse, which the network has never seen. It then judges who wrote each of
the model's texts, for every artist at weight 1, and for blends of two artists. The judge compares
each artist's likelihood with its average over such texts, since generated texts are generally
likelier under the writers with the most verse to learn from.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LONGEST = 4  # characters in a feature
LEAST = 3  # a feature has to occur in so many texts
SMOOTHING = 0.1
FOLDS = 5
BLEND = (0.0, 0.25, 0.5, 0.75, 1.0)


def features(text: str) -> Counter[str]:
    """The strings of one to four characters in a text."""
    text = text.lower()
    return Counter(text[i : i + n] for n in range(1, LONGEST + 1) for i in range(len(text) - n + 1))


class Judge:
    """Judges which artist wrote a text.

    Args:
        texts: the texts to learn from.
        labels: the artist of each, 0 to `count` - 1.
        count: how many artists there are.
    """

    def __init__(self, texts: Sequence[str], labels: Sequence[int], count: int) -> None:
        counted = [features(text) for text in texts]
        spread: Counter[str] = Counter()
        for counts in counted:
            spread.update(counts.keys())
        known = sorted(f for f, n in spread.items() if n >= LEAST)
        self._index = {feature: i for i, feature in enumerate(known)}
        table = np.full((count, len(known)), SMOOTHING)
        for counts, label in zip(counted, labels, strict=True):
            self._add(table[label], counts)
        self._log = np.log(table / table.sum(1, keepdims=True))
        self._usual = np.zeros(count)

    def get_used_to(self, texts: Iterable[str]) -> None:
        """From now on, subtracts each artist's mean score over these texts."""
        self._usual = np.zeros_like(self._usual)
        self._usual = np.mean([self.scores(text) for text in texts], axis=0)

    def _add(self, row: NDArray[np.float64], counts: Counter[str]) -> None:
        # Logarithms, since a refrain says little more the tenth time.
        for feature, n in counts.items():
            if feature in self._index:
                row[self._index[feature]] += 1 + math.log(n)

    def ranking(self, text: str) -> list[int]:
        """The artists, the likeliest first."""
        order: list[int] = np.argsort(-self.scores(text)).tolist()
        return order

    def scores(self, text: str) -> NDArray[np.float64]:
        """Each artist's score: log-likelihood in nats a feature, less its usual value."""
        row = np.zeros(self._log.shape[1])
        self._add(row, features(text))
        found: NDArray[np.float64] = self._log @ row / max(1.0, row.sum()) - self._usual
        return found


def recognised(judge: Judge, texts: Iterable[str], labels: Iterable[int]) -> tuple[float, float]:
    """Shares of texts whose artist comes first, and among the first five."""
    places = [judge.ranking(t).index(i) for t, i in zip(texts, labels, strict=True)]
    return float(np.mean([p == 0 for p in places])), float(np.mean([p < 5 for p in places]))


def cross_validated(texts: Sequence[str], labels: Sequence[int], count: int) -> tuple[float, float]:
    """`recognised` of real verse, each text by a judge that has not seen it."""
    parts = []
    for fold in range(FOLDS):
        learnt = [i for i in range(len(texts)) if i % FOLDS != fold]
        asked = [i for i in range(len(texts)) if i % FOLDS == fold]
        judge = Judge([texts[i] for i in learnt], [labels[i] for i in learnt], count)
        judge.get_used_to(texts[i] for i in asked)
        parts.append(recognised(judge, [texts[i] for i in asked], [labels[i] for i in asked]))
    first, five = np.mean(parts, axis=0)
    return float(first), float(five)


def main(arguments: list[str]) -> int:
    """The command line; see the module."""
    from stream_rnn.checkpoint import read_card
    from stream_rnn.engine.library import load_kernel
    from stream_rnn.engine.messages import Settings
    from stream_rnn.engine.offline import generate
    from stream_rnn.paths import bundled
    from stream_rnn.train.data import corpus_of_card

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--characters", type=int, default=1500)
    parser.add_argument("--pair", nargs=2, default=("Robert Burns", "Emily Dickinson"))
    options = parser.parse_args(arguments)

    folder = bundled("models") / options.model
    card = read_card(folder)
    kernel, codec, count = load_kernel(folder, card), card.make_codec(), len(card.artists)
    corpus = corpus_of_card(card, options.data)
    held_out = [*corpus.splits["valid"], *corpus.splits["test"]]
    texts = [codec.show(d.symbols.tolist()) for d in held_out]
    labels = [d.artist for d in held_out]
    judge = Judge(texts, labels, count)

    def write(weights: dict[int, float], seed: int) -> str:
        blend = tuple(weights.get(i, 0.0) for i in range(count))
        temperature = float(card.defaults.get("temperature", 1.0))
        settings = Settings(temperature=temperature, seed=seed, artists=blend)
        made = generate(kernel, codec, settings, prime=[], length=options.characters)
        return codec.show(made)

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    first, five = cross_validated(texts, labels, count)
    say(f"chance: {1 / count:.1%}, among five {5 / count:.1%}")
    say(f"held-out verse, {len(texts)} texts: {first:.1%}, among five {five:.1%}")
    written = [write({i: 1.0}, seed=1) for i in range(count)]
    judge.get_used_to(written)
    first, five = recognised(judge, written, range(count))
    say(f"{card.name} at weight 1, {options.characters} characters: {first:.1%}, "
        f"among five {five:.1%}")  # fmt: skip
    a, b = (card.artists.index(name) for name in options.pair)
    for weight in BLEND:
        chosen = [write({a: 1 - weight, b: weight}, seed) for seed in range(2, 10)]
        leans = [float(s[b] - s[a]) for s in map(judge.scores, chosen)]
        say(f"{1 - weight:.2f} {options.pair[0]} + {weight:.2f} {options.pair[1]}: "
            f"{sum(lean > 0 for lean in leans)} of {len(leans)} judged to be the second, "
            f"{np.mean(leans):+.4f} nats")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
