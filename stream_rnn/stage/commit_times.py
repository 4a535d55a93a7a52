"""When each session has something to commit next."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator


class CommitTimes:
    """One time for each key, and which comes first.

    A heap; an entry that has been replaced stays in it until it comes up, and is skipped.

    Attributes:
        on_sooner: called when the first time is about to become an earlier one.
    """

    def __init__(self) -> None:
        self.on_sooner: Callable[[], None] = lambda: None
        self._heap: list[tuple[float, int]] = []
        self._times: dict[int, float] = {}

    def set(self, key: int, when: float) -> None:
        """Sets a key's time; infinity for none."""
        if when == math.inf:
            self._times.pop(key, None)
        elif self._times.get(key) != when:
            if when < self.first():
                self.on_sooner()
            self._times[key] = when
            heapq.heappush(self._heap, (when, key))

    def first(self) -> float:
        """The earliest time; infinity if there is none."""
        while self._heap:
            when, key = self._heap[0]
            if self._times.get(key) == when:
                return when
            heapq.heappop(self._heap)
        return math.inf

    def due(self, now: float) -> Iterator[int]:
        """Takes out the keys whose time has come, earliest first."""
        while self.first() <= now:
            _, key = heapq.heappop(self._heap)
            del self._times[key]
            yield key
