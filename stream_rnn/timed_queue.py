"""Items that wait for their times: the earliest first, those of one time in order of arrival."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class TimedQueue(Generic[T]):
    """Items by their times. No I/O, and the time is passed in."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, time: float, item: T) -> None:
        """Adds an item with its time."""
        heapq.heappush(self._heap, (time, next(self._numbers), item))

    def first(self) -> float:
        """The earliest time; infinity if nothing waits."""
        return self._heap[0][0] if self._heap else math.inf

    def peek(self) -> T:
        """The item that comes first.

        Raises:
            IndexError: nothing waits.
        """
        return self._heap[0][2]

    def pop(self) -> tuple[float, T]:
        """Takes out the item that comes first, with its time.

        Raises:
            IndexError: nothing waits.
        """
        time, _, item = heapq.heappop(self._heap)
        return time, item

    def due(self, now: float) -> Iterator[tuple[float, T]]:
        """Takes out the items whose time has come, with those that are pushed meanwhile."""
        while self._heap and self.first() <= now:
            yield self.pop()

    def clear(self) -> None:
        """Removes all items."""
        self._heap.clear()
