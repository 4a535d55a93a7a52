"""Drawing symbols from logits, with random numbers that are a function of the position.

Nothing here depends on what else is in the tile: each row's draw uses its own logits, its
own settings and numbers hashed from (seed, position, lane).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream_rnn.codecs.base import Head

BISECTIONS = 40

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit."""
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


def uniforms(
    seeds: NDArray[np.int64], positions: NDArray[np.int64], lanes: int
) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), `[rows, lanes]`, in steps of 2**-32.

    Each is a hash of (seed, position, lane) alone.
    """
    with np.errstate(over="ignore"):
        row = _mix(_mix(seeds.astype(np.uint64) + _GOLDEN) + positions.astype(np.uint64) * _GOLDEN)
        lane = np.arange(1, lanes + 1, dtype=np.uint64) * _GOLDEN
        bits = _mix(row[:, None] + lane[None, :])
    return (bits >> np.uint64(32)).astype(np.float64) * 2.0**-32


def draw_lanes(head: Head, symbols: int) -> int:
    """How many uniform numbers one draw takes."""
    return 1 if head == "categorical" else symbols


def draw_categorical(
    logits: Tensor, uniform: Tensor, temperature: Tensor, top_k: Tensor, top_p: Tensor
) -> Tensor:
    """One index a row, by inversion of the cumulative distribution.

    Args:
        logits: `[rows, symbols]`; -inf for what must not be drawn.
        uniform: `[rows, 1]` in [0, 1).
        temperature: `[rows]`, 0 for the likeliest (the first of equals).
        top_k: `[rows]` int, 0 for no limit. Equals of the k-th stay in.
        top_p: `[rows]`, 1 for no limit (nucleus sampling, Holtzman et al. 2019).

    Returns:
        `[rows]` int64.
    """
    wide = logits.double()
    greedy = wide.argmax(1)
    scale = torch.where(temperature > 0, temperature, torch.ones_like(temperature)).double()
    scaled = (wide - wide.max(1, keepdim=True).values) / scale[:, None]
    weights = scaled.exp()
    limited = (top_k > 0) | (top_p < 1)
    if limited.any():
        # For every row, whether it is limited or not: a row's sums must not depend on how
        # many others are.
        weights = torch.where(limited[:, None], _truncated(weights, top_k, top_p), weights)
    cumulative = weights.cumsum(1)
    # u < 1 and in steps of 2**-32, so that u * total < total: an index of weight 0 is never hit.
    drawn = (cumulative <= uniform * cumulative[:, -1:]).sum(1)
    return torch.where(temperature > 0, drawn, greedy)


def _truncated(weights: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    """Weights with all but the likeliest symbols at 0; the likeliest always stays."""
    ordered = weights.sort(1, descending=True).values
    width = weights.shape[1]
    k = torch.where(top_k > 0, top_k, torch.full_like(top_k, width)).clamp(max=width).long()
    before = ordered.cumsum(1) - ordered  # weight of what is likelier
    p_count = (before < top_p[:, None].double() * ordered.sum(1, keepdim=True)).sum(1)
    count = torch.minimum(k, p_count.clamp(min=1))
    least = ordered.gather(1, (count - 1)[:, None])
    return torch.where(weights >= least, weights, torch.zeros_like(weights))


def draw_bernoulli(
    logits: Tensor, uniform: Tensor, temperature: Tensor, density: Tensor, allowed: Tensor
) -> Tensor:
    """Keys that sound, `[rows, keys]` bool, each on its own.

    Temperature alone would change how many keys sound: most have a chance below a half, which
    a low temperature takes away and a high one raises. So the logits are shifted, all of a row
    by as much, until as many keys are to be expected as at temperature 1. What temperature then
    decides is how surprising they are; how many is `density`'s to say.

    Args:
        logits: `[rows, keys]`.
        uniform: `[rows, keys]` in [0, 1).
        temperature: `[rows]`, 0 for the keys that are likelier than not.
        density: `[rows]`, added to each logit.
        allowed: `[rows, keys]` bool.
    """
    wide = logits.double() + density[:, None].double()
    warm = (temperature > 0)[:, None]
    scale = torch.where(warm, temperature[:, None], 1.0).double()
    shift = torch.zeros_like(scale)
    if bool((scale != 1).any()):
        shift = torch.where(scale == 1, shift, _balance(wide, scale, allowed))
    drawn = uniform < torch.sigmoid((wide + shift) / scale)
    return torch.where(warm, drawn, wide > 0) & allowed


def _balance(logits: Tensor, scale: Tensor, allowed: Tensor) -> Tensor:
    """The shift `[rows, 1]` that keeps the expected number of keys, by bisection."""
    wanted = (torch.sigmoid(logits) * allowed).sum(1, keepdim=True)
    reach = logits.abs().amax(1, keepdim=True) + 50 * scale
    low, high = -reach, reach
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        more = (torch.sigmoid((logits + middle) / scale) * allowed).sum(1, keepdim=True) > wanted
        low, high = torch.where(more, low, middle), torch.where(more, middle, high)
    return (low + high) / 2
