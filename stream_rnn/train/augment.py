"""Random changes to a document each time it is dealt, so that no two epochs are alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs import performance
from stream_rnn.codecs.pianoroll import KEYS
from stream_rnn.train.corpus import Document
from stream_rnn.train.recipe import DataRecipe
from stream_rnn.train.stretches import next_paragraph

Augment = Callable[[Document, np.random.Generator, float], Document]
"""Makes a document to train on from one in the corpus, a random generator, and the share of the
run that is done."""


def augmenter(recipe: DataRecipe, newline: int | None = None) -> Augment | None:
    """The changes that a recipe asks for, or None.

    Args:
        recipe: the recipe's `[data]`.
        newline: the symbol of a line break, for passages of prose.
    """
    if recipe.passage:
        return lambda document, dice, done: passage(document, dice, recipe.passage, newline)
    if not recipe.transpose and not recipe.stretch:
        return None

    def moved(document: Document, dice: np.random.Generator, done: float) -> Document:
        by = int(dice.integers(-recipe.transpose, recipe.transpose + 1))
        if recipe.settle and dice.random() < done * recipe.settle:
            by = 0
        if document.symbols.ndim == 2:
            return Document(transposed(document.symbols, by), document.artist)
        symbols = performance.transposed(document.symbols, by)
        if recipe.stretch:
            factor = float(dice.uniform(1 - recipe.stretch, 1 + recipe.stretch))
            symbols = performance.stretched(symbols, factor)
        return Document(symbols, document.artist)

    return moved


def transposed(roll: NDArray[Any], semitones: int) -> NDArray[Any]:
    """A roll moved by some semitones, or unchanged if a note would leave the keyboard."""
    moved = np.roll(roll, semitones, axis=1)
    lost = roll[:, KEYS - semitones :] if semitones > 0 else roll[:, : -semitones or 0]
    return roll if semitones == 0 or lost.any() else moved


def passage(
    document: Document, dice: np.random.Generator, length: int, newline: int | None
) -> Document:
    """A stretch of a long text, from the beginning of a paragraph if one is near.

    So the network learns to begin a session with any paragraph, and not with the book's first.
    """
    symbols = document.symbols
    if len(symbols) <= length:
        return Document(symbols, document.artist, document.ends)
    start = int(dice.integers(len(symbols) - length + 1))
    start = next_paragraph(symbols, start, length // 4, newline)
    return Document(symbols[start : start + length], document.artist, ends=False)
