"""Recognizes our own messages when they come back in, by a loop or a synthesizer that echoes.

No I/O; the times are passed in. Outgoing messages are noted when they are handed over, so their
times may lie ahead.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass

from stream_rnn.adapters.midi.clock import GAP
from stream_rnn.midi.player import CONTROL, NOTE_OFF, NOTE_ON
from stream_rnn.wire import midi

ECHO = 0.15  # seconds within which an echo comes back
SOON = 0.005  # seconds by which an echo may seem to come before its message was sent
PROGRAM = 0xC0
SILENCING = (midi.ALL_SOUND_OFF, midi.ALL_NOTES_OFF)
APART = 8.0  # mismatches (pulses of only one of two clocks) after which a clock is not ours
KEPT = 1024  # pulses that are remembered at least: ten seconds of a fast clock
FORGIVEN = 0.004  # mismatches forgiven with each pulse, since some pulses are lost on the way

_SONG_POSITION = midi.song_position(0)[0]
_CLOCKWORK = {_SONG_POSITION, *(message.value for message in midi.Realtime)}


def _lately(sent: float, heard: float) -> bool:
    return -SOON <= heard - sent <= ECHO


class EchoGuard:
    """Remembers the notes, silences, program changes and clocks that we have sent."""

    def __init__(self) -> None:
        self._keys: dict[tuple[int, int], deque[tuple[float, bool]]] = {}  # (when, begins or ends)
        self._silenced: deque[float] = deque(maxlen=64)
        self._programs: deque[tuple[float, int, int]] = deque(maxlen=64)  # when, channel, program
        self._echoed: Counter[tuple[int, int, int]] = Counter()  # port, channel, pitch
        self._clocks: dict[int, _Sent] = {}  # by the port that they are sent on
        self._heard: dict[int, _Heard] = {}  # by the port that they are heard on

    def sent(self, time: float, data: bytes, port: int = 0) -> None:
        """Notes a message that goes out on a port at `time`."""
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
        """Notes that all notes were ended at this moment, on every channel."""
        if time not in self._silenced:
            self._silenced.append(time)

    def is_echo(self, port: int, event: midi.NoteOn | midi.NoteOff, time: float) -> bool:
        """Whether an incoming message is an echo of our note, or ends a note that was an echo."""
        key = port, event.channel, event.pitch
        sent = self._keys.get(key[1:], ())
        if isinstance(event, midi.NoteOn):
            echo = any(begins and _lately(at, time) for at, begins in sent)
            self._echoed[key] += echo
            return echo
        if not self._echoed[key]:
            return False
        # A note-on of ours also ends the note that it replaces, so either kind may have ended it.
        if any(_lately(at, time) for at, _ in sent) or self.is_own_silence(time):
            self._echoed[key] -= 1
            return True
        if not any(begins for at, begins in list(sent)[-1:] if at <= time):
            # Our note ended long ago and its echo was lost: this ends a note of the performer's.
            del self._echoed[key]
        return False

    def is_own_silence(self, time: float) -> bool:
        """Whether an incoming all-sound-off or all-notes-off is an echo of our own."""
        return any(_lately(at, time) for at in self._silenced)

    def is_own_program(self, event: midi.MidiEvent, time: float) -> bool:
        """Whether an incoming program change is an echo of our own."""
        return isinstance(event, midi.Program) and any(
            _lately(at, time) and (channel, program) == (event.channel, event.program)
            for at, channel, program in self._programs
        )

    def is_own_clock(self, port: int, event: midi.MidiEvent, time: float) -> bool:
        """Whether an incoming pulse, start, stop or the like is an echo of our own.

        A single pulse does not tell, since pulses of a clock that we follow come at the times of
        ours. But an echo begins when our clock does, and matches it pulse for pulse. And a start
        or a stop that we did not send shows that the clock is another sender's.
        """
        heard = self._heard.setdefault(port, _Heard())
        if event is midi.Realtime.CLOCK:
            return heard.pulse(time, list(self._clocks.values()))
        status = event.value if isinstance(event, midi.Realtime) else _SONG_POSITION
        echo = any(
            one == status and _lately(at, time)
            for clock in self._clocks.values()
            for at, one in clock.transport
        )
        heard.others |= not echo
        return echo


class _Sent:
    """The clock that we send on a port: its latest pulses, by number, and its transport."""

    def __init__(self) -> None:
        self.transport: deque[tuple[float, int]] = deque(maxlen=16)
        self._first = 0
        self._pulses: list[float] = []

    def add(self, time: float, status: int) -> None:
        """Notes a message of the clock that goes out."""
        if status != midi.CLOCK[0]:
            self.transport.append((time, status))
            return
        self._pulses.append(time)
        if len(self._pulses) > 2 * KEPT:
            self._first += KEPT
            del self._pulses[:KEPT]

    def time_of(self, number: int) -> float:
        """When a pulse was sent, or will be; infinity if that is not known yet."""
        place = max(0, number - self._first)
        return self._pulses[place] if place < len(self._pulses) else math.inf

    def first_since(self, time: float) -> int:
        """The number of the first pulse at or after a time."""
        return self._first + bisect_left(self._pulses, time)


@dataclass
class _Heard:
    """The clock that is heard on a port.

    Attributes:
        others: whether it is known to be another sender's.
    """

    others: bool = False
    _ours: _Sent | None = None
    _next: int = 0  # the pulse of ours that should come back next
    _apart: float = 0.0  # mismatches so far, less those forgiven; see `APART`
    _last: float = -math.inf

    def pulse(self, time: float, clocks: list[_Sent]) -> bool:
        """Takes a pulse; returns whether it is an echo of one of our clocks."""
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
