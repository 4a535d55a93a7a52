"""Batches on a device: buffers that stay where they are, and what is run over them.

A batch costs the host one copy to the device, one call, and one copy back. On CUDA the call is of a
graph, captured when a batch of its size and kind first comes; elsewhere the same work is done call
by call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream_rnn.engine.kernels.cuda_draw import Chords, draw_keys, draw_symbol, rows_of
from stream_rnn.engine.kernels.cuda_network import DeviceNetwork
from stream_rnn.engine.numerics.states import SlotSettings

Work = Callable[[], Any]
_TOLD = 4  # slots, positions, places before and after; below them the symbols before


class Places(NamedTuple):
    """Room for states, `[places + 1, layers, units]`; the last place is for rows that are none.

    Attributes:
        hidden: int8, 128 less than those of docs/numerics.md.
        cell: float32.
    """

    hidden: Tensor
    cell: Tensor


class Mirror:
    """A copy of slots' settings on a device.

    Attributes:
        given: those that are mirrored.
        parts: the copies.
    """

    def __init__(self, settings: SlotSettings, device: str, *, keys: bool) -> None:
        self.given, self._device = settings, device
        self.parts = tuple(torch.tensor(part, device=device) for part in settings)
        self.parts = (*self.parts[:-1], self.parts[-1].bool())
        # Which symbols may come is not the slots', so it never changes; which keys may, is.
        self._each = len(settings) if keys else len(settings) - 1

    @property
    def may(self) -> Tensor:
        """As of `SlotSettings`, but bool."""
        return self.parts[-1]

    def update(self, slots: Sequence[int]) -> None:
        """Copies what some slots are stepped and drawn by now."""
        index = torch.tensor(slots, device=self._device)
        given: tuple[NDArray[Any], ...] = self.given
        for mine, part in zip(self.parts[: self._each], given, strict=False):
            mine.index_copy_(0, index, torch.tensor(part[slots], device=self._device).to(mine))


class Kind(NamedTuple):
    """What is done with a batch. What none of its rows asks for is left out.

    Attributes:
        draws: whether symbols are drawn.
        bends: whether any row has `top_k`, `top_p`, or, of keys, a temperature besides 0 and 1.
    """

    draws: bool
    bends: bool = False


class Batch:
    """Batches of one size. Rows that are missing are stepped too, in the last place of the room.

    Args:
        pool: the memory of graphs, shared, since one runs at a time.
    """

    def __init__(
        self, size: int, network: DeviceNetwork, mirror: Mirror, room: Places, device: str,
        pool: Any,
    ) -> None:  # fmt: skip
        a, self._cuda, self._pool = network.architecture, device == "cuda", pool
        self._network, self._mirror, self._room, self._keys = network, mirror, room, a.keys
        width = a.symbols if a.keys else 1
        # Pinned, so that copies are made while the host goes on.
        told = torch.zeros((_TOLD + width, size), dtype=torch.int64, pin_memory=self._cuda)
        self._told, self._told_there = told, torch.zeros_like(told, device=device)
        # A column more than symbols need: whether the row's chord is not complete.
        made = torch.zeros((size, width + 1), dtype=torch.int64, pin_memory=self._cuda)
        self._made, self._made_there = made, torch.zeros_like(made, device=device)
        self._chords: Chords | None = None
        self._runs: dict[Kind, Work] = {}
        self._go_on: Work = lambda: None
        self._copied = torch.cuda.Event() if self._cuda else None  # type: ignore[no-untyped-call]

    def run(
        self, symbols: NDArray[np.int64], columns: Sequence[NDArray[np.int64]], kind: Kind
    ) -> None:
        """Steps rows, without waiting for what that gives.

        Args:
            columns: slots, positions, and the places before and after.
        """
        work = self._runs.get(kind) or self._captured(kind)
        self._tell(symbols, columns)
        work()

    def made(self, rows: int) -> NDArray[np.int64]:
        """The symbols that the latest run drew, `[rows, 1]` or `[rows, keys]`."""
        while True:
            self._made.copy_(self._made_there, non_blocking=True)
            if self._cuda:
                torch.cuda.current_stream().synchronize()
            made: NDArray[np.int64] = self._made.numpy()[:rows]
            if not made[:, -1].any():
                return made[:, :-1]
            self._go_on()

    def _tell(self, symbols: NDArray[Any], columns: Sequence[NDArray[Any]]) -> None:
        if self._copied:
            self._copied.synchronize()  # the copy of the batch before, from the same memory
        told, rows = self._told.numpy(), len(symbols)
        told[:_TOLD, :rows], told[_TOLD:, :rows] = columns, symbols.T
        told[:, rows:] = 0
        told[2:_TOLD, rows:] = len(self._room.hidden) - 1
        self._told_there.copy_(self._told, non_blocking=True)
        if self._copied:
            self._copied.record()

    def _captured(self, kind: Kind) -> Work:
        """Work of a kind, made ready on rows that are none."""
        self._tell(np.zeros((0, len(self._told) - _TOLD)), [np.zeros(0)] * _TOLD)
        if kind.draws and self._network.chords and self._chords is None:
            chords = self._network.chords.begin(*self._drawn_by(self._step()))
            self._chords = Chords(*(part.clone() for part in chords))
            self._go_on = self._ready(self._advance_chords)
        self._runs[kind] = self._ready(lambda: self._advance(kind))
        return self._runs[kind]

    def _ready(self, work: Work) -> Work:
        if not self._cuda:
            return work
        aside = _aside()  # as torch asks: what is set up at first use is no part of a graph
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):
                work()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            work()
        return graph.replay

    # What is captured. It may neither wait for the device nor ask it.

    def _advance(self, kind: Kind) -> None:
        states = self._step()
        if not kind.draws:
            return
        outputs, by = self._drawn_by(states)
        if self._network.chords:
            self._keep(self._network.chords.go_on(self._network.chords.begin(outputs, by)))
        elif self._keys:
            self._made_there[:, :-1] = draw_keys(outputs, by, tempered=kind.bends)
        else:
            self._made_there[:, 0] = draw_symbol(outputs, by, limited=kind.bends)

    def _symbols(self) -> Tensor:
        told = self._told_there[_TOLD:]
        return told.t() if self._keys else told[0]

    def _step(self) -> Tensor:
        """Makes the states after; returns those of the last layer."""
        slots, _, at, after = self._told_there[:_TOLD]
        constants = self._mirror.parts[0][slots]
        before = (part[at] for part in self._room)
        made = self._network.step(self._symbols(), constants, *before)
        for part, values in zip(self._room, made, strict=True):
            part.index_copy_(0, after, values)
        return made[0][:, -1]

    def _drawn_by(self, states: Tensor) -> tuple[Tensor, Any]:
        slots, positions, _, _ = self._told_there[:_TOLD]
        may = self._mirror.may
        if self._keys:
            may = may[slots]
        elif len(may) > 1:
            may = may[self._symbols()]
        return self._network.outputs(states), rows_of(self._mirror.parts, slots, positions, may)

    def _advance_chords(self) -> None:
        assert self._network.chords and self._chords
        self._keep(self._network.chords.go_on(self._chords))

    def _keep(self, chords: Chords) -> None:
        assert self._chords
        for mine, part in zip(self._chords, chords, strict=True):
            mine.copy_(part)
        self._made_there[:, :-1] = chords.drawn
        self._made_there[:, -1] = chords.open.any(1)


@cache
def _aside() -> torch.cuda.Stream:
    """One stream for all that is tried before it is captured: each would keep memory of its own."""
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]
