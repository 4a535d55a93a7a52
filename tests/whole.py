"""What tests of the integer step need: networks written down by a formula, and streams of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.kernels import Kernel
from stream_rnn.engine.numerics.functions import sharpness
from stream_rnn.engine.numerics.randoms import mix
from stream_rnn.engine.numerics.states import Draw, SlotSettings, State
from stream_rnn.nets.architecture import Architecture
from stream_rnn.nets.quantised import QuantisedNetwork, quantise

CELLS = ("lstm", "mi-lstm", "gru", "tanh")
HEADS = ("categorical", "bernoulli", "nade")

# Hashes of `golden` streams of 300 symbols; for shipped models see `goldens`. They change if a bit
# of docs/numerics.md does: then the numerics have another name.
WRITTEN = {
    "lstm": "24874be374d1f059", "mi-lstm": "4a1a5835d348c8c1", "gru": "8c72411eb2646db0",
    "tanh": "d69f15b8478719e6", "bernoulli": "94fb0d28d4cd7cb4", "nade": "7c7654db49822cca",
}  # fmt: skip


def written_tensors(a: Architecture) -> dict[str, NDArray[np.float32]]:
    """Weights that are the same on every machine: hashes, and no generator or function."""
    made = {}
    for number, (name, shape) in enumerate(a.tensors().items()):
        places = np.arange(np.prod(shape), dtype=np.uint64) + np.uint64(number << 32)
        uniform = (mix(mix(places)) >> np.uint64(40)) * 2.0**-23 - 1  # -1 to 1
        size = 3.0 / np.sqrt(a.hidden) if len(shape) == 2 else 0.5
        if name == "recurrent.weight_ih_l0":
            size = 1.5
        made[name] = (uniform * size).astype(np.float32).reshape(shape)
    return made


def written_network(
    cell: str = "lstm", head: str = "categorical", *, hidden: int = 24, layers: int = 2,
    symbols: int = 11, artists: int = 3,
) -> QuantisedNetwork:  # fmt: skip
    """A small network."""
    units = 8 if head == "nade" else 0
    a = Architecture(symbols, artists, hidden, layers, head, cell, head_hidden=units)  # type: ignore[arg-type]
    return quantise(a, written_tensors(a))


def written_kind(name: str) -> QuantisedNetwork:
    """The network of a name in `WRITTEN`."""
    return written_network(name) if name in CELLS else written_network("lstm", name, symbols=20)


def arrays_of(network: QuantisedNetwork) -> Iterator[NDArray[Any]]:
    """All numbers of a network."""
    products = [p for layer in network.layers for p in (layer.own, layer.below)]
    for product in (*products, network.output, network.keys):
        if product:
            yield from (product.weights, product.scale)
    for layer in network.layers:
        yield from (layer.bias, layer.parameters)
    yield from (network.table, network.artists, network.output_bias)
    if network.voices is not None:
        yield network.voices


def hash_of(network: QuantisedNetwork) -> str:
    """A hash of all numbers of a network."""
    made = hashlib.sha256()
    for array in arrays_of(network):
        made.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return made.hexdigest()[:16]


def draw_by(
    a: Architecture, rows: int, *, seed: Any = 7, position: Any = 0, temperature: Any = 1.0,
    top_k: Any = 0, top_p: Any = 1.0, density: Any = 0.0, may: NDArray[np.bool_] | None = None,
) -> Draw:  # fmt: skip
    """Settings of so many rows, from numbers or arrays."""

    def filled(value: Any, dtype: Any) -> NDArray[Any]:
        return np.array(np.broadcast_to(np.asarray(value, dtype), rows))

    everything = np.ones((rows, a.symbols), np.bool_)
    return Draw(
        filled(seed, np.int64), filled(position, np.int64), filled(temperature, np.float64),
        filled(top_k, np.int64), filled(top_p, np.float64), filled(density, np.float64),
        everything if may is None else np.array(np.broadcast_to(may, everything.shape)),
    )  # fmt: skip


LOG: Sequence[Mapping[str, Any]] = (
    {},
    {"temperature": 0.7},
    {"temperature": 1.3, "top_k": 5, "density": 0.5},
    {"temperature": 0.9, "top_p": 0.8},
    {"temperature": 0.0},
    {"temperature": 1.1, "top_k": 9, "top_p": 0.95, "seed": 2**53 - 1, "density": -0.4},
)
"""Controls that are in force one after the other, each for an equal part of a stream."""


def golden(kernel: Any, length: int, *, seed: int = 7) -> str:
    """A hash of a stream of so many symbols under `LOG`, and of the state behind it.

    Of the first artist at first, and from the third entry on of a blend.
    """
    a = kernel.architecture
    state: State = kernel.zero_state(1)
    before = np.zeros((1, a.symbols) if a.keys else 1, np.int64)
    digest = hashlib.sha256()
    for n in range(length):
        entry = n * len(LOG) // length
        blend = ([0.5, 0.3, 0.2] if entry > 2 else [1.0])[: a.artists]
        constants = kernel.constant(blend)[None]
        state = kernel.step(before, constants, state)
        by = draw_by(a, 1, position=n, **{"seed": seed, **LOG[entry]})
        before = kernel.draw(kernel.outputs(state), by).astype(np.int64)
        digest.update(before.astype("<i8").tobytes())
    digest.update(kernel.export_state(state))
    return digest.hexdigest()[:16]


def golden_by_advance(kernel: Kernel, length: int, *, seed: int = 7) -> str:
    """The same of a kernel, by what an engine calls; two places of its room take turns."""
    a = kernel.architecture
    now = SlotSettings(
        np.zeros((1, kernel.gates), np.float32), np.zeros(1, np.int64), np.zeros(1),
        np.zeros(1, np.float32), np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.float32),
        np.ones((1, a.symbols), np.uint8),
    )  # fmt: skip
    room, symbol = kernel.room(2), np.zeros((1, a.symbols if a.keys else 1), np.int64)
    kernel.put(room, 0, kernel.zero_state(1))
    digest, slot, entered = hashlib.sha256(), np.zeros(1, np.int64), -1
    for n in range(length):
        entry = n * len(LOG) // length
        if entry != entered:
            entered, asked = entry, {"temperature": 1.0, "top_p": 1.0, "seed": seed, **LOG[entry]}
            for name in ("seed", "temperature", "top_k", "top_p", "density"):
                getattr(now, name)[0] = asked.get(name, 0)
            doublings = {"doublings": 1.0} if a.head == "nade" else {}
            now.sharp[:] = sharpness(now.temperature, **doublings)
            now.constant[0] = kernel.constant(
                ([0.5, 0.3, 0.2] if entry > 2 else [1.0])[: a.artists]
            )
            kernel.changed(0)
        at = np.array([n % 2])
        kernel.advance(symbol, slot, np.array([n]), now, at, 1 - at, room, symbol)
        digest.update(symbol.astype("<i8").tobytes())
    digest.update(kernel.export_state(kernel.get(room, length % 2)))
    return digest.hexdigest()[:16]
