# mypy: ignore-errors
# Numba and LLVM's builder have no types.
"""Products of 8-bit states and weights, compiled: by AVX-512 VNNI, AVX2, or plain loops.

All give the same sums, since sums of whole numbers do not depend on their order. A block of weights
is read once for several rows: that is what a batch gains.

AVX2 multiplies 16-bit numbers and adds pairs (`pmaddwd`). It has an instruction for 8 bits, too
(`pmaddubsw`), which is not used: it cuts off what does not fit into 16 bits.
"""

from __future__ import annotations

import numpy as np
from llvmlite import binding, ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from stream_rnn.engine.kernels.compiling import OPTIONS

PLAIN, AVX2, VNNI = 0, 1, 2
PATHS = {"plain": PLAIN, "avx2": AVX2, "avx512-vnni": VNNI}


def _features() -> set[str]:
    """What instructions Numba compiles for: this processor's, unless it was told otherwise."""
    if config.CPU_NAME is None and config.CPU_FEATURES is None:
        return {name for name, there in binding.get_host_cpu_features().items() if there}
    told = (config.CPU_FEATURES or "").split(",")
    return {name[1:] for name in told if name.startswith("+")}


_FEATURES = _features()
HAS = {
    PLAIN: True,
    AVX2: "avx2" in _FEATURES,
    VNNI: {"avx512vnni", "avx512bw"} <= _FEATURES,
}

LANES = {PLAIN: 8, AVX2: 8, VNNI: 16}  # columns in a vector
# Vectors in a block: with 4 rows, or 8, their sums fill the registers.
VECTORS = {PLAIN: 3, AVX2: 2, VNNI: 3}
GROUP = {PLAIN: 1, AVX2: 2, VNNI: 4}  # inputs that one instruction adds up
MOST_GROUP = 4
TOGETHER = 64  # rows for which a block of weights is read once


_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))


def pack(weights: NDArray[np.int8], path: int) -> NDArray[np.int8]:
    """Weights `[inputs, outputs]` as `[blocks, groups, vectors, lanes, group]`, padded with 0."""
    lanes, group, vectors = LANES[path], GROUP[path], VECTORS[path]
    inputs, outputs = weights.shape
    width = vectors * lanes
    blocks, groups = -(-outputs // width), padded(inputs) // group
    wide = np.zeros((groups * group, blocks * width), np.int8)
    wide[:inputs, :outputs] = weights
    shaped = wide.reshape(groups, group, blocks, vectors, lanes)
    return np.ascontiguousarray(shaped.transpose(2, 0, 3, 4, 1))


def padded(inputs: int) -> int:
    """States of a row, as many as any path takes at once."""
    return -(-inputs // MOST_GROUP) * MOST_GROUP


def columns(outputs: int, path: int) -> int:
    """Sums of a row, with the padding of the last block."""
    width = VECTORS[path] * LANES[path]
    return -(-outputs // width) * width


def _make_block(path, rows):
    """`c[rows, VECTORS * LANES] = a[rows, GROUP * groups]` times a packed block.

    Arguments are addresses, and the bytes from a row to the next.
    """
    lanes, vectors = LANES[path], VECTORS[path]
    sums_type = ir.VectorType(_I32, lanes)

    @intrinsic
    def block(typingctx, a, a_stride, b, c, c_stride, groups):
        signature = types.void(*(types.int64,) * 6)

        def codegen(context, build, signature, args):
            if not HAS[path]:  # nobody will come here
                return context.get_dummy_value()
            a, a_stride, b, c, c_stride, groups = args
            multiply = _avx2(build) if path == AVX2 else _vnni(build)
            step = 64 if path == VNNI else 16  # bytes of a packed vector
            entry = build.block
            loop, done = build.append_basic_block(), build.append_basic_block()
            row = [build.add(a, build.mul(a_stride, _I64(m))) for m in range(rows)]
            build.branch(loop)
            build.position_at_end(loop)
            k = build.phi(_I64)
            k.add_incoming(_I64(0), entry)
            sums = [[build.phi(sums_type) for _ in range(vectors)] for _ in range(rows)]
            for s in sum(sums, []):
                s.add_incoming(ir.Constant(sums_type, [0] * lanes), entry)
            start = build.add(b, build.mul(k, _I64(step * vectors)))
            weights = [
                _load(build, build.add(start, _I64(step * v)), ir.VectorType(_I8, step), 16)
                for v in range(vectors)
            ]
            if path == AVX2:
                weights = [build.sext(w, ir.VectorType(_I16, 16)) for w in weights]
            new = []
            for m in range(rows):
                group = _load(build, build.add(row[m], build.mul(k, _I64(4))), _I32, 4)
                none = ir.Constant(sums_type, ir.Undefined)
                states = build.insert_element(none, group, _I32(0))
                states = build.shuffle_vector(
                    states, none, ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes)
                )
                new.append([multiply(sums[m][v], states, weights[v]) for v in range(vectors)])
            after = build.add(k, _I64(1))
            k.add_incoming(after, loop)
            for m in range(rows):
                for v in range(vectors):
                    sums[m][v].add_incoming(new[m][v], loop)
            build.cbranch(build.icmp_signed("<", after, groups), loop, done)
            build.position_at_end(done)
            for m in range(rows):
                for v in range(vectors):
                    at = build.add(c, build.add(build.mul(c_stride, _I64(m)), _I64(4 * lanes * v)))
                    build.store(new[m][v], build.inttoptr(at, sums_type.as_pointer())).align = 4
            return context.get_dummy_value()

        return signature, codegen

    return block


def _load(build, at, kind, align):
    value = build.load(build.inttoptr(at, kind.as_pointer()), typ=kind)
    value.align = align
    return value


def _avx2(build):
    short, wide = ir.VectorType(_I16, 16), ir.VectorType(_I32, 8)
    function = cgutils.get_or_insert_function(
        build.module, ir.FunctionType(wide, [short, short]), "llvm.x86.avx2.pmadd.wd"
    )

    def multiply(total, states, weights):
        return build.add(total, build.call(function, [build.bitcast(states, short), weights]))

    return multiply


def _vnni(build):
    wide = ir.VectorType(_I32, 16)
    function = cgutils.get_or_insert_function(
        build.module, ir.FunctionType(wide, [wide] * 3), "llvm.x86.avx512.vpdpbusd.512"
    )

    def multiply(total, states, weights):
        return build.call(function, [total, states, build.bitcast(weights, wide)])

    return multiply


_avx2_4, _avx2_1 = (_make_block(AVX2, rows) for rows in (4, 1))
_vnni_8, _vnni_4, _vnni_1 = (_make_block(VNNI, rows) for rows in (8, 4, 1))


@njit(**OPTIONS)
def product(path, rows, states, bytes_, weights, at, blocks, groups, shift, sums):
    """Sums `[rows, columns]` of the states of so many rows, in place.

    Args:
        path: whose packing the weights have.
        states: int16 `[rows, padded]`, -127 to 127; what AVX2 and the plain loops take.
        bytes_: uint8 `[rows, padded]`, 1 to 255; what VNNI takes.
        weights: int8, flat; from `at` on those of `pack`, so many blocks of so many groups.
        shift: int32 `[columns]`: 128 times each output's weights.
    """
    to, stride = sums.ctypes.data, sums.strides[0]
    for j in range(blocks):
        m = 0
        if path == AVX2:
            place = weights.ctypes.data + at + j * groups * 32
            start, step, column = states.ctypes.data, states.strides[0], to + j * 64
            while m + 4 <= rows:
                _avx2_4(start + m * step, step, place, column + m * stride, stride, groups)
                m += 4
            while m < rows:
                _avx2_1(start + m * step, step, place, column + m * stride, stride, groups)
                m += 1
        elif path == VNNI:
            place = weights.ctypes.data + at + j * groups * 192
            start, step, column = bytes_.ctypes.data, bytes_.strides[0], to + j * 192
            while m + 8 <= rows:
                _vnni_8(start + m * step, step, place, column + m * stride, stride, groups)
                m += 8
            while m + 4 <= rows:
                _vnni_4(start + m * step, step, place, column + m * stride, stride, groups)
                m += 4
            while m < rows:
                _vnni_1(start + m * step, step, place, column + m * stride, stride, groups)
                m += 1
            for m in range(rows):
                for i in range(j * 48, (j + 1) * 48):
                    sums[m, i] -= shift[i]
        else:
            for m in range(rows):
                total, state = sums[m, j * 24 : (j + 1) * 24], states[m]
                for i in range(24):
                    total[i] = 0
                for g in range(groups):
                    first = at + (j * groups + g) * 24
                    factor, row = np.int32(state[g]), weights[first : first + 24]
                    for i in range(24):
                        total[i] += np.int32(factor * np.int32(row[i]))
