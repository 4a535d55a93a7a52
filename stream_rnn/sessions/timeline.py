"""When the next symbol of a stream is due: by its own rate, or on the grid of a tempo.

No I/O, and the time is passed in. A symbol has a place in steps: its position or, in a tune that
is spelt out, the length of the tune before it, which need not be whole. On a grid, the symbol at
place n falls on a step that is n modulo the steps in a beat, so that the stream's beats are the
music's. The first symbol after a start, or of a tune, is n modulo the steps in a bar.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection

from stream_rnn.codecs.base import Codec
from stream_rnn.sessions.controls import BEATS_PER_BAR
from stream_rnn.sessions.spelling import Spelling
from stream_rnn.sessions.tempo import ROUNDING, Tempo, first_in_phase, keeps_own_time

MAX_AT_ONCE = 256  # symbols in a row that take no time; the last of them is given a step


class Pace:
    """How long the symbols of a stream last.

    Args:
        speed: the model's own rate in steps a second, at which symbols last the seconds they name.
        per_beat: steps in a beat.

    Attributes:
        own: whether symbols set their own length.
        follows: whether the stream may follow a tempo; symbols that last seconds cannot.
        spelling: reads the notes that symbols spell, if they do; they last as long as the notes.
    """

    def __init__(self, codec: Codec, speed: float, per_beat: int = 4) -> None:
        self.spelling = Spelling(codec)
        self.follows = not keeps_own_time(codec)
        self.own = self.spelling.there or not self.follows
        self._codec, self._speed, self._per_beat = codec, speed, per_beat
        self._at_once = 0

    def steps(self, symbol: int) -> float:
        """How long a symbol lasts, in steps; a rough value where symbols spell notes."""
        seconds = self._codec.seconds(symbol)
        return 1.0 if seconds is None else seconds * self._speed

    def place(self, position: int) -> float:
        """The place of the next symbol, at `position`, in steps; see the module."""
        return self.spelling.beats * self._per_beat if self.spelling.there else position

    def until(self, grid: int, position: int, coming: Collection[int]) -> int:
        """The first position, from the next one on, that has reached a multiple of a grid.

        Args:
            grid: in steps.
            coming: the next symbols, as far as they are computed. Where symbols spell notes, only
                these can be placed, so the result is at most the position after them.
        """
        if not self.spelling.there:
            return math.ceil(position / grid) * grid
        ahead = copy.copy(self.spelling)
        beats = ahead.beats
        goal = first_in_phase(beats * self._per_beat, 0, grid) / self._per_beat
        for symbol in coming:
            # Beats fall back when the next tune begins, which is a place of the grid, too.
            if not beats <= ahead.beats < goal - ROUNDING:
                break
            ahead.read(symbol, fed=False)
            position += 1
        return position

    def pass_on(self, symbol: int, *, fed: bool = False) -> float:
        """Takes the next symbol of the stream, and returns how long it lasts, in steps.

        After many symbols of no length one is given a step, lest the stream take all our time.
        """
        seconds = self._codec.seconds(symbol)
        steps = 1.0 if seconds is None else seconds * self._speed
        if self.spelling.there:
            self.spelling.read(symbol, fed=fed)
            sound = self.spelling.sound
            steps = sound.beats * self._per_beat if sound else 0.0
        self._at_once = 0 if steps else self._at_once + 1
        return 1.0 if self._at_once and self._at_once % MAX_AT_ONCE == 0 else steps


class Timeline:
    """The due time of the next symbol.

    Args:
        per_beat: steps in a beat.
        commit_ahead: how long before its due time a symbol is handed out, in seconds.

    Attributes:
        next_due: the due time of the next symbol, in seconds.
    """

    def __init__(self, per_beat: int, commit_ahead: float) -> None:
        self.next_due = 0.0
        self._per_beat, self._commit_ahead = per_beat, commit_ahead
        self._bar = per_beat * BEATS_PER_BAR
        self._last = -math.inf  # due time of the symbol before
        self._steps = 0.0  # length of the symbol before; 0 after a start
        self._apart = 0.0  # steps by which the next one is later at least, wherever the beat is
        self._step: float | None = None  # of the grid, for the next symbol
        self._cycle = self._bar  # steps, modulo which that step agrees with the place

    def start(self, earliest: float, place: float, tempo: Tempo | None) -> None:
        """Puts the next symbol at `earliest`, or with a tempo at the next step of its bar."""
        self._steps = 0.0
        self.next_due = earliest
        self._step = None
        if tempo is not None:
            self._aim(earliest, place, tempo, self._bar)

    def cue(self, now: float, place: float, tempo: Tempo) -> None:
        """The same for a beat that begins now: better to start a little late than a bar late."""
        soonest = now + self._commit_ahead
        self.start(soonest - tempo.interval(self._per_beat) / 2, place, tempo)
        self.next_due = max(self.next_due, soonest)

    def delay(self, earliest: float, place: float, tempo: Tempo | None) -> None:
        """Puts the next symbol at `earliest`, or with a tempo at the next step of its beat."""
        self.next_due = earliest
        if tempo is not None:
            self._aim(earliest, place, tempo, self._per_beat)

    def advance(
        self, due: float, steps: float, place: float, *, rate: float, tempo: Tempo | None
    ) -> None:
        """Moves on after a committed symbol; the next one is at `place`.

        Args:
            due: when the committed symbol is due.
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
            # Within a tune, and where symbols last a step each, the step is in phase already.
            cycle, before = self._bar if place == 0 else self._per_beat, self._step
            self._step = first_in_phase(before + steps, place, cycle)
            self._cycle = cycle * max(1, math.ceil((self._step - before) / cycle))
            self.next_due = max(due, tempo.step_time(self._step, self._per_beat))

    def skip(self, place: float, tempo: Tempo | None) -> None:
        """Waits for the step of a place that has moved on while time has not, as by a feed."""
        if tempo is not None and self._step is not None:
            self._step = first_in_phase(self._step, place, self._cycle)
            self.next_due = tempo.step_time(self._step, self._per_beat)

    def change_rate(self, before: float, after: float, now: float) -> None:
        """Applies a new rate from the last symbol on, not only from the next."""
        moved = self.next_due + self._steps / after - self._steps / before
        self.next_due = max(moved, now + self._commit_ahead)

    def retime(self, now: float, place: float, *, rate: float, tempo: Tempo | None) -> None:
        """Adjusts to a tempo that has changed, appeared or gone.

        The next symbol keeps its step while the beat flows on. After a jump of the beat it takes
        another step, at least half a step after the last symbol, if that one took time.
        """
        # A symbol that is late, or about to be handed out, is not put off: the delays of many
        # small changes would add up.
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
