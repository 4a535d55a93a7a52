"""What each slot is stepped and drawn by, and the schedule by which that changes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.base import Codec
from stream_rnn.engine.kernels import Kernel
from stream_rnn.engine.messages import Settings
from stream_rnn.engine.numerics.functions import sharpness
from stream_rnn.engine.numerics.states import SlotSettings

BLENDS = 64  # of artists, whose constants are kept
NEVER = np.iinfo(np.int64).max
Schedule = list[tuple[int, Settings]]


class Steering:
    """The current settings of each slot, and those that are to come.

    Args:
        count: the number of slots.

    Attributes:
        settings: as kernels read them.
        change: by slot, the next position of its schedule.
    """

    def __init__(self, kernel: Kernel, codec: Codec, count: int) -> None:
        a, self._kernel, self._codec = kernel.architecture, kernel, codec
        # Many sessions have the same artists, above all those that name none.
        self._constant = lru_cache(BLENDS)(kernel.constant)
        # Of chords, temperature divides logarithms that count doublings already.
        self._doublings = {"doublings": 1.0} if a.head == "nade" else {}
        self.settings = SlotSettings(
            constant=np.zeros((count, kernel.gates), np.float32),
            seed=np.zeros(count, np.int64),
            temperature=np.zeros(count),
            sharp=np.zeros(count, np.float32),
            top_k=np.zeros(count, np.int64),
            top_p=np.zeros(count),
            density=np.zeros(count, np.float32),
            may=np.zeros((count, a.symbols), np.uint8) if a.keys else _may(codec),
        )
        self.change = np.full(count, NEVER, np.int64)
        self._schedule: dict[int, Schedule] = {}
        self._blend: dict[int, tuple[float, ...]] = {}  # that the slot's constant is of
        self._blend_since = np.zeros(count, np.int64)  # the position since which it holds

    def begin(self, slot: int) -> None:
        """A session begins in the slot."""
        self._blend_since[slot] = 0

    def close(self, slot: int) -> None:
        """Drops a slot's schedule."""
        self._schedule.pop(slot, None)
        self.change[slot] = NEVER

    def plan(self, slot: int, schedule: Schedule) -> None:
        """Makes this the slot's schedule: (position, settings), in the order of positions."""
        self._schedule[slot] = schedule
        self.change[slot] = schedule[0][0] if schedule else NEVER

    def planned_before(self, slot: int, position: int) -> Schedule:
        """The part of a slot's schedule that lies before a position."""
        return [entry for entry in self._schedule[slot] if entry[0] < position]

    def holds_blend(self, slot: int, schedule: Schedule, position: int) -> bool:
        """Whether the slot has had, at and since a position, the artists that a schedule gives."""
        wanted = [settings.artists for start, settings in schedule if start <= position][-1:]
        return bool(self._blend_since[slot] <= position) and wanted == [self._blend.get(slot)]

    def follow(self, slots: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        """Makes the settings of each slot's next position the current ones."""
        (due,) = (positions >= self.change[slots]).nonzero()
        for i in due:
            self._follow(int(slots[i]), int(positions[i]))

    def _follow(self, slot: int, position: int) -> None:
        schedule = self._schedule[slot]
        past = [entry for entry in schedule if entry[0] <= position]
        self.plan(slot, schedule[len(past) :])
        settings, now = past[-1][1], self.settings
        now.seed[slot], now.temperature[slot] = settings.seed, settings.temperature
        now.sharp[slot : slot + 1] = sharpness(now.temperature[slot : slot + 1], **self._doublings)
        now.top_k[slot], now.top_p[slot] = settings.top_k, settings.top_p
        now.density[slot] = settings.density
        if self._kernel.architecture.keys:
            allowed = settings.allowed
            now.may[slot] = self._codec.unpack(allowed)[0] != 0 if allowed else 1
        self._blend_since[slot] = min(self._blend_since[slot], position)
        if self._blend.get(slot) != settings.artists:
            now.constant[slot] = self._constant(settings.artists)
            self._blend[slot], self._blend_since[slot] = settings.artists, position
        self._kernel.changed(slot)


def _may(codec: Codec) -> NDArray[np.uint8]:
    """Which symbols may be drawn, `[1, symbols]`, or `[symbols, symbols]` by the one before."""
    turns = codec.transitions
    may = np.ones((1, codec.size), np.uint8) if turns is None else turns.astype(np.uint8)
    may[:, list(codec.suppressed)] = 0
    return may


def in_order(schedule: Sequence[tuple[int, Settings]]) -> Schedule:
    """A schedule in the order of its positions; of equal ones the last holds."""
    return sorted(schedule, key=lambda entry: entry[0])
