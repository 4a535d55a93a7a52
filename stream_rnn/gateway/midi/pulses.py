"""MIDI clock: pulses that come in as a tempo, and a stream's beat as pulses that go out.

No I/O; the times are passed in, on the server's clock, as each message was heard.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from stream_rnn.gateway.beat.conductor import Transport
from stream_rnn.gateway.beat.tempo import Tempo
from stream_rnn.wire import midi
from stream_rnn.wire.midi import PULSES_PER_BEAT, PULSES_PER_SIXTEENTH

GAP = 0.5  # seconds without a pulse after which the clock is held to have stopped
WINDOW = 48  # pulses that a tempo is estimated from: two beats
ENOUGH = 6  # pulses without which it is the tempo before
TREMOR = 0.003  # seconds that a pulse may be off without being news, of a clock that is steady
CHANGED = 3  # pulses off to the same side, after which the tempo has changed
SLOWER = 4  # pulses that each come late by as many whole pulses, after which the same holds
SURE = 24  # pulses without which none is held to be lost
MANY = 8.0  # that are not lost in a beat or two: then the clock is learnt anew
JUMP = 5.0  # times faster or slower that a tempo may be at once; more is a bunch of pulses
CLEARLY = 0.15  # the same of several pulses in a row, if it is not the tempo that has changed
WHOLE = 0.4  # of a pulse, by which what is late by whole pulses may be off them


class ClockFollower:
    """Makes a tempo of a port's clock, start, continue, stop and song position.

    The tempo is the least-squares line through the last pulses, without those that are far
    off it: a pulse comes through drivers and queues and trembles by a millisecond or more. When
    several in a row are off to one side the tempo has changed, and those before are forgotten.
    One that is late by whole pulses says that some were lost on the way, and the beat goes on
    as if they had come; if they do come after all, in a bunch, they are counted back.

    Args:
        bpm: the tempo until one is heard.
    """

    def __init__(self, bpm: float = 120.0) -> None:
        self.tempo: Tempo | None = None
        self.last = -math.inf  # when the last pulse came
        self._period = 60.0 / bpm / PULSES_PER_BEAT
        self._pulses: deque[tuple[int, float]] = deque(maxlen=WINDOW)  # (count, time)
        self._count = 0  # of the next pulse
        self._offset = 0  # from the count to the pulse's place in the piece
        self._resume = 0  # the place where a continue goes on
        self._armed: Transport | None = None  # what the next pulse begins
        self._tremor = TREMOR  # the same of this clock
        self._off = 0  # pulses in a row that came late (above 0) or early (below)
        self._told = 0  # the count at which a tempo was told of last
        self._missing = 0  # pulses that are held to be lost
        self._lately = 0.0  # the same, fading
        self._losses = -1, 0  # before which pulse some were last lost, and how many
        self._in_a_row = 0  # pulses before each of which the same number was lost

    def hear(self, event: midi.Event, time: float) -> list[Tempo | Transport]:
        """What a message means: what its sender does, and a tempo: news, or once a beat."""
        match event:
            case midi.Clock():
                return self._pulse(time)
            case midi.Start():
                self._armed, self._resume = "start", 0
            case midi.Continue():
                self._armed = "continue"
            case midi.Stop():
                self._armed, self._resume = None, self._count + self._offset
                return ["stop"]
            case midi.SongPosition(sixteenths):
                self._resume = sixteenths * PULSES_PER_SIXTEENTH
        return []

    def _pulse(self, time: float) -> list[Tempo | Transport]:
        if time - self.last > GAP:
            self._pulses.clear()
            self._off = 0
            if self.tempo is not None:
                # The clock is back: the beat went on meanwhile, as the sessions did.
                place = round(self.tempo.beat_at(time) * PULSES_PER_BEAT)
                self._offset = place - self._count
        self.last = time
        began, self._armed = self._armed, None
        self._take(time, began is not None)
        if began is not None:
            self._offset = self._resume - (self._count - 1)
        tempo = self._estimate()
        news = began is not None or self._is_news(tempo)
        if news:
            self.tempo, self._told = tempo, self._count
        return [*([tempo] if news else []), *([began] if began else [])]

    def _take(self, time: float, begins: bool) -> None:
        """Adds a pulse; forgets those before a change of tempo, or a beat that begins anew."""
        if len(self._pulses) >= ENOUGH:
            count, at = self._line()
            error = time - (at + (self._count - count) * self._period)
            if begins:
                if abs(error) > self._tremor:
                    self._pulses.clear()
                error = 0.0
            error -= self._lost(error) * self._period
            if abs(error) < self._tremor or self._off * error < 0:
                self._off = 0
            else:
                self._off += 1 if error > 0 else -1
            if abs(self._off) >= CHANGED:
                self._off = 0
                whole = round(error / self._period)
                if whole > 0 and abs(error / self._period - whole) < CLEARLY:
                    self._count += whole
                    self._missing += whole
                else:
                    while len(self._pulses) >= ENOUGH:
                        self._pulses.popleft()
        self._lately *= 1 - 1 / WINDOW
        self._pulses.append((self._count, time))
        self._count += 1

    def _lost(self, error: float) -> int:
        """Counts pulses that did not come; returns how many (fewer than 0: they did)."""
        whole = round(error / self._period)
        if len(self._pulses) < SURE or not whole or abs(error / self._period - whole) > WHOLE:
            return 0
        if self._off if whole > 0 else self._missing < -whole:
            return 0
        again = self._losses == (self._count - 1, whole)
        self._in_a_row = self._in_a_row + 1 if again else 1
        self._losses = self._count + whole, whole
        if whole > 0 and self._in_a_row == SLOWER:
            # Before each pulse the same: it is the tempo that is so many times slower.
            self._count -= (SLOWER - 1) * whole
            self._missing -= (SLOWER - 1) * whole
            self._period *= 1 + whole
            self._pulses.clear()
            return 0
        self._lately += whole
        if self._lately > MANY:
            # So many cannot be: the tempo is not what we hold it to be.
            self._lately = 0.0
            self._pulses.clear()
            return 0
        self._count += whole
        self._missing += whole
        return whole

    def _estimate(self) -> Tempo:
        count, at = self._line()
        beat = (count + self._offset) / PULSES_PER_BEAT
        return Tempo(60.0 / self._period / PULSES_PER_BEAT, beat, at)

    def _line(self) -> tuple[float, float]:
        """The middle of the pulses, as a count and a time; sets the period."""
        pulses = list(self._pulses)
        if len(pulses) >= ENOUGH:
            slope, count, at = _fit(pulses)
            errors = [abs(t - at - (c - count) * slope) for c, t in pulses]
            limit = max(4 * median(errors), TREMOR / 3)
            self._tremor = max(TREMOR, limit)
            near = [p for p, error in zip(pulses, errors, strict=True) if error <= limit]
            if ENOUGH <= len(near) < len(pulses):
                slope, count, at = _fit(near)
            if self._period / JUMP < slope < self._period * JUMP:
                self._period = slope
                return count, at
        return (
            sum(c for c, _ in pulses) / len(pulses),
            sum(t for _, t in pulses) / len(pulses),
        )

    def _is_news(self, tempo: Tempo) -> bool:
        if self.tempo is None or self._count - self._told >= PULSES_PER_BEAT:
            return True
        return tempo.moved(self.tempo, self.last)


def _fit(pulses: list[tuple[int, float]]) -> tuple[float, float, float]:
    """The least-squares line through pulses: seconds a pulse, and its middle."""
    n = len(pulses)
    count, at = sum(c for c, _ in pulses) / n, sum(t for _, t in pulses) / n
    spread = sum((c - count) ** 2 for c, _ in pulses)
    return sum((c - count) * (t - at) for c, t in pulses) / spread, count, at


Timed = tuple[float, bytes]
TAIL = 0.25  # seconds that a stop may wait for the pulses before it
LEAD = 0.001  # seconds that a start comes before the pulse that it announces


class ClockOut:
    """A stream's beat as MIDI clock, to be made as its symbols are committed.

    A symbol's pulses are spread over the time until the next one is due. Who receives them is
    started at position 0, and elsewhere told the position, so that its beats and bars are the
    stream's.

    Args:
        per_beat: symbols in a beat.
    """

    def __init__(self, per_beat: int) -> None:
        self._per_beat = per_beat
        self._next: int | None = None  # the position that is expected; none while stopped
        self._ends = 0.0  # when the last symbol's pulses do
        self._last = 0.0  # when the last pulse comes

    def symbol(self, n: int, due: float, ends: float, *, fed: bool = False) -> list[Timed]:
        """The messages of a symbol, as (time, bytes).

        Args:
            due: when it begins, and `ends` when the next one does, in seconds.
            fed: whether it was; then it has pulses only if it took its place in time.
        """
        if fed and not (n == self._next and due == self._ends):
            return []
        messages: list[Timed] = []
        first = math.ceil(n * PULSES_PER_BEAT / self._per_beat)
        if n != self._next:
            sixteenth = n * PULSES_PER_BEAT // self._per_beat // PULSES_PER_SIXTEENTH
            first = sixteenth * PULSES_PER_SIXTEENTH
            messages = [] if self._next is None else [(due - 3 * LEAD, midi.STOP)]
            if n == 0:
                messages.append((due - LEAD, midi.START))
            else:
                messages.append((due - 2 * LEAD, midi.song_position(sixteenth)))
                messages.append((due - LEAD, midi.CONTINUE))
        self._next, self._ends = n + 1, ends
        stop = math.ceil((n + 1) * PULSES_PER_BEAT / self._per_beat)
        for pulse in range(first, stop):
            part = pulse * self._per_beat / PULSES_PER_BEAT - n
            self._last = due + max(0.0, part) * (ends - due)
            messages.append((self._last, midi.CLOCK))
        return messages

    def stop(self, now: float) -> list[Timed]:
        """The messages of a stream that pauses, goes back or ends: after its last pulse."""
        if self._next is None:
            return []
        self._next = None
        return [(max(now, min(self._last, now + TAIL)), midi.STOP)]
