"""The functions of `numerics.functions` and `numerics.randoms`, on tensors of any device.

The same operations in the same order give the same bits, as long as each is rounded on its own. So
each is one call of torch's, which nothing contracts: no `addcmul`, no `lerp`, no `torch.compile`.
And nothing is divided by a number: on CUDA torch multiplies by its reciprocal instead.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stream_rnn.engine.numerics import functions

FAR = float(functions.FAR)
_ROUNDER = 12_582_912.0
_POWERS = tuple(map(float, functions.POWERS))
_LOGS = tuple(map(float, functions.LOGS))
_HALF_ROOT, _FRACTION = 0x3F3504F3, 0x007FFFFF


def bounded(t: Tensor) -> Tensor:
    """`t`, brought to -40 … 40."""
    return t.clamp(-FAR, FAR)


def exp2(t: Tensor) -> Tensor:
    """2 to the power of t; see `functions.exp2`."""
    whole = t + _ROUNDER
    f = t - (whole - _ROUNDER)
    p = f * _POWERS[0] + _POWERS[1]
    for c in _POWERS[2:]:
        p = p * f + c
    p = p * f + 1.0
    return (p.view(torch.int32) + (whole.view(torch.int32) << 23)).view(torch.float32)


def log2(x: Tensor) -> Tensor:
    """The logarithm of x; see `functions.log2`."""
    above = x.view(torch.int32) - _HALF_ROOT
    m = ((above & _FRACTION) + _HALF_ROOT).view(torch.float32)
    exponent = (above >> 23).float()
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    p = square * _LOGS[0] + _LOGS[1]
    p = p * square + _LOGS[2]
    p = p * square + _LOGS[3]
    return p * s + exponent


def squashed(t: Tensor) -> Tensor:
    """`(1 - 2**t) / (1 + 2**t)`."""
    power = exp2(bounded(t))
    return (1.0 - power) / (1.0 + power)


def chance(t: Tensor) -> Tensor:
    """`1 / (1 + 2**t)`."""
    return (1.0 + exp2(bounded(t))).reciprocal()


def centred(y: Tensor) -> Tensor:
    """A state from -1 to 1 in 8 bits with its sign, -127 … 127: `eight_bits(y) - 128`."""
    return ((y * 127.0 + 128.5).floor() - 128.0).to(torch.int8)


# Random numbers. torch has no arithmetic of 64 bits without a sign; a product or a sum is the same
# with one, modulo 2**64, and a shift to the right is when what it pulls in is taken off again.


def _signed(x: int) -> int:
    return x - (1 << 64) if x >> 63 else x


GOLDEN = _signed(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def _shifted(x: Tensor, by: int) -> Tensor:
    return (x >> by) & ((1 << (64 - by)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shifted(x, 30)) * _MIX_1
    x = (x ^ _shifted(x, 27)) * _MIX_2
    return x ^ _shifted(x, 31)


def hashes_of(seeds: Tensor, positions: Tensor) -> Tensor:
    """What the numbers of positions are made of, int64 `[rows]`."""
    return _mix(_mix(seeds + GOLDEN) + positions * GOLDEN)


def number_of(hashes: Tensor, lane: Tensor) -> Tensor:
    """The numbers of a lane, or of several, as float64: 0 to 2**32 - 1.

    Args:
        hashes: of `hashes_of`, in a form that fits the lanes'.
        lane: int64, the lane's number times `GOLDEN`.
    """
    return _shifted(_mix(hashes + lane), 32).double()


def random_numbers(hashes: Tensor, lanes: int) -> Tensor:
    """The numbers of the first lanes, `[rows, lanes]`; see `randoms.random_numbers`."""
    each = torch.arange(1, lanes + 1, device=hashes.device) * GOLDEN
    return number_of(hashes[:, None], each)
