"""A trial of a compiled kernel on this machine: does it give the bits of the reference?

An engine makes it when it starts, in some milliseconds. It finds an instruction that computes
something else than it should, or a compiler that fuses or reorders operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.kernels.reference import ReferenceKernel
from stream_rnn.engine.numerics.randoms import mix
from stream_rnn.engine.numerics.states import Draw, State
from stream_rnn.nets.architecture import Architecture
from stream_rnn.nets.quantised import QuantisedNetwork, quantise

ROWS = 19  # more than are multiplied at once, and no multiple
# An odd number of units and symbols: whole vectors, and what is left of them.
SIZES = {"symbols": 21, "artists": 2, "hidden": 75, "layers": 2}


def differs(make: Callable[[QuantisedNetwork], Any]) -> str:
    """What a kernel computes differently from the reference; empty if nothing."""
    a = Architecture(**SIZES, head="categorical")  # type: ignore[arg-type]
    tensors = {
        name: _tensor(number, shape) for number, (name, shape) in enumerate(a.tensors().items())
    }
    # The largest weights everywhere: sums that an instruction might cut off.
    tensors["output.weight"] = np.sign(tensors["output.weight"])
    tensors["output.weight"][0], tensors["output.weight"][1] = 1, -1
    network = quantise(a, tensors)
    kernel, reference = make(network), ReferenceKernel(network)
    symbols = (_hashes(100, ROWS) % np.uint64(a.symbols)).astype(np.int64)
    constants = np.stack([reference.constant((0.25, row / ROWS)) for row in range(ROWS)])
    hidden = _hashes(101, a.layers * ROWS * a.hidden) % np.uint64(255) + np.uint64(1)
    hidden = hidden.astype(np.uint8).reshape(a.layers, ROWS, a.hidden)
    hidden[:, 0], hidden[:, 1] = 255, 1
    state = State(hidden, _uniform(102, hidden.shape))
    by = Draw(
        np.arange(ROWS) * 7919, np.arange(ROWS), np.linspace(0, 1.8, ROWS), np.arange(ROWS) % 4,
        np.where(np.arange(ROWS) % 3, 1.0, 0.7), np.zeros(ROWS),
        _hashes(103, ROWS * a.symbols).reshape(ROWS, -1) % np.uint64(4) > 0,
    )  # fmt: skip
    before, after = kernel.outputs(state), kernel.step(symbols, constants, state)
    wanted = reference.step(symbols, constants, state)
    drawn = kernel.draw(reference.outputs(wanted), by)
    found = {
        "outputs": (before, reference.outputs(state)),
        "states": (after.hidden, wanted.hidden),
        "cells": (after.cell, wanted.cell),
        "symbols": (drawn, reference.draw(reference.outputs(wanted), by)),
    }
    wrong = [name for name, pair in found.items() if not _same_bits(*pair)]
    return f"its {', '.join(wrong)} are not those of the definition" if wrong else ""


def _same_bits(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def _hashes(number: int, count: int) -> NDArray[np.uint64]:
    return mix(mix(np.arange(count, dtype=np.uint64) + np.uint64(number << 32)))


def _uniform(number: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Numbers from -1 to 1 that are the same on every machine."""
    hashes = _hashes(number, int(np.prod(shape))) >> np.uint64(40)
    return (hashes * 2.0**-23 - 1).astype(np.float32).reshape(shape)


def _tensor(number: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Weights with which gates are neither all open nor all shut."""
    return _uniform(number, shape) * np.float32(0.3 if len(shape) == 2 else 0.5)
