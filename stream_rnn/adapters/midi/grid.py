"""Converts the times of a recording to ticks, so that its beat is the MIDI file's. No I/O.

Every symbol of the leading session makes a *knot*: the time when it is due, and the tick where it
stands. Between knots, ticks are proportional to time. So notes lie exactly on the file's grid
whatever the tempo does, and tempo changes in the file give the true times, to within `TOLERANCE`.

A gap in the stream (a pause, a rewind) has no beats of its own. It gets as many as bring the
stream's bars back onto the file's, at a tempo near the last one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from stream_rnn.sessions.controls import BEATS_PER_BAR

TICKS_PER_BEAT = 480
USUAL = 500_000  # microseconds a beat, unless a session leads
SLOWEST = 0xFFFFFF  # microseconds a beat: the most that a file can hold
TOLERANCE = 0.0005  # seconds
SAME = 1e-6  # ticks, beats or seconds: differences by rounding
BENT = 4.0  # factor by which a symbol may last longer or shorter than announced
STRETCH = 1.5  # factor by which a gap may be slower or faster than the music before it


@dataclass(frozen=True)
class Knot:
    """A time, in seconds, and the tick that lies there."""

    time: float
    tick: float


@dataclass(frozen=True)
class Symbol:
    """A symbol of a stream that has a beat.

    Attributes:
        due: when it begins, and `ends` when the next one is announced, in seconds.
        place: where it stands in its stream or tune, in beats.
        beats: how long it lasts, in beats.
    """

    due: float
    ends: float
    place: float
    beats: float

    @property
    def countable(self) -> bool:
        """Whether a MIDI file can hold its tempo."""
        return 0 < (self.ends - self.due) * 1e6 <= self.beats * SLOWEST


class Grid:
    """Assigns ticks to times, from a beginning on.

    Args:
        start: the time of tick 0.
    """

    def __init__(self, start: float) -> None:
        self._here = Knot(start, 0.0)
        self._file_time = start  # the time of that tick by the file's tempo changes
        self._tempo: int | None = None  # the file's now, in microseconds a beat
        self._ahead: deque[Knot] = deque()
        self._before: tuple[Symbol, float] | None = None  # the last symbol, and its tick

    @classmethod
    def led_by(cls, symbol: Symbol) -> Grid:
        """Makes a grid that begins with the bar in which this symbol stands."""
        in_bar = symbol.place % BEATS_PER_BAR
        seconds = (symbol.ends - symbol.due) / symbol.beats
        grid = cls(symbol.due - in_bar * seconds)
        grid._take(symbol, in_bar * TICKS_PER_BEAT)
        return grid

    def follow(self, symbol: Symbol, *, led: bool) -> None:
        """Takes the leading session's next symbol; `led`: the same session led before."""
        tick = self._continued(symbol) if led else None
        if tick is None:
            tick = self._found(symbol)
        self._take(symbol, tick)

    def _take(self, symbol: Symbol, tick: float) -> None:
        while self._ahead and self._ahead[-1].tick >= tick - SAME:
            self._ahead.pop()  # the announced end of the last symbol; now the true one is known
        self._tie(symbol.due, tick)
        self._tie(symbol.ends, tick + symbol.beats * TICKS_PER_BEAT)
        self._before = symbol, tick

    def _tie(self, time: float, tick: float) -> None:
        last = self._ahead[-1] if self._ahead else self._here
        if _after(knot := Knot(time, tick), last):
            self._ahead.append(knot)

    def _continued(self, symbol: Symbol) -> float | None:
        """The tick of a symbol that continues the last one; None if it does not."""
        if self._before is None:
            return None
        before, tick = self._before
        tick += before.beats * TICKS_PER_BEAT
        if abs(symbol.due - before.ends) < SAME:
            return tick
        said, was = before.ends - before.due, symbol.due - before.due
        follows = abs(symbol.place - before.place - before.beats) < SAME
        longest = min(said * BENT, before.beats * SLOWEST / 1e6)
        return tick if follows and said / BENT <= was <= longest else None

    def _found(self, symbol: Symbol) -> float:
        """The tick of a symbol after a gap, at its place in the bar, or else in the beat."""
        last, plain = self._last_before(symbol.due), self.tick(symbol.due)
        length = plain - last.tick
        for cycle in (BEATS_PER_BAR, 1, symbol.beats):
            if cycle * TICKS_PER_BEAT < 1:
                continue
            ticks, phase = cycle * TICKS_PER_BEAT, symbol.place * TICKS_PER_BEAT
            tick = phase + round((plain - phase) / ticks) * ticks
            if length / STRETCH <= tick - last.tick <= length * STRETCH:
                return tick
        return round(plain)

    def _last_before(self, time: float) -> Knot:
        while self._ahead and self._ahead[-1].time >= time:
            self._ahead.pop()
        return self._ahead[-1] if self._ahead else self._here

    def tick(self, time: float) -> float:
        """The tick of a time, by the knots that are known so far."""
        left = self._here
        for right in self._ahead:
            if time <= right.time:
                part = (time - left.time) / (right.time - left.time)
                return left.tick + part * (right.tick - left.tick)
            left, before = right, left
            slope = (left.tick - before.tick) / (left.time - before.time)
        if not self._ahead:
            slope = TICKS_PER_BEAT * 1e6 / (self._tempo or USUAL)
        return left.tick + (time - left.time) * slope

    def place(self, messages: Sequence[tuple[float, bytes]]) -> list[tuple[int, bytes]]:
        """Converts messages to (tick, bytes), and adds the tempo changes between them.

        Args:
            messages: as (seconds, bytes), in order of time, none before those of the last call.
        """
        placed: list[tuple[int, bytes]] = []
        for time, data in messages:
            while self._ahead and self._ahead[0].time < time + SAME:
                placed += self._set_tempo(self._ahead[0])
                self._pass(self._ahead.popleft())
            if self._ahead:
                placed += self._set_tempo(self._ahead[0])
            elif self._tempo is None:
                placed.append(self._change(USUAL))
            tick = self.tick(time)
            placed.append((round(tick), data))
        if placed:
            self._stand_at(messages[-1][0])
        return placed

    def _stand_at(self, time: float) -> None:
        """Settles all before `time`, which is written: later knots do not change it."""
        tick = self.tick(time)
        if time > self._here.time and tick > self._here.tick:
            self._pass(Knot(time, tick))
        while self._ahead and not _after(self._ahead[0], self._here):
            self._ahead.popleft()

    def _pass(self, knot: Knot) -> None:
        tempo = self._tempo or USUAL
        self._file_time += (knot.tick - self._here.tick) * tempo / TICKS_PER_BEAT / 1e6
        self._here = knot

    def _set_tempo(self, knot: Knot) -> list[tuple[int, bytes]]:
        """Makes a tempo change if the next knot would come too early or too late without one."""
        beats = (knot.tick - self._here.tick) / TICKS_PER_BEAT
        if self._tempo is not None:
            error = self._file_time + beats * self._tempo / 1e6 - knot.time
            if abs(error) < TOLERANCE:
                return []
        usual = (knot.time - self._here.time) * 1e6 / beats
        wanted = max((knot.time - self._file_time) * 1e6 / beats, usual / 2)
        tempo = min(max(round(wanted), 1), SLOWEST)
        return [self._change(tempo)] if tempo != self._tempo else []

    def _change(self, tempo: int) -> tuple[int, bytes]:
        self._tempo = tempo
        return round(self._here.tick), b"\xff\x51\x03" + tempo.to_bytes(3, "big")


def _after(knot: Knot, other: Knot) -> bool:
    """Whether `knot` comes clearly later than `other`, both in time and in ticks."""
    return knot.time > other.time + SAME and knot.tick > other.tick + SAME
