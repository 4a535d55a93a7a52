"""Splits documents into training, validation and test sets; no document is in two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from stream_rnn.errors import DataError
from stream_rnn.train.corpus import Artists
from stream_rnn.train.recipe import DataRecipe

SPLITS = ("train", "valid", "test")

T = TypeVar("T")


def split_documents(
    documents: list[T],
    shares: tuple[float, float, float],
    keys: Callable[[T], Iterable[str]],
    alike: Iterable[tuple[int, int]] = (),
) -> dict[str, list[T]]:
    """Splits by a hash of what identifies a document, so that order and additions do not matter.

    Documents that share a key go into one set.

    Args:
        alike: pairs of documents, by index, that go into one set, too.
    """
    group = list(range(len(documents)))

    def root(i: int) -> int:
        while group[i] != i:
            group[i] = group[group[i]]
            i = group[i]
        return i

    first_with: dict[str, int] = {}
    name_of: dict[int, str] = {}
    for i, document in enumerate(documents):
        for key in keys(document):
            group[root(i)] = root(first_with.setdefault(key, i))
    for one, other in alike:
        group[root(one)] = root(other)
    for key, i in first_with.items():
        name_of[root(i)] = min(key, name_of.get(root(i), key))
    splits: dict[str, list[T]] = {name: [] for name in SPLITS}
    for i, document in enumerate(documents):
        name = name_of.get(root(i), str(i))
        where = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
        which = 0 if where < shares[0] else 1 if where < shares[0] + shares[1] else 2
        splits[SPLITS[which]].append(document)
    return splits


def artist_index(
    path: Path, recipe: DataRecipe, artists: Artists, found: Iterable[str]
) -> dict[str, int]:
    """Artists by name, in the order of the network's inputs; empty without `by_artist`.

    Args:
        path: for the message.
        recipe: says whether the network is given artists.
        found: those of the corpus.

    Raises:
        DataError: the corpus has fewer than two artists, so that there are none to tell apart.
    """
    if artists is None:
        artists = tuple(sorted(set(found))) if recipe.by_artist else ()
        if recipe.by_artist and len(artists) < 2:
            raise DataError(f"{path}: by_artist needs two artists or more, found {len(artists)}")
    return {name: i for i, name in enumerate(artists)}
