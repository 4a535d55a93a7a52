"""Compares songs by the state in which each leaves a network: nearest neighbours, and a map.

States are compared by the cosine of their angle, after scaling every cell alike (`standardised`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

PERPLEXITY = 20.0  # about how many neighbours each song has on the map
STEPS = 500
EXAGGERATED = 100  # the first steps, in which attraction is multiplied by EXAGGERATION
EXAGGERATION = 12.0


def standardised(states: NDArray[Any]) -> Matrix:
    """Scales each column of `[songs, cells]` to mean 0 and variance 1; constant ones to 0."""
    centred = np.asarray(states, np.float64) - states.mean(0)
    spread = centred.std(0)
    return np.asarray(centred / np.where(spread > 1e-9, spread, 1.0))


def similarities(states: Matrix) -> Matrix:
    """The cosine between every two rows, `[songs, songs]`, -1 to 1."""
    length = np.linalg.norm(states, axis=1, keepdims=True)
    unit = states / np.where(length > 0, length, 1.0)
    return np.asarray(unit @ unit.T)


def nearest(similar: Matrix, most: int) -> NDArray[np.int64]:
    """The `most` nearest others of each song, `[songs, most]`, the nearest first."""
    others = similar.copy()
    np.fill_diagonal(others, -np.inf)
    most = min(most, len(others) - 1)
    return np.asarray(np.argsort(-others, axis=1, kind="stable")[:, :most])


def closest_pairs(similar: Matrix, most: int) -> list[tuple[int, int, float]]:
    """Pairs of songs, the closest first; each song is in at most one pair."""
    first, second = np.triu_indices(len(similar), 1)
    taken: set[int] = set()
    pairs = []
    for i in np.argsort(-similar[first, second], kind="stable"):
        pair = (int(first[i]), int(second[i]))
        if taken.isdisjoint(pair):
            taken.update(pair)
            pairs.append((*pair, float(similar[pair])))
        if len(pairs) == most:
            break
    return pairs


def same_artist(neighbours: NDArray[np.int64], artists: Sequence[int]) -> tuple[float, float]:
    """The share of nearest neighbours by the same artist, and the share expected by chance."""
    by = np.array(artists)
    counts = np.bincount(by)
    chance = float((counts * (counts - 1)).sum() / (len(by) * max(1, len(by) - 1)))
    return float((by[neighbours[:, 0]] == by).mean()), chance


def principal(states: Matrix) -> Matrix:
    """The two principal components, `[songs, 2]`, each with its largest value positive."""
    centred = states - states.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(states), 2))
    found = (left * sizes)[:, :2]
    # A component's sign has no meaning, and may differ between machines.
    found = found * np.where(np.abs(found.min(0)) > found.max(0), -1.0, 1.0)
    places[:, : found.shape[1]] = found
    return places


def neighbour_map(
    states: Matrix, *, progress: Callable[[int], object] = lambda steps: None
) -> Matrix:
    """A map in which neighbours stay neighbours: t-SNE (van der Maaten and Hinton 2008).

    The map begins with the principal components, so that it is the same each time. The learning
    rate depends on the number of songs (Belkina et al. 2019): with a larger one, if two songs are
    nearly the same, single songs fly far out, and the rest of the map shrinks to a dot.

    Args:
        states: `[songs, cells]`.
        progress: called with the number of steps done since the last call.

    Returns:
        `[songs, 2]`.
    """
    count = len(states)
    start = principal(states)
    if count < 4:
        return start
    near = _affinities(_distances(states), min(PERPLEXITY, (count - 1) / 3))
    places = start / max(float(start[:, 0].std()), 1e-12) * 1e-4
    speed, gain = np.zeros_like(places), np.ones_like(places)
    rate = count / EXAGGERATION
    for step in range(STEPS):
        early = step < EXAGGERATED
        closeness = 1.0 / (1.0 + _distances(places))
        np.fill_diagonal(closeness, 0.0)
        wanted = near * (EXAGGERATION if early else 1.0)
        force = (wanted - closeness / closeness.sum()) * closeness
        slope = 4.0 * (force.sum(1)[:, None] * places - force @ places)
        turned = (slope > 0) == (speed > 0)
        gain = np.maximum(np.where(turned, gain * 0.8, gain + 0.2), 0.01)
        speed = (0.5 if early else 0.8) * speed - rate * gain * slope
        places = places + speed
        places -= places.mean(0)
        progress(1)
    return places


def _distances(points: Matrix) -> Matrix:
    """The squared distances, `[songs, songs]`."""
    sizes = (points * points).sum(1)
    found = np.maximum(sizes[:, None] + sizes[None] - 2.0 * points @ points.T, 0.0)
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def _affinities(distances: Matrix, perplexity: float) -> Matrix:
    """The affinity of every two songs; each song has about `perplexity` neighbours."""
    count = len(distances)
    far = distances.copy()
    np.fill_diagonal(far, np.inf)
    far -= far.min(1, keepdims=True)
    low, high = np.full(count, -40.0), np.full(count, 40.0)
    for _ in range(50):  # bisects the logarithm of each song's precision
        middle = (low + high) / 2
        given = np.exp(-far * np.exp(middle)[:, None] / max(float(distances.mean()), 1e-12))
        given /= given.sum(1, keepdims=True)
        entropy = -(given * np.log(np.maximum(given, 1e-300))).sum(1)
        wide = entropy > np.log(perplexity)
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    return np.asarray(np.maximum((given + given.T) / (2 * count), 1e-12))
