"""The integer kernel: numerics 1, compiled by Numba. Step and draw of a batch in one call.

`docs/numerics.md` is what it does; `reference` is what it is held against. No torch.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.kernels import compiling
from stream_rnn.engine.kernels.integer_batch import DRAW, OUTPUTS, STEP, advance, bundle
from stream_rnn.engine.kernels.integer_packing import adds_up, make_room, pack_network
from stream_rnn.engine.kernels.integer_products import AVX2, HAS, PATHS, PLAIN, VNNI
from stream_rnn.engine.numerics.functions import Floats, sharpness
from stream_rnn.engine.numerics.layout import lay_out
from stream_rnn.engine.numerics.states import Draw, SlotSettings, State, WholeStates, turned
from stream_rnn.errors import ConfigError
from stream_rnn.nets.architecture import Architecture
from stream_rnn.nets.quantised import QuantisedNetwork, quantise

log = logging.getLogger("stream_rnn.engine")


def choose_path(name: str | None = None) -> int:
    """The path of a name, or the fastest that this processor has and that adds up right.

    Args:
        name: of `integer_products.PATHS`; what `STREAM_RNN_KERNEL` says if absent.

    Raises:
        ConfigError: there is no such path, or this processor does not have it.
    """
    name = name or os.environ.get("STREAM_RNN_KERNEL") or None
    if name is None:
        return next(path for path in (VNNI, AVX2, PLAIN) if HAS[path] and adds_up(path))
    if name not in PATHS:
        raise ConfigError(f"STREAM_RNN_KERNEL is {name!r}; it may be {', '.join(PATHS)}")
    if not HAS[PATHS[name]]:
        raise ConfigError(f"STREAM_RNN_KERNEL is {name!r}, which this processor does not have")
    return PATHS[name]


@cache
def compile_once() -> None:
    """Compiles what an engine calls, or loads it where that was done before.

    It says so if it compiles, which takes some seconds.
    """
    if not compiling.is_cached():
        kept = compiling.FOLDER or "nowhere, since there is no folder that can be written"
        log.info("compiling the network's step for this processor; it is kept in %s", kept)
    a = Architecture(symbols=2, artists=0, hidden=1, layers=1, head="categorical")
    kernel = IntegerKernel(quantise(a, {n: np.zeros(s) for n, s in a.tensors().items()}))
    one, settings = (
        np.zeros(1, np.int64),
        kernel.settings(_nothing(1), np.zeros((1, 4), np.float32)),
    )
    settings = settings._replace(may=np.ones((1, 2), np.uint8))
    room, symbol = kernel.room(1), np.zeros((1, 1), np.int64)
    kernel.advance(symbol, one, one, settings, one, one, room, symbol)


class IntegerKernel(WholeStates):
    """`ReferenceKernel`, compiled; and `advance`, which is what an engine calls.

    Args:
        path: see `choose_path`.
    """

    def __init__(self, network: QuantisedNetwork, path: str | None = None) -> None:
        layout = lay_out(network)  # not kept: what is packed is all that is needed
        super().__init__(layout)
        self.path = choose_path(path)
        self._packed = pack_network(layout, self.path)
        self._room = make_room(layout, self.path)
        self._given: tuple[SlotSettings, State] | None = None  # what `_bundle` is of
        self._bundle: NDArray[np.int64] = np.zeros((0, 4), np.int64)

    def advance(
        self,
        symbols: NDArray[np.int64],
        slots: NDArray[np.int64],
        positions: NDArray[np.int64],
        settings: SlotSettings,
        at: NDArray[np.int64],
        after: NDArray[np.int64],
        state: State,
        made: NDArray[np.int64],
        *,
        draw: bool = True,
    ) -> None:
        """Steps any number of rows, and draws for them; see `Kernel.advance`.

        SlotSettings and states are looked at in place: whoever changes a number in one of them need
        not tell. They are to be the same two objects from call to call, which is faster.
        """
        given = self._given
        if given is None or given[0] is not settings or given[1] is not state:
            self._given = settings, state
            self._bundle = bundle(self._packed, settings, state, self._room)
        parts = STEP | OUTPUTS | DRAW if draw else STEP
        advance(parts, self._bundle, symbols, slots, positions, at, after, made)

    def settings(self, by: Draw, constants: Floats) -> SlotSettings:
        """Settings of some rows, from those that the reference takes."""
        doublings = {"doublings": 1.0} if self.architecture.head == "nade" else {}
        return SlotSettings(
            np.ascontiguousarray(constants), by.seed, by.temperature,
            sharpness(by.temperature, **doublings), by.top_k, by.top_p,
            by.density.astype(np.float32), by.may.astype(np.uint8),
        )  # fmt: skip

    # What the reference has, by the compiled parts: for tests and scores.

    def step(self, symbols: NDArray[Any], constants: Floats, state: State) -> State:
        rows = len(symbols)
        made = turned(state)
        given = symbols.reshape(rows, -1).astype(np.int64)
        settings = self.settings(_nothing(rows), constants)
        self._run(STEP, given, np.arange(rows), settings, made, given)
        return turned(made)

    def outputs(self, state: State) -> Floats:
        rows, together = state.hidden.shape[1], len(self._room.outputs)
        now, settings = turned(state), self.settings(_nothing(1), _NO_CONSTANTS)
        bundled = bundle(self._packed, settings, now, self._room)
        made = []
        for first in range(0, rows, together):  # as many as the room has outputs of
            places = np.arange(first, min(first + together, rows))
            none = np.zeros((len(places), 1), np.int64)
            advance(OUTPUTS, bundled, none, places, places, places, places, none)
            made.append(self._room.outputs[: len(places)].copy())
        return np.concatenate(made)

    def draw(self, outputs: Floats, by: Draw) -> NDArray[Any]:
        rows, a = len(outputs), self.architecture
        made = np.zeros((rows, a.symbols if a.keys else 1), np.int64)
        for m in range(rows):  # one by one, since each may have symbols of its own that may come
            one = Draw._make(part[m : m + 1].copy() for part in by)
            self._room.outputs[0] = outputs[m]
            part = made[m : m + 1]
            settings = self.settings(one, _NO_CONSTANTS)
            self._run(DRAW, np.zeros_like(part), one.position, settings, self.room(1), part)
        return made.astype(np.bool_) if a.keys else made[:, 0]

    def _run(
        self, parts: int, symbols: NDArray[np.int64], positions: NDArray[np.int64],
        settings: SlotSettings, state: State, made: NDArray[np.int64],
    ) -> None:  # fmt: skip
        places = np.arange(len(symbols))
        bundled = bundle(self._packed, settings, state, self._room)
        advance(parts, bundled, symbols, places, positions, places, places, made)


_NO_CONSTANTS = np.zeros((1, 0), np.float32)


def _nothing(rows: int) -> Draw:
    """SlotSettings where nothing is drawn."""
    kinds = (np.int64, np.int64, np.float64, np.int64, np.float64, np.float64)
    return Draw._make([*(np.zeros(rows, kind) for kind in kinds), np.zeros((rows, 0), np.bool_)])
