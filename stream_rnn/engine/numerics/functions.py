"""The functions of the integer step: float32 operations that IEEE 754 fixes, in one written order.

No mathematics library, and no fused multiply-add: NumPy rounds each operation on its own. All take
and give arrays, element by element.

They are also what the compiled kernels do: `kernels.emit` runs them on values that write machine
code. So they use operators, `astype` and `view`, and of NumPy's functions the two in `bounded`.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LOG2E = 1.4426950408889634  # float64: how many doublings an e-folding is
FAR = np.float32(40.0)  # doublings; exponents beyond are as good as infinite

ONE = np.float32(1.0)
_ROUNDER = np.float32(12_582_912.0)  # 1.5 * 2**23: a float of this size has no fraction
# 2**f = 1 + f * (c1 + f * (...)) for f from -1/2 to 1/2, to within 2e-7 of itself.
POWERS = tuple(
    np.float32(float.fromhex(c))
    for c in ("0x1.5bba08p-10", "0x1.3cea88p-7", "0x1.c6b754p-5", "0x1.ebf9bcp-3", "0x1.62e42ap-1")
)
_HALF_ROOT = np.uint32(0x3F3504F3)  # the bits of the square root of 1/2
_FRACTION = np.uint32(0x007FFFFF)
_EXPONENT = np.uint32(23)
# log2(m) = s * (d1 + s*s * (d3 + s*s * (d5 + s*s * d7))), s = (m - 1) / (m + 1): 2 / (k ln 2)
LOGS = tuple(
    np.float32(float.fromhex(c))
    for c in ("0x1.a61762p-2", "0x1.2776c6p-1", "0x1.ec709ep-1", "0x1.715476p+1")
)


def bounded(t: Floats) -> Floats:
    """`t`, brought to -40 … 40."""
    return np.minimum(np.maximum(t, -FAR), FAR)


def exp2(t: Floats) -> Floats:
    """2 to the power of t, for t from -126 to 126: exact for whole t, else to 2e-7 of itself.

    The nearest whole number goes to the exponent's bits, the rest through a polynomial.
    """
    whole = t + _ROUNDER
    f = t - (whole - _ROUNDER)
    p = f * POWERS[0] + POWERS[1]
    for c in POWERS[2:]:
        p = p * f + c
    p = p * f + ONE
    bits: NDArray[np.uint32] = p.view(np.uint32) + (whole.view(np.uint32) << _EXPONENT)
    return bits.view(np.float32)


def log2(x: Floats) -> Floats:
    """The logarithm of x, for normal x above 0."""
    above = x.view(np.uint32) - _HALF_ROOT  # so that m lies between sqrt(1/2) and sqrt(2)
    m = ((above & _FRACTION) + _HALF_ROOT).view(np.float32)
    exponent = (above.view(np.int32) >> np.int32(23)).astype(np.float32)
    s = (m - ONE) / (m + ONE)
    square = s * s
    p = square * LOGS[0] + LOGS[1]
    p = p * square + LOGS[2]
    p = p * square + LOGS[3]
    return cast(Floats, p * s + exponent)


def squashed(t: Floats) -> Floats:
    """`(1 - 2**t) / (1 + 2**t)`: the hyperbolic tangent of x for `t = -2 x log2(e)`."""
    power = exp2(bounded(t))
    return (ONE - power) / (ONE + power)


def chance(t: Floats) -> Floats:
    """`1 / (1 + 2**t)`: the logistic function of x for `t = -x log2(e)`."""
    return ONE / (ONE + exp2(bounded(t)))


def eight_bits(y: Floats) -> NDArray[np.uint8]:
    """A state from -1 to 1 as 1 … 255; zero is 128."""
    # What is dropped is what `floor` would drop, since it is above 0.
    return cast(NDArray[np.uint8], (y * np.float32(127.0) + np.float32(128.5)).astype(np.uint8))


def sharpness(temperature: NDArray[np.float64], doublings: float = LOG2E) -> Floats:
    """`doublings / temperature` in float64, at most 2**64, as float32; 1 where that is 0.

    Args:
        doublings: how many one unit is of what is divided by the temperature.
    """
    warm = np.where(temperature > 0, np.maximum(temperature, 2.0**-64), doublings)
    return np.minimum(doublings / warm, 2.0**64).astype(np.float32)
