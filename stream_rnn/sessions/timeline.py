"""When the next symbol of a stream is due: by its own rate, or on the grid of a tempo.

No I/O, and the time is passed in. A symbol has a place: its number, or in a tune that is spelt
out how far that has come, in steps, which need not be whole. On a grid, the symbol at place n
falls on a step that is n modulo the steps in a beat, so that the stream's beats are the music's.
At the start, and at that of each tune, it is n modulo the steps in a bar.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection

from stream_rnn.codecs.base import Codec
from stream_rnn.sessions.controls import BEATS_PER_BAR
from stream_rnn.sessions.spelling import Spelling
from stream_rnn.sessions.tempo import ROUNDING, Tempo, first_in_phase, keeps_own_time

MAX_AT_ONCE = 256  # symbols that take no time, before time passes anyway


class Pace:
    """How long the symbols of a stream last.

    Args:
        speed: the model's own rate, at which the seconds that symbols name are seconds.
        per_beat: steps in a beat.

    Attributes:
        own: whether symbols say it themselves.
        follows: whether it may be on the grid of a tempo. Seconds are not.
        spelling: what symbols sound; where they spell notes they last as long as those.
    """

    def __init__(self, codec: Codec, speed: float, per_beat: int = 4) -> None:
        self.spelling = Spelling(codec)
        self.follows = not keeps_own_time(codec)
        self.own = self.spelling.there or not self.follows
        self._codec, self._speed, self._per_beat = codec, speed, per_beat
        self._at_once = 0

    def steps(self, symbol: int) -> float:
        """How long a symbol lasts, in steps of the rate; about, where notes are spelt out."""
        seconds = self._codec.seconds(symbol)
        return 1.0 if seconds is None else seconds * self._speed

    def place(self, position: int) -> float:
        """Where the stream is, as a `Timeline` counts, when `position` is the next."""
        return self.spelling.beats * self._per_beat if self.spelling.there else position

    def until(self, grid: int, position: int, coming: Collection[int]) -> int:
        """The first position, at or after this next one, that is no earlier than a grid's place.

        Args:
            grid: steps.
            coming: the next symbols, as far as they are known. Where they are read to know the
                place, the position after them is the last that there is.
        """
        if not self.spelling.there:
            return math.ceil(position / grid) * grid
        ahead = copy.copy(self.spelling)
        beats = ahead.beats
        goal = first_in_phase(beats * self._per_beat, 0, grid) / self._per_beat
        for symbol in coming:
            # One tune on is a beginning, too.
            if not beats <= ahead.beats < goal - ROUNDING:
                break
            ahead.read(symbol, fed=False)
            position += 1
        return position

    def pass_on(self, symbol: int, *, fed: bool = False) -> float:
        """Takes the next symbol of the stream, and says how long it lasts, in steps.

        In the end time passes: a stream in which it does not would take the machine for itself.
        """
        self.spelling.read(symbol, fed=fed)
        steps, sound = self.steps(symbol), self.spelling.sound
        if self.spelling.there:
            steps = sound.beats * self._per_beat if sound else 0.0
        self._at_once = 0 if steps else self._at_once + 1
        return 1.0 if self._at_once and self._at_once % MAX_AT_ONCE == 0 else steps


class Timeline:
    """The due time of the next symbol.

    Args:
        per_beat: steps in a beat.
        commit_ahead: how long before it is due a symbol is handed out, in seconds.

    Attributes:
        next_due: in seconds.
    """

    def __init__(self, per_beat: int, commit_ahead: float) -> None:
        self.next_due = 0.0
        self._per_beat, self._commit_ahead = per_beat, commit_ahead
        self._bar = per_beat * BEATS_PER_BAR
        self._last = -math.inf  # due time of the symbol before
        self._steps = 0.0  # that the symbol before lasts; none after a start
        self._apart = 0.0  # steps that the next one is later at least, wherever the beat is
        self._step: float | None = None  # of the grid, for the next symbol
        self._cycle = self._bar  # in which that step was looked for

    def start(self, earliest: float, place: float, tempo: Tempo | None) -> None:
        """The next symbol comes at `earliest`, or on a grid at the step of its bar after it."""
        self._steps = 0.0
        self.next_due = earliest
        self._step = None
        if tempo is not None:
            self._aim(earliest, place, tempo, self._bar)

    def cue(self, now: float, place: float, tempo: Tempo) -> None:
        """The same for a beat that begins this moment: rather a little late than a bar."""
        soonest = now + self._commit_ahead
        self.start(soonest - tempo.interval(self._per_beat) / 2, place, tempo)
        self.next_due = max(self.next_due, soonest)

    def delay(self, earliest: float, place: float, tempo: Tempo | None) -> None:
        """The next symbol comes no sooner, on a grid at the next step that is its own."""
        self.next_due = earliest
        if tempo is not None:
            self._aim(earliest, place, tempo, self._per_beat)

    def advance(
        self, due: float, steps: float, place: float, *, rate: float, tempo: Tempo | None
    ) -> None:
        """A symbol was committed, so that the next is at `place`.

        Args:
            due: when it is due.
            steps: how long it lasts, in steps.
            rate: steps a second, where there is no tempo.
        """
        self._last, self._steps = due, steps
        self._apart = min(steps, 1.0) / 2
        if tempo is None:
            self._step = None
            self.next_due = due + steps / rate
        elif self._step is None:
            earliest = due + max(self._apart, steps - 0.5) * tempo.interval(self._per_beat)
            self._aim(earliest, place, tempo, self._bar)
        else:
            # In a stream of symbols a step each it is in phase already, and so within a tune.
            cycle, before = self._bar if place == 0 else self._per_beat, self._step
            self._step = first_in_phase(before + steps, place, cycle)
            self._cycle = cycle * max(1, math.ceil((self._step - before) / cycle))
            self.next_due = max(due, tempo.step_time(self._step, self._per_beat))

    def skip(self, place: float, tempo: Tempo | None) -> None:
        """The place has moved while time has not: it is waited for in the beat."""
        if tempo is not None and self._step is not None:
            self._step = first_in_phase(self._step, place, self._cycle)
            self.next_due = tempo.step_time(self._step, self._per_beat)

    def change_rate(self, before: float, after: float, now: float) -> None:
        """A new rate holds from the last symbol on, not only from the next."""
        moved = self.next_due + self._steps / after - self._steps / before
        self.next_due = max(moved, now + self._commit_ahead)

    def retime(self, now: float, place: float, *, rate: float, tempo: Tempo | None) -> None:
        """The tempo has changed, or there is one now, or none any more.

        The next symbol keeps its step while the beat flows on. Where the beat has jumped it
        looks for another, half a step after the last symbol at least, if that took time.
        """
        # What is late already, or about to be handed out, is not put off: many small changes
        # would add up.
        soonest = min(now + self._commit_ahead, self.next_due)
        if tempo is None:
            if self._step is not None:
                self._step = None
                own = max(soonest, self._last + self._steps / rate)
                self.next_due = min(self.next_due, own)
            return
        if self._step is None:
            self._aim(soonest, place, tempo, self._bar)
            return
        interval = tempo.interval(self._per_beat)
        earliest = max(soonest, self._last + self._apart * interval)
        due = tempo.step_time(self._step, self._per_beat)
        found = tempo.next_step(earliest, self._per_beat, phase=place, cycle=self._cycle)
        if due < earliest - interval / 2 or self._step > found:
            self._step = found
            due = tempo.step_time(found, self._per_beat)
        self.next_due = max(due, earliest)

    def _aim(self, earliest: float, place: float, tempo: Tempo, cycle: int) -> None:
        earliest = max(earliest, self._last + self._apart * tempo.interval(self._per_beat))
        self._cycle = cycle
        self._step = tempo.next_step(earliest, self._per_beat, phase=place, cycle=cycle)
        self.next_due = max(earliest, tempo.step_time(self._step, self._per_beat))
