"""When each session has something to commit next."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from stream_rnn.timed_queue import TimedQueue


class CommitTimes:
    """One time for each key, and the earliest of them.

    A replaced entry stays in the queue until its time comes first; then it is skipped.

    Attributes:
        on_sooner: called when the earliest time is about to become an earlier one.
    """

    def __init__(self) -> None:
        self.on_sooner: Callable[[], None] = lambda: None
        self._queue: TimedQueue[int] = TimedQueue()
        self._times: dict[int, float] = {}

    def set(self, key: int, when: float) -> None:
        """Sets a key's time; infinity removes it."""
        if when == math.inf:
            self._times.pop(key, None)
        elif self._times.get(key) != when:
            if when < self.first():
                self.on_sooner()
            self._times[key] = when
            self._queue.push(when, key)

    def first(self) -> float:
        """The earliest time; infinity if there is none."""
        while self._queue:
            when = self._queue.first()
            if self._times.get(self._queue.peek()) == when:
                return when
            self._queue.pop()
        return math.inf

    def due(self, now: float) -> Iterator[int]:
        """Takes out the keys whose time has come, earliest first."""
        while self.first() <= now:
            _, key = self._queue.pop()
            del self._times[key]
            yield key
