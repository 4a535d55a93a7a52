"""When each session has something to commit next."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator


class CommitTimes:
    """One time for each key, and the earliest of them.

    A replaced entry stays in the heap until its time comes first; then it is skipped.

    Attributes:
        on_sooner: called when the earliest time is about to become an earlier one.
    """

    def __init__(self) -> None:
        self.on_sooner: Callable[[], None] = lambda: None
        self._heap: list[tuple[float, int]] = []
        self._times: dict[int, float] = {}

    def set(self, key: int, when: float) -> None:
        """Sets a key's time; infinity removes it."""
        if when == math.inf:
            self._times.pop(key, None)
        elif self._times.get(key) != when:
            # If that entry has been replaced, whoever sleeps wakes at its time all the same.
            if not self._heap or when < self._heap[0][0]:
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
        heap, times = self._heap, self._times
        while heap and heap[0][0] <= now:
            when, key = heapq.heappop(heap)
            if times.get(key) == when:
                del times[key]
                yield key
