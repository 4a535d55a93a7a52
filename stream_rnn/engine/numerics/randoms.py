"""Random numbers that are a function of (seed, position, lane), and of nothing else."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_HALF = np.uint64(32)


def mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit."""
    x = (x ^ (x >> _SHIFT_1)) * _MIX_1
    x = (x ^ (x >> _SHIFT_2)) * _MIX_2
    return x ^ (x >> _SHIFT_3)


def row_hash(seeds: NDArray[np.uint64], positions: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """What the numbers of a position are made of: `mix(row_hash + lane * GOLDEN)`'s upper half."""
    return mix(mix(seeds + GOLDEN) + positions * GOLDEN)


@lru_cache
def _lanes(count: int) -> NDArray[np.uint64]:
    return np.arange(1, count + 1, dtype=np.uint64) * GOLDEN


def random_numbers(
    seeds: NDArray[np.int64], positions: NDArray[np.int64], lanes: int
) -> NDArray[np.uint32]:
    """Numbers from 0 to 2**32 - 1, `[rows, lanes]`: the upper halves of hashes."""
    row = row_hash(seeds.view(np.uint64), positions.view(np.uint64))
    return (mix(row[:, None] + _lanes(lanes)) >> _HALF).astype(np.uint32)
