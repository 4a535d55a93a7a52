"""Whether a kernel gives the reference's bits, here: tried with some rows of each kind of draw."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator, default_rng

from stream_rnn.engine.kernels.protocol import Kernel
from stream_rnn.engine.kernels.reference import ReferenceKernel
from stream_rnn.engine.numerics.functions import sharpness
from stream_rnn.engine.numerics.states import SlotSettings, State
from stream_rnn.nets.architecture import Architecture
from stream_rnn.nets.quantised import QuantisedNetwork

_TRIALS = ((3, False), (40, True))  # rows; and whether every control is used


def gives_the_references_bits(kernel: Kernel, network: QuantisedNetwork) -> bool:
    """Whether states and symbols of some steps are those of the definition."""
    reference = ReferenceKernel(network)
    return all(
        outcome(kernel, network.architecture, rows, bends=bends)
        == outcome(reference, network.architecture, rows, bends=bends)
        for rows, bends in _TRIALS
    )


def outcome(kernel: Kernel, a: Architecture, rows: int, *, seed: int = 1, bends: bool) -> bytes:
    """What a kernel makes of some rows: symbols, and states.

    Args:
        bends: whether every control is used, or each row is drawn as at first.
    """
    dice, places = default_rng(seed), 2 * rows
    settings = some_settings(kernel, a, rows, dice, bends=bends)
    room, zero = kernel.room(places), kernel.zero_state(1)
    most = 1.0 if a.cell == "gru" else 3.0  # the GRU's cell is its state
    for place in range(places):
        hidden = dice.integers(1, 256, zero.hidden.shape).astype(np.uint8)
        cell = dice.uniform(-most, most, zero.cell.shape).astype(np.float32)
        kernel.put(room, place, State(hidden, cell))
    symbols = dice.integers(0, 2 if a.keys else a.symbols, (rows, a.symbols if a.keys else 1))
    slots, order = dice.permutation(rows), dice.permutation(places)
    positions, made = dice.integers(0, 2**40, rows), np.zeros_like(symbols)
    at, after = order[:rows], order[rows:]
    kernel.advance(symbols, slots, positions, settings, at, after, room, made)
    states = (kernel.export_state(kernel.get(room, place)) for place in range(places))
    return b"".join((made.tobytes(), *states))


def some_settings(
    kernel: Kernel, a: Architecture, slots: int, dice: Generator, *, bends: bool
) -> SlotSettings:
    """Settings of some slots."""
    temperature = dice.choice([0, 1e-9, 0.5, 1, 1.5] if bends else [0, 1], slots).astype(float)
    blends = dice.random((slots, a.artists))
    turns = a.symbols if bends else 1
    return SlotSettings(
        constant=np.stack([kernel.constant(blend) for blend in blends.tolist()]),
        seed=dice.integers(-(2**62), 2**62, slots),
        temperature=temperature,
        sharp=sharpness(temperature, **({"doublings": 1.0} if a.head == "nade" else {})),
        top_k=dice.integers(0, 4, slots) * bends,
        top_p=dice.choice([0.0, 0.5, 0.9, 1], slots) if bends else np.ones(slots),
        density=dice.normal(size=slots).astype(np.float32),
        may=(dice.random((slots if a.keys else turns, a.symbols)) < 0.8).astype(np.uint8),
    )
