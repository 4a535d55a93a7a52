"""Calls a function for items at their times, strictly in order, with a single timer.

With a timer for each item, two could overtake each other: uvloop's timers have a resolution of a
millisecond, and those of the same millisecond fire in any order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from stream_rnn.clock import Clock, MonotonicClock
from stream_rnn.timed_queue import TimedQueue

TICK = 0.001
EARLY = TICK / 2  # seconds by which an item may be done early, rather than a tick late

T = TypeVar("T")


def wall(due: float, clock: Clock) -> float:
    """Converts a time on the stage's clock to seconds since 1970."""
    return due - clock.now() + time.time()


class Agenda(Generic[T]):
    """Handles items at their times; those of the same time in the order in which they were added.

    Args:
        do: called with each item when its time has come.
        clock: measures the waiting.
    """

    def __init__(self, do: Callable[[T], None], clock: Clock | None = None) -> None:
        self._do, self._now = do, (clock or MonotonicClock()).now
        self._queue: TimedQueue[tuple[float, T]] = TimedQueue()  # (due by `clock`, item)
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, at: float, wait: float, item: T) -> None:
        """Adds an item.

        Args:
            at: the item's time, on any clock; it only determines the order.
            wait: seconds until then. An overdue item is done at once, but never before the
                items with an earlier `at`.
        """
        self._queue.push(at, (self._now() + wait, item))
        self._run()

    def _run(self) -> None:
        while self._queue and self._queue.peek()[0] <= self._now() + EARLY:
            self._do(self._queue.pop()[1][1])
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue:
            wait = max(TICK, self._queue.peek()[0] - self._now())
            self._timer = asyncio.get_running_loop().call_later(wait, self._run)

    def flush(self) -> None:
        """Handles all waiting items now, in order."""
        while self._queue:
            self._do(self._queue.pop()[1][1])
        self.clear()

    def clear(self) -> None:
        """Forgets all waiting items."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
