"""The beat of what is recorded as the beat of a MIDI file: times become ticks. No I/O.

Every symbol of the session that leads has a *knot*: the time when it is due, and the tick where it
stands. Between knots, time and ticks run evenly. So notes lie exactly on the file's grid whatever
the tempo does, and the file's tempo changes say how fast it was; what they add up to differs from
the true times by less than `TOLERANCE`.

A gap in the stream (a pause, a rewind) has no beats of its own. It is given as many as bring the
stream's bars back onto the file's, at a tempo near the last one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from stream_rnn.sessions.controls import BEATS_PER_BAR

TICKS_PER_BEAT = 480
USUAL = 500_000  # microseconds a beat, where nobody says
SLOWEST = 0xFFFFFF  # that a file can say
TOLERANCE = 0.0005  # seconds
SAME = 1e-6  # beats, or seconds: rounding
BENT = 4.0  # times that one symbol may last longer or shorter than it was said to
STRETCH = 1.5  # times that a gap may be faster or slower than the music before it


@dataclass(frozen=True)
class Knot:
    """A time, in seconds, and the tick that lies there."""

    time: float
    tick: float


@dataclass(frozen=True)
class Symbol:
    """A symbol of a stream that has a beat.

    Attributes:
        due: when it begins, and `ends` when the next one is to, in seconds.
        place: where it stands in its stream or tune, in beats.
        beats: how long it lasts.
    """

    due: float
    ends: float
    place: float
    beats: float

    @property
    def countable(self) -> bool:
        """Whether a file can have its tempo."""
        return 0 < (self.ends - self.due) * 1e6 <= self.beats * SLOWEST


class Grid:
    """Ticks for times, from a beginning on.

    Args:
        start: the time of tick 0.
        tempo: microseconds a beat until a knot says otherwise; none until then.
    """

    def __init__(self, start: float, tempo: int | None = None) -> None:
        self._here = Knot(start, 0.0)
        self._file_time = start  # where the file's tempo changes put that tick
        self._tempo = tempo
        self._ahead: deque[Knot] = deque()
        self._before: tuple[Symbol, float] | None = None  # the last symbol, and its tick

    @classmethod
    def led_by(cls, symbol: Symbol) -> Grid:
        """One that begins at the bar in which this symbol stands."""
        in_bar = symbol.place % BEATS_PER_BAR
        seconds = (symbol.ends - symbol.due) / symbol.beats
        grid = cls(symbol.due - in_bar * seconds)
        grid._take(symbol, in_bar * TICKS_PER_BEAT)
        return grid

    def follow(self, symbol: Symbol, *, led: bool) -> None:
        """Takes the next symbol of whoever leads; `led`: the same session as before."""
        tick = self._continued(symbol) if led else None
        if tick is None:
            tick = self._found(symbol)
        self._take(symbol, tick)

    def _take(self, symbol: Symbol, tick: float) -> None:
        while self._ahead and self._ahead[-1].tick >= tick - SAME:
            self._ahead.pop()  # when the last one was said to end; now it is known
        self._tie(symbol.due, tick)
        self._tie(symbol.ends, tick + symbol.beats * TICKS_PER_BEAT)
        self._before = symbol, tick

    def _tie(self, time: float, tick: float) -> None:
        last = self._ahead[-1] if self._ahead else self._here
        if _after(knot := Knot(time, tick), last):
            self._ahead.append(knot)

    def _continued(self, symbol: Symbol) -> float | None:
        """The tick of a symbol that goes on where the last one ended, if it does."""
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
        """The tick of a symbol after a gap: in its place of the bar, or of the beat."""
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
        """The tick of a time, with what is known by now."""
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
        """Messages for the file, as (tick, bytes), with the changes of tempo between them.

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
        """What is written is settled: later knots do not change what lies before."""
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
        """A change of tempo, if without one the next knot came too early or too late."""
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
    """Whether it comes clearly later, in time and on the grid."""
    return knot.time > other.time + SAME and knot.tick > other.tick + SAME
