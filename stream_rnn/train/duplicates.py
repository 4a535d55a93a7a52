"""Finds documents whose content is nearly the same, whatever their titles.

Each document becomes a set of *shingles*, runs of a few items (words, intervals, frames), as
Broder (1997) compares web pages. Two documents are near-duplicates if the smaller shares at least
half of its shingles with the larger.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

SHARED = 0.5  # share of the smaller document's shingles
FEWEST = 8  # shingles that a document must have to be compared: shorter ones agree by chance
COMMON = 64  # documents that share a shingle; a shingle of more documents tells nothing
SAMPLE = 4  # one shingle in so many is indexed, to find documents to compare


def shingles(items: Sequence[int] | NDArray[np.int64], length: int) -> NDArray[np.uint64]:
    """The distinct runs of `length` items, as hashes."""
    row = np.asarray(items, np.int64).astype(np.uint64)
    if len(row) < length:
        return np.zeros(0, np.uint64)
    hashes = np.zeros(len(row) - length + 1, np.uint64)
    for i in range(length):
        hashes = (hashes ^ row[i : i + len(hashes)]) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return np.unique(hashes)


def numbered(words: Iterable[Hashable], numbers: dict[Hashable, int]) -> list[int]:
    """The number of each word; a new word gets the next number."""
    return [numbers.setdefault(word, len(numbers)) for word in words]


def near_duplicates(documents: Sequence[NDArray[np.uint64]]) -> list[tuple[int, int]]:
    """Pairs of documents `(earlier, later)` that are nearly the same, by their shingles.

    These are not all pairs, but enough to connect each group.
    """
    holders: dict[int, list[int]] = defaultdict(list)
    for number, found in enumerate(documents):
        if len(found) >= FEWEST:
            sampled = found[found % np.uint64(SAMPLE) == 0]
            for shingle in (sampled if len(sampled) >= FEWEST else found).tolist():
                holders[shingle].append(number)
    pairs: list[tuple[int, int]] = []
    for number, found in enumerate(documents):
        if len(found) < FEWEST:
            continue
        shared: Counter[int] = Counter()
        for shingle in found.tolist():
            others = holders.get(shingle, ())
            if len(others) <= COMMON:
                shared.update(other for other in others if other < number)
        for other, _ in shared.most_common(8):
            both = len(np.intersect1d(found, documents[other], assume_unique=True))
            if both >= SHARED * min(len(found), len(documents[other])):
                pairs.append((other, number))
    return pairs


def of_texts(texts: Iterable[str]) -> list[NDArray[np.uint64]]:
    """Shingles of five words of each text, without punctuation and capitals.

    In a script without spaces between words, letters take the place of words.
    """
    numbers: dict[Hashable, int] = {}
    found = []
    for text in texts:
        words = re.findall(r"\w+", text.casefold())
        if len(words) * 12 < len(text):  # words do not have twelve letters on average
            words = re.findall(r"\w", text.casefold())
        found.append(shingles(numbered(words, numbers), 5))
    return found


def of_melodies(melodies: Iterable[Sequence[int]], length: int = 8) -> list[NDArray[np.uint64]]:
    """Shingles of the intervals of each melody, given as pitches: the same in every key."""
    return [shingles([b - a for a, b in itertools.pairwise(m)], length) for m in melodies]


def of_rolls(rolls: Iterable[NDArray[np.uint8]]) -> list[NDArray[np.uint64]]:
    """Shingles of eight chords of each roll `[frames, 88]`, the same in every key and tempo."""
    numbers: dict[Hashable, int] = {}
    found = []
    for roll in rolls:
        sounding = roll[roll.any(1)]
        lowest = sounding.argmax(1)
        chords = [
            (int(step), (np.flatnonzero(frame) - low).astype(np.uint8).tobytes())
            for step, frame, low in zip(
                np.diff(lowest, prepend=lowest[:1]), sounding, lowest, strict=True
            )
        ]
        # A chord counts once, however long it is held.
        changes = [c for i, c in enumerate(chords) if i == 0 or c[0] or c[1] != chords[i - 1][1]]
        found.append(shingles(numbered(changes, numbers), 8))
    return found


def told(pairs: Sequence[tuple[int, int]]) -> str:
    """A remark on near-duplicates that were kept together; empty if there are none."""
    count = len({later for _, later in pairs})
    if not count:
        return ""
    verb = "document is" if count == 1 else "documents are"
    return f"{count} {verb} nearly the same as another, and kept in one set with it"
