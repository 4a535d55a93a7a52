"""The tempo of a MIDI clock: a line through its pulses. No I/O, and the time is passed in.

The method has two parts.

* **The line** is a least-squares fit of time over count through the last two beats of pulses,
  fitted a second time without the pulses that lie far off it. That is reweighted least squares
  with weights 0 and 1: P. Rousseeuw, A. Leroy, *Robust Regression and Outlier Detection* (1987),
  chapter 1. It averages the tremor that drivers and queues add to a pulse, a millisecond or more.
* **The change test** is a run rule, as for control charts: W. Shewhart, *Economic Control of
  Quality* (1931), and the Western Electric rules (1956). One pulse outside the tolerance is
  set aside, and the beat goes on by the line. When several in a row are outside on the same side,
  the intervals *between them* say what has happened. Other intervals: the tempo has changed, and
  the line begins anew with them. The same intervals, late by whole pulses: pulses were lost on
  the way, and the count makes up for them. The same intervals, shifted by a part of a pulse: the
  line begins anew, too. No intervals at all: the driver held pulses up and delivers them in a
  bunch; they are counted, and their times are not used.

So a new tempo is known after three to five pulses, whatever the old one was: a fifth of a beat.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from statistics import median

WINDOW = 48  # pulses that the line goes through: two beats
ENOUGH = 6  # pulses without which the period is the one before
TREMOR = 0.003  # seconds that a pulse of a steady clock may be off the line
NEAREST = 0.4  # of a period, the most that the tolerance may be
RUN = 3  # pulses in a row off to the same side, after which something has changed
SURE = 5  # the same where their intervals differ, or where the change is a large one
MOST = 9  # pulses that are set aside at a time
EVEN = 1.4  # ratio of two intervals that are held to be alike
SAME = 1.12  # ratio of two periods of one tempo, as far as a few intervals tell
LARGE = 2.2  # ratio of two periods, for which a change has to be seen for longer
WHOLE = 0.4  # of a period, by which a whole number of them may be missed
PERIODS = (0.0025, 0.25)  # seconds: 1,000 to 10 beats a minute
CHANGES = (0.005, 0.2)  # the same of a clock whose tempo changes; shorter ones are a bunch

Pulse = tuple[int, float]  # count, time


class PulseLine:
    """Pulses by number and time, and the line through them.

    Args:
        period: seconds between pulses until some have been heard.

    Attributes:
        period: seconds between pulses.
        count: of the next pulse.
    """

    def __init__(self, period: float) -> None:
        self.period = period
        self.count = 0
        self._near: deque[Pulse] = deque(maxlen=WINDOW)
        self._aside: deque[Pulse] = deque(maxlen=MOST)  # in a row off the line, on one side
        self._middle: tuple[float, float] = 0.0, 0.0  # a point of the line: (count, time)
        self._tremor = TREMOR
        self._missing = 0  # pulses that are held to be lost

    @property
    def middle(self) -> tuple[float, float]:
        """A point of the line, as a count and a time."""
        return self._middle

    def clear(self) -> None:
        """The clock was silent: the next pulse begins another line, of the same period."""
        self._near.clear()
        self._aside.clear()

    def add(self, time: float, *, begins: bool = False) -> None:
        """Takes a pulse.

        Args:
            begins: whether the sender begins with it: then it may be anywhere.
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
            error: of the last one, in seconds.
        """
        aside = list(self._aside)
        intervals = [after[1] - before[1] for before, after in pairwise(aside)]
        if len(aside) < RUN or not CHANGES[0] <= (period := median(intervals)) <= CHANGES[1]:
            return
        ratio = max(period / self.period, self.period / period)
        even = max(intervals) <= EVEN * min(intervals)
        # Where every second pulse or more is missing, it may be the tempo that is so much slower.
        multiple = round(period / self.period) > 1 and self._whole(period)
        if len(aside) < SURE and (not even or multiple or ratio > LARGE):
            return
        whole = round(error / self.period)
        lost = whole and self._whole(error) and self._missing + whole >= 0
        scattered = not even and all(self._whole(interval) for interval in intervals)
        if ratio > SAME and not (lost and scattered):
            # The pulse before the change is the first of the new tempo, unless the beat jumped.
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
        """Whether it is about a whole number of periods."""
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
    """The least-squares line through pulses: seconds a pulse, and its middle."""
    n = len(pulses)
    count, at = sum(c for c, _ in pulses) / n, sum(t for _, t in pulses) / n
    spread = sum((c - count) ** 2 for c, _ in pulses)
    return sum((c - count) * (t - at) for c, t in pulses) / spread, count, at
