"""What waits for its moment, in order: one timer for all of it, since two may overtake each other.

uvloop's timers are in milliseconds, and those of one millisecond fire in any order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from stream_rnn.clock import Clock, MonotonicClock
from stream_rnn.timed_queue import TimedQueue

TICK = 0.001
EARLY = TICK / 2  # what is due by then is done now, rather than with the next tick

T = TypeVar("T")


def wall(due: float, clock: Clock) -> float:
    """A time on the stage's clock as seconds since 1970."""
    return due - clock.now() + time.time()


class Agenda(Generic[T]):
    """Does things when their moment has come: by their times, and of one time as they came.

    Args:
        do: what is done with each.
        clock: that waiting is measured on.
    """

    def __init__(self, do: Callable[[T], None], clock: Clock | None = None) -> None:
        self._do, self._now = do, (clock or MonotonicClock()).now
        self._queue: TimedQueue[tuple[float, T]] = TimedQueue()  # when it can be done, and what
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, at: float, wait: float, item: T) -> None:
        """Puts something down.

        Args:
            at: its time, on whatever clock gave it; only the order counts.
            wait: seconds until then. What is overdue is done at once, after all that comes
                before it.
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
        """Does all of it now, in order."""
        while self._queue:
            self._do(self._queue.pop()[1][1])
        self.clear()

    def clear(self) -> None:
        """Forgets what waits."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
