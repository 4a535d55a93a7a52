"""Python's garbage collector, kept from holding up a process that has deadlines.

A full collection looks at every object there is: with a thousand connections that takes tens of
milliseconds. Nearly all of our objects are freed without it, as soon as nothing refers to them;
only circles of references need it. So here it looks at what is new, in small steps. What is left
after two of these is likely to stay: it is frozen, so that the collector never looks at it again.
Circles among what was frozen are found by a full collection when there is time for one.
"""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Callable, Mapping

from stream_rnn.clock import MonotonicClock

_clock = MonotonicClock()

YOUNG, MIDDLE = 500, 2  # new objects until a collection; collections until one of the second kind
BOUNDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05)  # seconds
MUCH = 300  # times that something was frozen: about half a million objects
LONG = 0.04  # seconds that a full collection may take without being noticed


class Garbage:
    """Has garbage collected in small steps, and counts how long each held up the process.

    Args:
        now: the time, in seconds.

    Attributes:
        pauses: collections so far, by length; the bounds are `BOUNDS`.
        total: summed length of all, in seconds.
    """

    def __init__(self, now: Callable[[], float] = _clock.now) -> None:
        self.pauses = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        self._now, self._began = now, 0.0
        self._frozen = 0
        self._before = gc.get_threshold()

    def begin(self) -> None:
        """Takes over; to be called when everything that stays has been made."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE)
        gc.callbacks.append(self._watch)

    def end(self) -> None:
        """Leaves everything as it was before `begin`."""
        if self._watch in gc.callbacks:
            gc.callbacks.remove(self._watch)
            gc.set_threshold(*self._before)
            gc.unfreeze()

    def rest(self, seconds: float) -> None:
        """Makes use of a moment in which nothing is due for so many seconds."""
        if self._frozen >= MUCH and seconds >= LONG:
            gc.unfreeze()
            gc.collect()
            self._frozen = 0

    def _watch(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._began = self._now()
            return
        if info["generation"] > 0:
            gc.freeze()
            self._frozen += 1
        length = self._now() - self._began
        self.pauses[bisect_left(BOUNDS, length)] += 1
        self.total += length
