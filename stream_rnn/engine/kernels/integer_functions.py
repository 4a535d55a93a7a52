# mypy: ignore-errors
# Numba has no types.
"""The functions of `numerics.functions`, compiled: of one number, inlined into vector loops."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from stream_rnn.engine.numerics.functions import FAR, LOGS, ONE, POWERS

INLINE = {"forceinline": True, "error_model": "numpy"}
ROUNDER = np.float32(12_582_912.0)
HALF = np.float32(0.5)
STATES, MIDDLE = np.float32(127.0), np.float32(128.5)
P5, P4, P3, P2, P1 = POWERS
D7, D5, D3, D1 = LOGS
HALF_ROOT, FRACTION = np.int32(0x3F3504F3), np.int32(0x007FFFFF)


@intrinsic
def as_float(typingctx, bits):
    """The float32 of some bits."""
    return types.float32(types.int32), lambda context, build, signature, args: build.bitcast(
        args[0], ir.FloatType()
    )


@intrinsic
def as_bits(typingctx, number):
    """The bits of a float32."""
    return types.int32(types.float32), lambda context, build, signature, args: build.bitcast(
        args[0], ir.IntType(32)
    )


@intrinsic
def bounded(typingctx, t):
    """A number brought to -40 … 40, which is never none (NaN): so each bound is one instruction."""

    def codegen(context, build, signature, args):
        kind, (value,) = ir.FloatType(), args
        for name, bound in (("maxnum", -FAR), ("minnum", FAR)):
            two = ir.FunctionType(kind, [kind, kind])
            function = build.module.declare_intrinsic(f"llvm.{name}", [kind], two)
            value = build.call(function, [value, kind(float(bound))], fastmath=("nnan",))
        return value

    return types.float32(types.float32), codegen


@njit(**INLINE)
def exp2(t):
    whole = t + ROUNDER
    f = t - (whole - ROUNDER)
    p = f * P5 + P4
    p = p * f + P3
    p = p * f + P2
    p = p * f + P1
    p = p * f + ONE
    return as_float(np.int32(as_bits(p) + np.int32(as_bits(whole) << np.int32(23))))


@njit(**INLINE)
def log2(x):
    above = np.int32(as_bits(x) - HALF_ROOT)
    m = as_float(np.int32((above & FRACTION) + HALF_ROOT))
    s = (m - ONE) / (m + ONE)
    q = s * s
    p = q * D7 + D5
    p = p * q + D3
    p = p * q + D1
    return p * s + np.float32(np.int32(above >> np.int32(23)))


@njit(**INLINE)
def squashed(t):
    power = exp2(bounded(t))
    return (ONE - power) / (ONE + power)


@njit(**INLINE)
def chance(t):
    return ONE / (ONE + exp2(bounded(t)))


@njit(**INLINE)
def eight_bits(y):
    # What is dropped is what `floor` would drop, since it is above 0.
    return np.uint8(np.int32(y * STATES + MIDDLE))
