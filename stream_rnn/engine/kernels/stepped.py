"""`advance` for kernels that step and draw in NumPy, with a call for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.numerics.categorical import draw_symbol
from stream_rnn.engine.numerics.functions import Floats
from stream_rnn.engine.numerics.keys import draw_keys
from stream_rnn.engine.numerics.randoms import random_numbers
from stream_rnn.engine.numerics.states import Draw, Placed, SlotSettings, State
from stream_rnn.nets.architecture import Architecture, CountingArchitecture


class Stepped(Placed):
    """A kernel that has `step`, `outputs` and `draw`, each for all rows."""

    architecture: Any  # of either kind

    def step(self, symbols: NDArray[Any], constants: Floats, state: State) -> State:
        raise NotImplementedError

    def outputs(self, state: State) -> Floats:
        raise NotImplementedError

    def draw(self, outputs: Floats, by: Draw) -> NDArray[Any]:
        raise NotImplementedError

    def advance(
        self, symbols: NDArray[np.int64], slots: NDArray[np.int64], positions: NDArray[np.int64],
        settings: SlotSettings, at: NDArray[np.int64], after: NDArray[np.int64], room: State,
        made: NDArray[np.int64], *, draw: bool = True,
    ) -> None:  # fmt: skip
        """Steps and draws; see `Kernel.advance`."""
        keys = self.architecture.keys
        given = symbols if keys else symbols[:, 0]
        before = State(*(part[at].swapaxes(0, 1) for part in room))
        state = self.step(given, settings.constant[slots], before)
        for part, value in zip(room, state, strict=True):
            part[after] = value.swapaxes(0, 1)
        if not draw:
            return
        if keys:
            may = settings.may[slots]
        else:
            turns = len(settings.may) > 1
            may = settings.may[given if turns else np.zeros_like(given)]
        by = Draw(
            settings.seed[slots], positions, settings.temperature[slots], settings.top_k[slots],
            settings.top_p[slots], settings.density[slots].astype(np.float64), may.astype(np.bool_),
        )  # fmt: skip
        made[:] = self.draw(self.outputs(state), by).reshape(made.shape)


def draw_symbols(
    a: Architecture | CountingArchitecture,
    outputs: Floats,
    by: Draw,
    chords: Callable[..., NDArray[np.bool_]] = draw_keys,
) -> NDArray[Any]:
    """The symbols that come next: `[rows]` indices or `[rows, keys]` bool.

    Args:
        chords: what draws keys.
    """
    numbers = random_numbers(by.seed, by.position, a.symbols if a.keys else 1)
    if a.keys:
        return chords(outputs, numbers, by.temperature, by.density, by.may)
    return draw_symbol(outputs, numbers[:, 0], by.temperature, by.top_k, by.top_p, by.may)
