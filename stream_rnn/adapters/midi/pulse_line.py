"""The tempo of a MIDI clock: a line through its pulses. No I/O, and the time is passed in.

The method has two parts.

* **The line** is a least-squares fit of time over count through the last two beats of pulses,
  fitted a second time without the pulses that lie far from it. That is reweighted least squares
  with weights 0 and 1: P. Rousseeuw, A. Leroy, *Robust Regression and Outlier Detection* (1987),
  chapter 1. It averages the tremor that drivers and queues add to a pulse, a millisecond or more.
* **The change test** is a run rule, as for control charts: W. Shewhart, *Economic Control of
  Quality* (1931), and the Western Electric rules (1956). One pulse outside the tolerance is
  set aside, and the beat goes on by the line. When several in a row are outside on the same side,
  the intervals *between them* show what has happened. If they differ from the line's, the tempo
  has changed, and the line begins anew with these pulses. If they are the same, and late by whole
  pulses, pulses were lost on the way, and the count makes up for them. If they are the same, and
  shifted by a part of a pulse, the line begins anew, too. If there are hardly any intervals, the
  driver held pulses up and delivers them in a bunch: they are counted, but their times not used.

So a new tempo is known after three to five pulses (a fifth of a beat), whatever the old one was.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from statistics import median

WINDOW = 48  # pulses that the line is fitted to: two beats
ENOUGH = 6  # pulses that a fit needs; with fewer, the period stays as it was
TREMOR = 0.003  # seconds that a pulse of a steady clock may be off the line
NEAREST = 0.4  # the highest tolerance, in periods
RUN = 3  # pulses in a row off to the same side, after which something has changed
SURE = 5  # the same if their intervals are uneven, or the change is a large one
MOST = 9  # pulses that are set aside at a time
EVEN = 1.4  # highest ratio of two intervals that count as alike
SAME = 1.12  # highest ratio of two periods that count as one tempo, by a few intervals
LARGE = 2.2  # ratio of two periods above which a change needs `SURE` pulses
WHOLE = 0.4  # periods by which a time may differ from a whole number of periods
PERIODS = (0.0025, 0.25)  # seconds: 1,000 to 10 beats a minute
CHANGES = (0.005, 0.2)  # seconds: periods that count as a change of tempo; shorter is a bunch

Pulse = tuple[int, float]  # count, time


class PulseLine:
    """The latest pulses, as counts and times, and the line through them.

    Args:
        period: seconds between pulses until some have been heard.

    Attributes:
        period: seconds between pulses.
        count: the count of the next pulse.
    """

    def __init__(self, period: float) -> None:
        self.period = period
        self.count = 0
        self._near: deque[Pulse] = deque(maxlen=WINDOW)
        self._aside: deque[Pulse] = deque(maxlen=MOST)  # the last in a row, on one side of the line
        self._middle: tuple[float, float] = 0.0, 0.0  # a point of the line: (count, time)
        self._tremor = TREMOR
        self._missing = 0  # pulses that were counted as lost

    @property
    def middle(self) -> tuple[float, float]:
        """A point of the line, as a count and a time."""
        return self._middle

    def clear(self) -> None:
        """Forgets the pulses after a silence: the next one begins a new line of the same period."""
        self._near.clear()
        self._aside.clear()

    def add(self, time: float, *, begins: bool = False) -> None:
        """Takes a pulse.

        Args:
            time: when it was received, in seconds.
            begins: whether the sender starts with it; then it may come at any time.
        """
        pulse, error = (self.count, time), 0.0
        self.count += 1
        if len(self._near) >= ENOUGH:
            error = time - self._time_of(pulse[0])
        near = abs(error) <= self._tolerance
        if begins and not near:
            self._near.clear()
        if begins or near:
            self._aside.clear()
            self._near.append(pulse)
            self._fit()
            return
        if self._aside and (self._aside[-1][1] > self._time_of(self._aside[-1][0])) != (error > 0):
            self._aside.clear()
        self._aside.append(pulse)
        self._judge(error)

    @property
    def _tolerance(self) -> float:
        return min(self._tremor, NEAREST * self.period)

    def _time_of(self, count: float) -> float:
        middle, at = self._middle
        return at + (count - middle) * self.period

    def _judge(self, error: float) -> None:
        """Decides what the pulses that were set aside mean, once there are enough.

        Args:
            error: by how many seconds the last one is later than the line.
        """
        aside = list(self._aside)
        intervals = [after[1] - before[1] for before, after in pairwise(aside)]
        if len(aside) < RUN or not CHANGES[0] <= (period := median(intervals)) <= CHANGES[1]:
            return
        ratio = max(period / self.period, self.period / period)
        even = max(intervals) <= EVEN * min(intervals)
        # A multiple of the old period may be a slower tempo, or the gaps of lost pulses.
        multiple = round(period / self.period) > 1 and self._whole(period)
        if len(aside) < SURE and (not even or multiple or ratio > LARGE):
            return
        whole = round(error / self.period)
        lost = whole and self._whole(error) and self._missing + whole >= 0
        scattered = not even and all(self._whole(interval) for interval in intervals)
        if ratio > SAME and not (lost and scattered):
            # The last pulse before the change begins the new tempo, unless the beat jumped.
            first = [p for p in list(self._near)[-1:] if aside[0][1] - p[1] < EVEN * period]
            self.period = period
            self._begin([*first, *aside])
        elif lost:
            count, at = self._middle
            numbered = [(round(count + (time - at) / self.period), time) for _, time in aside]
            self._missing += numbered[-1][0] + 1 - self.count
            self.count = numbered[-1][0] + 1
            self._begin([*self._near, *numbered])
        else:
            self._begin([*self._near, *aside][-ENOUGH:])

    def _whole(self, seconds: float) -> bool:
        """Whether a time is about a whole number of periods."""
        return abs(seconds / self.period - round(seconds / self.period)) < WHOLE

    def _begin(self, pulses: list[Pulse]) -> None:
        self._aside.clear()
        self._near.clear()
        self._near.extend(pulses)
        self._fit()

    def _fit(self) -> None:
        pulses = list(self._near)
        if len(pulses) >= ENOUGH:
            slope, count, at = _line(pulses)
            errors = [abs(t - at - (c - count) * slope) for c, t in pulses]
            limit = max(4 * median(errors), TREMOR / 3)
            self._tremor = max(TREMOR, limit)
            near = [p for p, error in zip(pulses, errors, strict=True) if error <= limit]
            if ENOUGH <= len(near) < len(pulses):
                slope, count, at = _line(near)
            if PERIODS[0] <= slope <= PERIODS[1]:
                self.period, self._middle = slope, (count, at)
                return
        self._middle = (
            sum(c for c, _ in pulses) / len(pulses),
            sum(t for _, t in pulses) / len(pulses),
        )


def _line(pulses: list[Pulse]) -> tuple[float, float, float]:
    """Fits a least-squares line to pulses; returns seconds a pulse, and a point (count, time)."""
    n = len(pulses)
    count, at = sum(c for c, _ in pulses) / n, sum(t for _, t in pulses) / n
    spread = sum((c - count) ** 2 for c, _ in pulses)
    return sum((c - count) * (t - at) for c, t in pulses) / spread, count, at
