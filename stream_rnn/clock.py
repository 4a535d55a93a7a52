"""Time, passed in. Seconds, float, on one monotonic clock for the whole server."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> float:
        """Seconds; never goes back."""


def date() -> float:
    """The time of day, in seconds; people and network time set it."""
    return time.time()


class MonotonicClock:
    """The system's monotonic clock: on Linux the same for every process of the machine."""

    def now(self) -> float:
        return time.monotonic()
