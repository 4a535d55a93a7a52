"""The integer kernel: numerics 1, compiled by LLVM. Step and draw of a batch in one call.

`docs/numerics.md` is what it does; `reference` is what it is held against. No torch.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.engine.kernels.compiling import cache_folder, is_cached, loaded
from stream_rnn.engine.kernels.integer_fields import DRAW, OUTPUTS, STEP, TOGETHER, told
from stream_rnn.engine.kernels.integer_packing import Packing, make_room
from stream_rnn.engine.kernels.paths import PATHS, Path, has
from stream_rnn.engine.numerics.functions import Floats, sharpness
from stream_rnn.engine.numerics.layout import lay_out
from stream_rnn.engine.numerics.states import Draw, SlotSettings, State, WholeStates, turned
from stream_rnn.errors import ConfigError
from stream_rnn.nets.quantised import QuantisedNetwork

log = logging.getLogger("stream_rnn.engine")


def choose_path(name: str | None = None) -> Path:
    """The path of a name, or the fastest that this processor has and that passes its trial.

    Args:
        name: of `PATHS`; what `STREAM_RNN_KERNEL` says if absent.

    Raises:
        ConfigError: there is no such path, this processor does not have it, or what it computes
            here is not what the definition says.
    """
    name = name or os.environ.get("STREAM_RNN_KERNEL") or None
    if name is not None and name not in PATHS:
        raise ConfigError(f"STREAM_RNN_KERNEL is {name!r}; it may be {', '.join(PATHS)}")
    if name is not None and not has(PATHS[name]):
        raise ConfigError(f"STREAM_RNN_KERNEL is {name!r}, which this processor does not have")
    for path in PATHS.values() if name is None else [PATHS[name]]:
        if has(path) and _passes(path):
            return path
    raise ConfigError(f"the kernel {name or 'plain'} does not compute here what it should")


@cache
def _passes(path: Path) -> bool:
    """Whether a path gives the bits of the reference on this machine."""
    from stream_rnn.engine.kernels.trial import differs  # which makes kernels

    try:
        found = differs(lambda network: IntegerKernel(network, path))
    except RuntimeError as error:  # of LLVM
        found = str(error)
    if found:
        log.warning("the kernel %s is not used: %s", path.name, found)
    return not found


def compile_once() -> None:
    """Compiles what an engine calls, or loads it where that was done before.

    It says so if it compiles, which takes some seconds.
    """
    forced = PATHS.get(os.environ.get("STREAM_RNN_KERNEL") or "")
    first = forced or next(path for path in PATHS.values() if has(path))
    if not is_cached(first):
        folder = cache_folder()
        writable = folder is not None and os.access(folder, os.W_OK)
        kept = folder if writable else "no folder, since none can be written"
        log.info("compiling the network's step for this processor; it is kept in %s", kept)
    choose_path()


class IntegerKernel(WholeStates):
    """`ReferenceKernel`, compiled; and `advance`, which is what an engine calls.

    Args:
        path: one, or its name; see `choose_path`.
    """

    def __init__(self, network: QuantisedNetwork, path: Path | str | None = None) -> None:
        layout = lay_out(network)  # not kept: what is packed is all that is needed
        super().__init__(layout)
        self.path = path if isinstance(path, Path) else choose_path(path)
        self._code = loaded(self.path)
        self._packing, self._room = Packing(layout, self.path), make_room(layout, self.path)
        names = ("symbols_before", "slots", "positions", "at", "after")
        self._call, self._made = [self._room[name] for name in names], self._room["made"]
        self._given: tuple[SlotSettings, State] | None = None  # what `_told` is of
        self._told = _Address(np.zeros(0, np.int64))

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

        Settings and states are looked at in place: whoever changes a number in one of them need
        not tell. They are to be the same two objects from call to call, which is faster.
        """
        last = self._given
        if last is None or last[0] is not settings or last[1] is not state:
            self._given = settings, state
            self._told = self._fields(settings, state)
        parts = STEP | OUTPUTS | DRAW if draw else STEP
        for part in _parts(len(slots)):
            rows = len(slots[part])
            given = (symbols[part], slots[part], positions[part], at[part], after[part])
            for room, numbers in zip(self._call, given, strict=True):
                room[:rows] = numbers
            self._code.advance(self._told.address, parts, rows)
            if draw:
                made[part] = self._made[:rows]

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
        rows, made = len(symbols), turned(state)
        by, given = self.settings(_nothing(rows), constants), symbols.reshape(rows, -1)
        for part in _parts(rows):
            self._alone(STEP, by, made, np.arange(rows)[part], symbols=given[part])
        return turned(made)

    def outputs(self, state: State) -> Floats:
        rows, made, now = state.hidden.shape[1], [], turned(state)
        by, room = self.settings(_nothing(1), _NONE), self._room["outputs"]
        for part in _parts(rows):
            places = np.arange(rows)[part]
            self._alone(OUTPUTS, by, now, places)
            made.append(room[: len(places), : self.architecture.outputs].copy())
        return np.concatenate(made)

    def run(self, symbols: NDArray[Any], constants: Floats, state: State) -> tuple[Floats, State]:
        """The outputs after each symbol of a stretch, `[rows, time, outputs]`, and the state.

        Args:
            symbols: `[rows, time]` indices or `[rows, time, keys]` of 0 and 1.
            constants: `[rows, gates]`.
        """
        (rows, time), now = symbols.shape[:2], turned(state)
        made = np.empty((rows, time, self.architecture.outputs), np.float32)
        fields = self._fields(self.settings(_nothing(rows), constants), now)
        given, outputs = symbols.reshape(rows, time, -1), self._room["outputs"]
        for part in _parts(rows):
            places = np.arange(rows)[part]
            for n in range(time):
                self._call_with(fields, STEP | OUTPUTS, places, given[part, n])
                made[part, n] = outputs[: len(places), : made.shape[2]]
        return made, turned(now)

    def draw(self, outputs: Floats, by: Draw) -> NDArray[Any]:
        rows, a = len(outputs), self.architecture
        made = np.zeros((rows, a.symbols if a.keys else 1), np.int64)
        first = np.zeros(1, np.int64)
        for m in range(rows):  # one by one, since each may have symbols of its own that may come
            one = Draw._make(part[m : m + 1].copy() for part in by)
            self._room["outputs"][0, : a.outputs] = outputs[m]
            settings = self.settings(one, _NONE)
            self._alone(DRAW, settings, self.room(1), first, positions=one.position)
            made[m] = self._made[0]
        return made.astype(np.bool_) if a.keys else made[:, 0]

    def _alone(
        self, parts: int, settings: SlotSettings, state: State, places: NDArray[np.int64],
        *, symbols: Any = 0, positions: Any = 0,
    ) -> None:  # fmt: skip
        """Some parts of some rows, each in the slot of its place."""
        self._call_with(self._fields(settings, state), parts, places, symbols, positions)

    def _call_with(
        self, fields: _Address, parts: int, places: NDArray[np.int64], symbols: Any,
        positions: Any = 0,
    ) -> None:  # fmt: skip
        given = (symbols, places, positions, places, places)
        for room, numbers in zip(self._call, given, strict=True):
            room[: len(places)] = numbers
        self._code.advance(fields.address, parts, len(places))

    def _fields(self, settings: SlotSettings, state: State) -> _Address:
        return _Address(told(self._packing.fields, settings, state, self._room))


class _Address:
    """An array, and where it lies."""

    def __init__(self, array: NDArray[np.int64]) -> None:
        self.array, self.address = array, array.ctypes.data


def _parts(rows: int) -> list[slice]:
    """As many rows at a time as there is room for."""
    return [slice(first, first + TOGETHER) for first in range(0, rows, TOGETHER)]


_NONE = np.zeros((1, 0), np.float32)


def _nothing(rows: int) -> Draw:
    """Settings where nothing is drawn."""
    kinds = (np.int64, np.int64, np.float64, np.int64, np.float64, np.float64)
    return Draw._make([*(np.zeros(rows, kind) for kind in kinds), np.zeros((rows, 0), np.bool_)])
