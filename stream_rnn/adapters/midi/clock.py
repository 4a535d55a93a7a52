"""MIDI clock: turns incoming pulses into a tempo, and a stream's beat into outgoing pulses.

No I/O; times are passed in, on the server's clock: of an incoming message, when it was heard.
"""

from __future__ import annotations

import math

from stream_rnn.adapters.midi.pulse_line import PulseLine
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.stage.transport import Transport
from stream_rnn.wire import midi
from stream_rnn.wire.midi import PULSES_PER_BEAT, PULSES_PER_SIXTEENTH

GAP = 0.5  # seconds without a pulse after which a clock counts as silent


class ClockFollower:
    """Derives tempo and transport from a port's clock, start, continue, stop and song position.

    The tempo is a line through the last pulses: see `PulseLine`. A sender may keep its clock
    running while it is stopped. Then the tempo is known before it starts, and the piece goes on
    from where it was at the stop.

    Args:
        bpm: the tempo until one is heard.
    """

    def __init__(self, bpm: float = 120.0) -> None:
        self.tempo: Tempo | None = None  # as it was reported last
        self.last = -math.inf  # when the last pulse came
        self._line = PulseLine(60.0 / bpm / PULSES_PER_BEAT)
        self._offset = 0  # from a pulse's count to its place in the piece
        self._resume = 0  # the place where a continue goes on
        self._armed: Transport | None = None  # the start or continue that the next pulse does
        self._told = 0  # the count at which a tempo was last reported

    def hear(self, event: midi.MidiEvent, time: float) -> list[Tempo | Transport]:
        """Takes a message; returns the sender's transport, and its tempo if new or once a beat."""
        match event:
            case midi.Realtime.CLOCK:
                return self._pulse(time)
            case midi.Realtime.START:
                self._armed, self._resume = "start", 0
            case midi.Realtime.CONTINUE:
                self._armed = "continue"
            case midi.Realtime.STOP:
                self._armed, self._resume = None, self._line.count + self._offset
                return ["stop"]
            case midi.SongPosition(sixteenths):
                self._resume = sixteenths * PULSES_PER_SIXTEENTH
        return []

    def _pulse(self, time: float) -> list[Tempo | Transport]:
        if time - self.last > GAP:
            self._line.clear()
            if self.tempo is not None:
                # The clock is back. In its silence the sessions' beat went on: so does the place.
                place = round(self.tempo.beat_at(time) * PULSES_PER_BEAT)
                self._offset = place - self._line.count
        self.last = time
        began, self._armed = self._armed, None
        self._line.add(time, begins=began is not None)
        if began is not None:
            self._offset = self._resume - (self._line.count - 1)
        tempo = self._estimate()
        news = began is not None or self._is_news(tempo)
        if news:
            self.tempo, self._told = tempo, self._line.count
        return [*([tempo] if news else []), *([began] if began else [])]

    def _estimate(self) -> Tempo:
        count, at = self._line.middle
        beat = (count + self._offset) / PULSES_PER_BEAT
        return Tempo(60.0 / self._line.period / PULSES_PER_BEAT, beat, at)

    def _is_news(self, tempo: Tempo) -> bool:
        if self.tempo is None or self._line.count - self._told >= PULSES_PER_BEAT:
            return True
        return tempo.moved(self.tempo, self.last)


Timed = tuple[float, bytes]
TAIL = 0.25  # seconds that a stop may wait for the pulses before it
LEAD = 0.001  # seconds that a start comes before the pulse that it announces
# Seconds by which the pulses of a paused stream are sent ahead. Symbols are handed out further
# ahead, so that no pulse of the pause comes after the start.
AHEAD = 0.015


class ClockOut:
    """Makes MIDI clock from a stream's beat, as its symbols are committed.

    A symbol's pulses are spread over the time until the next symbol is due. Receivers get a
    start at position 0, and elsewhere the song position and a continue, so that their beats and
    bars are the stream's.

    Args:
        per_beat: symbols in a beat.
        bpm: the stream's tempo.
        always: whether pulses go on in the stream's tempo while it is paused.

    Attributes:
        bpm: the tempo of pulses in a pause; to be kept up to date.
    """

    def __init__(self, per_beat: int, bpm: float = 120.0, *, always: bool = False) -> None:
        self.per_beat, self.bpm, self._always = per_beat, bpm, always
        self._next: int | None = None  # the expected position; None while stopped
        self._ends = 0.0  # when the pulses of the last symbol end
        self._last = -math.inf  # when the last pulse is due

    def symbol(self, n: int, due: float, ends: float, *, fed: bool = False) -> list[Timed]:
        """Makes the messages of a symbol, as (time, bytes).

        Args:
            due: when the symbol begins, and `ends` when the next one does, in seconds.
            fed: whether it was fed. Then it has pulses only if it took a place in the beat.
        """
        if fed and not (n == self._next and due == self._ends):
            return []
        messages: list[Timed] = []
        first = math.ceil(n * PULSES_PER_BEAT / self.per_beat)
        if n != self._next:
            sixteenth = n * PULSES_PER_BEAT // self.per_beat // PULSES_PER_SIXTEENTH
            first = sixteenth * PULSES_PER_SIXTEENTH
            messages = [] if self._next is None else [(due - 3 * LEAD, midi.STOP)]
            if n == 0:
                messages.append((due - LEAD, midi.START))
            else:
                messages.append((due - 2 * LEAD, midi.song_position(sixteenth)))
                messages.append((due - LEAD, midi.CONTINUE))
        self._next, self._ends = n + 1, ends
        stop = math.ceil((n + 1) * PULSES_PER_BEAT / self.per_beat)
        for pulse in range(first, stop):
            part = pulse * self.per_beat / PULSES_PER_BEAT - n
            self._last = due + max(0.0, part) * (ends - due)
            messages.append((self._last, midi.CLOCK))
        return messages

    def stop(self, now: float) -> list[Timed]:
        """Makes the stop for a stream that pauses, goes back or ends, after its last pulse."""
        if self._next is None:
            return []
        self._next = None
        return [(max(now, min(self._last, now + TAIL)), midi.STOP)]

    def next_time(self) -> float:
        """When `run_on` has pulses to send; infinity while the stream plays or if never."""
        if not self._always or self._next is not None:
            return math.inf
        return self._last + self._period - AHEAD

    @property
    def _period(self) -> float:
        return 60.0 / self.bpm / PULSES_PER_BEAT

    def run_on(self, now: float) -> list[Timed]:
        """Makes the pulses of a paused stream that are due soon."""
        messages: list[Timed] = []
        while self.next_time() <= now:
            # Pulses that were missed because this was not called are not made up for.
            self._last = max(self._last + self._period, now)
            messages.append((self._last, midi.CLOCK))
        return messages
