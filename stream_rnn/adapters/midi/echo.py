"""Knows what we sent ourselves when it comes back in, by a loop or a synthesizer that is chatty.

No I/O; the times are passed in. A message that goes out is told of when it is handed over, so
that its time may lie ahead.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass

from stream_rnn.adapters.midi.clock import GAP
from stream_rnn.midi.player import CONTROL, NOTE_OFF, NOTE_ON
from stream_rnn.wire import midi

ECHO = 0.15  # seconds within which what we sent may come back
SOON = 0.005  # seconds by which it may seem to come before it was sent
PROGRAM = 0xC0
SILENCING = (midi.ALL_SOUND_OFF, midi.ALL_NOTES_OFF)
APART = 8.0  # pulses that are not ours, or do not come back, of a clock that is not ours
KEPT = 1024  # pulses, at least; ten seconds of a fast clock
FORGIVEN = 0.004  # of a pulse, with each: some are lost on the way

_STATUS: dict[type[midi.MidiEvent], int] = {
    midi.Clock: midi.CLOCK[0], midi.Start: midi.START[0], midi.Continue: midi.CONTINUE[0],
    midi.Stop: midi.STOP[0], midi.SongPosition: midi.song_position(0)[0],
}  # fmt: skip
_CLOCKWORK = frozenset(_STATUS.values())


def _lately(sent: float, heard: float) -> bool:
    return -SOON <= heard - sent <= ECHO


class EchoGuard:
    """Our own notes, silences and clock."""

    def __init__(self) -> None:
        self._keys: dict[tuple[int, int], deque[tuple[float, bool]]] = {}  # (when, it begins)
        self._silenced: deque[float] = deque(maxlen=64)
        self._programs: deque[tuple[float, int, int]] = deque(maxlen=64)  # when, channel, program
        self._echoed: Counter[tuple[int, int, int]] = Counter()  # port, channel, pitch
        self._clocks: dict[int, _Sent] = {}  # by the port that they are sent on
        self._heard: dict[int, _Heard] = {}  # by the port that they are heard on

    def sent(self, time: float, data: bytes, port: int = 0) -> None:
        """A message goes out, at its moment."""
        if data[0] in _CLOCKWORK:
            self._clocks.setdefault(port, _Sent()).add(time, data[0])
        if data[0] & 0xF0 == PROGRAM:
            self._programs.append((time, (data[0] & 0x0F) + 1, data[1]))
        if len(data) != 3:
            return
        status, channel = data[0] & 0xF0, (data[0] & 0x0F) + 1
        if status in (NOTE_ON, NOTE_OFF):
            begins = status == NOTE_ON and data[2] > 0
            key = self._keys.setdefault((channel, data[1]), deque(maxlen=32))
            key.append((time, begins))
        elif status == CONTROL and data[1] in SILENCING:
            self.silenced(time)

    def silenced(self, time: float) -> None:
        """All that sounded was ended at this moment, channel by channel."""
        if time not in self._silenced:
            self._silenced.append(time)

    def is_echo(self, port: int, event: midi.NoteOn | midi.NoteOff, time: float) -> bool:
        """Whether a note is our own, or the end of one that was."""
        key = port, event.channel, event.pitch
        sent = self._keys.get(key[1:], ())
        if isinstance(event, midi.NoteOn):
            echo = any(begins and _lately(at, time) for at, begins in sent)
            self._echoed[key] += echo
            return echo
        if not self._echoed[key]:
            return False
        # What begins ends what it is in the place of, so either kind may have ended it.
        if any(_lately(at, time) for at, _ in sent) or self.is_own_silence(time):
            self._echoed[key] -= 1
            return True
        if not any(begins for at, begins in list(sent)[-1:] if at <= time):
            # Ours ended long ago, and its end was lost on the way: this is the player's own.
            del self._echoed[key]
        return False

    def is_own_silence(self, time: float) -> bool:
        """Whether a message that silences is our own."""
        return any(_lately(at, time) for at in self._silenced)

    def is_own_program(self, event: midi.MidiEvent, time: float) -> bool:
        """Whether a program change is our own."""
        return isinstance(event, midi.Program) and any(
            _lately(at, time) and (channel, program) == (event.channel, event.program)
            for at, channel, program in self._programs
        )

    def is_own_clock(self, port: int, event: midi.MidiEvent, time: float) -> bool:
        """Whether a pulse, a start, a stop or the like is our own.

        Single pulses look alike, and those of a clock that we follow come at the times of
        ours. But an echo comes when we have begun, and pulse for pulse; and a start or a stop
        that we did not send tells that somebody else is there.
        """
        heard = self._heard.setdefault(port, _Heard())
        if isinstance(event, midi.Clock):
            return heard.pulse(time, list(self._clocks.values()))
        status = _STATUS[type(event)]
        echo = any(
            one == status and _lately(at, time)
            for clock in self._clocks.values()
            for at, one in clock.transport
        )
        heard.others |= not echo
        return echo


class _Sent:
    """The clock that we send on a port: its pulses by number, the latest of them."""

    def __init__(self) -> None:
        self.transport: deque[tuple[float, int]] = deque(maxlen=16)
        self._first = 0
        self._pulses: list[float] = []

    def add(self, time: float, status: int) -> None:
        """One of its messages goes out."""
        if status != midi.CLOCK[0]:
            self.transport.append((time, status))
            return
        self._pulses.append(time)
        if len(self._pulses) > 2 * KEPT:
            self._first += KEPT
            del self._pulses[:KEPT]

    def time_of(self, number: int) -> float:
        """When a pulse was sent, or will be; infinity for one that is not known yet."""
        place = max(0, number - self._first)
        return self._pulses[place] if place < len(self._pulses) else math.inf

    def first_since(self, time: float) -> int:
        """The number of the first pulse from then on."""
        return self._first + bisect_left(self._pulses, time)


@dataclass
class _Heard:
    """The clock that is heard on a port.

    Attributes:
        others: whether it is known to be somebody else's.
    """

    others: bool = False
    _ours: _Sent | None = None
    _next: int = 0  # the pulse of ours that should come back next
    _apart: float = 0.0  # pulses that came and were not ours, or did not come back; fading
    _last: float = -math.inf

    def pulse(self, time: float, clocks: list[_Sent]) -> bool:
        """Takes a pulse; says whether it is ours."""
        begins, self._last = time - self._last > GAP, time
        if self.others:
            return False
        if begins:
            firsts = [(clock, clock.first_since(time - ECHO)) for clock in clocks]
            lately = [(clock, n) for clock, n in firsts if _lately(clock.time_of(n), time)]
            self._ours, first = lately[0] if lately else (None, 0)
            self._next = first + 1
            self.others = self._ours is None
            self._apart = 0.0
        elif self._ours is not None:
            while time - self._ours.time_of(self._next) > ECHO:
                self._next += 1
                self._apart += 1
            if _lately(self._ours.time_of(self._next), time):
                self._next += 1
            else:
                self._apart += 1
            self._apart = max(0.0, self._apart - FORGIVEN)
            if self._apart > APART:
                self._ours = None
        return self._ours is not None
