"""What is written as NumPy computes as NumPy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from llvmlite import binding, ir
from numpy.typing import NDArray

from stream_rnn.engine.kernels.compiling import here, target_machine
from stream_rnn.engine.kernels.emit import Code, Value, write
from stream_rnn.engine.kernels.paths import PATHS
from stream_rnn.engine.numerics import functions

LANES = 4
Arrays = list[NDArray[Any]]


def run(body: Callable[..., None], *arrays: NDArray[Any]) -> None:
    """Writes, compiles and calls a function of some arrays."""
    module = ir.Module("test")
    write(module, "run", [[array.dtype] for array in arrays], outside=True)(body)
    machine = here(PATHS["plain"])
    module.triple = machine.triple
    parsed = binding.parse_assembly(str(module))
    parsed.verify()
    engine = binding.create_mcjit_compiler(parsed, target_machine(machine))
    engine.finalize_object()
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays))
    function(engine.get_function_address("run"))(*(array.ctypes.data for array in arrays))


def same(function: Callable[..., Any], *given: NDArray[Any]) -> None:
    """A function of NumPy's arrays gives the same of values, alone and in vectors."""
    wanted = np.asarray(function(*given))
    for lanes in (0, LANES):
        made = np.zeros_like(wanted, np.int64 if wanted.dtype == np.bool_ else None)

        def body(code: Code, *arrays: Any, lanes: int = lanes) -> None:
            with code.loop(len(wanted), step=lanes or 1) as i:
                found = function(*(array.vector(i, lanes) for array in arrays[:-1]))
                if found.dtype == np.bool_:
                    found = found.astype(np.int64)
                arrays[-1].put(i, found)

        run(body, *given, made)
        assert made.tobytes() == wanted.astype(made.dtype).tobytes()


FLOATS = np.array([-3.7, -0.0, 0.1, 1.5, 39.9, -41.0, 7e6, 2.5], np.float32)
OTHERS = np.array([2.0, 0.3, 0.1, -1.5, -7.25, 1e-20, 3.0, 2.5], np.float32)
SIGNED = np.array([-(2**31), -1, 0, 1, 77, 2**31 - 1, -128, 255], np.int32)
UNSIGNED = SIGNED.view(np.uint32)


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda a, b: a * b + np.float32(0.1) - a / b, (FLOATS, OTHERS)),
        (lambda a, b: np.minimum(np.maximum(a, b), np.float32(4.0)), (FLOATS, OTHERS)),
        (lambda a, b: (a < b) | (a >= np.float32(7.0)) & (a != b), (FLOATS, OTHERS)),
        (lambda a: (a >> np.int32(3)) ^ (a & np.int32(0x7FF)) - np.int32(5), (SIGNED,)),
        (lambda a: (a >> np.uint32(3)) + (a << np.uint32(23)), (UNSIGNED,)),
        (lambda a: a.astype(np.int64) * np.int64(3), (SIGNED,)),
        (lambda a: a.astype(np.int64) * np.int64(3), (UNSIGNED,)),
        (lambda a: a.astype(np.float32), (SIGNED,)),
        (lambda a: a.astype(np.float64), (UNSIGNED,)),
        (lambda a: a.astype(np.int16), (SIGNED,)),
        (lambda a: (a * np.float32(0.5)).astype(np.int32), (FLOATS,)),
        (lambda a: a.view(np.uint32) - np.uint32(7), (FLOATS,)),
        (functions.bounded, (FLOATS,)),
        (lambda a: functions.exp2(functions.bounded(a)), (FLOATS,)),
        (lambda a: functions.log2(functions.exp2(functions.bounded(a))), (FLOATS,)),
        (functions.squashed, (FLOATS,)),
        (functions.chance, (FLOATS,)),
        (lambda a: functions.eight_bits(functions.squashed(a)), (FLOATS,)),
    ],
)
def test_operations_are_numpys(function: Callable[..., Any], given: Arrays) -> None:
    same(function, *given)


def test_loops_conditions_and_parts_of_vectors() -> None:
    numbers, made = np.arange(1, 11, dtype=np.int64), np.full(8, 9, np.int64)

    def body(code: Code, numbers: Any, made: Any) -> None:
        total = code.variable(0, np.int64)
        with code.loop(10, start=2, step=3) as i:  # of 3, 6 and 9
            with code.when_else(numbers[i] > 5) as (more, less):
                with more:
                    total.now = total.now + numbers[i]
                with less:
                    total.now = total.now - numbers[i]
        made[0] = total.now
        with code.loop_while(lambda: total.now > 0):
            total.now = total.now - 5
        made[1] = total.now
        mask = code.places(LANES) < 3
        found = numbers.vector(8, LANES, code.places(LANES) < 2)  # the rest is not there
        made[2] = found.total()
        made.at(4).put(0, found, mask)
        made[3] = code.where(numbers[0] == 1, code.value(7, np.int64), 8)

    run(body, numbers, made)
    assert made.tolist() == [12, -3, 19, 7, 9, 10, 0, 9]


def test_the_largest_of_a_vector() -> None:
    made = np.zeros(1, np.float32)

    def body(code: Code, given: Any, made: Any) -> None:
        made[0] = given.vector(0, 8).largest()

    run(body, FLOATS, made)
    assert made[0] == FLOATS.max()


def test_kinds_are_not_mixed() -> None:
    def body(code: Code, floats: Any, integers: Any) -> None:
        value = floats[0]
        assert isinstance(value, Value)
        with pytest.raises(TypeError, match="int32 where float32"):
            value + integers[0]
        with pytest.raises(TypeError, match="no int32"):
            integers[0] + 0.5
        with pytest.raises(TypeError, match="no float32"):
            value + 0.1

    run(body, FLOATS.copy(), SIGNED.copy())
