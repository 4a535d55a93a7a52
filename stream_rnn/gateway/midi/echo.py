"""Knows what we sent ourselves when it comes back in, by a loop or a synthesizer that is chatty.

No I/O; the times are passed in. A message that goes out is told of when it is handed over, so
that its time may lie ahead.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass

from stream_rnn.gateway.midi.pulses import GAP
from stream_rnn.midi.player import CONTROL, NOTE_OFF, NOTE_ON
from stream_rnn.wire import midi

ECHO = 0.15  # seconds within which what we sent may come back
SOON = 0.005  # seconds by which it may seem to come before it was sent
SILENCING = (midi.ALL_SOUND_OFF, midi.ALL_NOTES_OFF)
APART = 8.0  # pulses by which a clock differs from ours that is not ours
MEMORY = 60.0  # seconds by which a pulse may lie ahead
FORGIVEN = 0.004  # of a pulse, with each: some are lost on the way

_STATUS: dict[type[midi.Event], int] = {
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
        self._echoed: Counter[tuple[int, int, int]] = Counter()  # port, channel, pitch
        self._clocks: dict[int, _Sent] = {}  # by the port that they are sent on
        self._heard: dict[int, _Heard] = {}  # by the port that they are heard on

    def sent(self, time: float, data: bytes, port: int = 0) -> None:
        """A message goes out, at its moment."""
        if data[0] in _CLOCKWORK:
            self._clocks.setdefault(port, _Sent()).add(time, data[0])
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

    def is_own_clock(self, port: int, event: midi.Event, time: float) -> bool:
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
    """The clock that we send on a port."""

    def __init__(self) -> None:
        self.transport: deque[tuple[float, int]] = deque(maxlen=16)
        self.last = -math.inf  # when the last pulse was sent
        self._pulses: deque[float] = deque()
        self._count = 0

    def add(self, time: float, status: int) -> None:
        """One of its messages goes out."""
        if status == midi.CLOCK[0]:
            self._pulses.append(time)
            self.count(time - MEMORY)  # where no pulse comes in nobody else counts
        else:
            self.transport.append((time, status))

    def count(self, time: float) -> int:
        """How many pulses have been sent by then."""
        while self._pulses and self._pulses[0] <= time + SOON:
            self.last = self._pulses.popleft()
            self._count += 1
        return self._count


@dataclass
class _Heard:
    """The clock that is heard on a port.

    Attributes:
        others: whether it is known to be somebody else's.
    """

    others: bool = False
    _ours: _Sent | None = None
    _sent: int = 0  # pulses of ours, when the last one was heard
    _apart: float = 0.0  # pulses heard more than sent, fading
    _last: float = -math.inf

    def pulse(self, time: float, clocks: list[_Sent]) -> bool:
        """Takes a pulse; says whether it is ours."""
        begins, self._last = time - self._last > GAP, time
        if self.others:
            return False
        if begins:
            self._apart = 0.0
            counts = [(clock, clock.count(time)) for clock in clocks]
            lately = [(clock, sent) for clock, sent in counts if _lately(clock.last, time)]
            self._ours, self._sent = lately[0] if lately else (None, 0)
            self.others = self._ours is None
        elif self._ours is not None:
            before, self._sent = self._sent, self._ours.count(time)
            self._apart += 1 - (self._sent - before)
            self._apart = math.copysign(max(0.0, abs(self._apart) - FORGIVEN), self._apart)
            if abs(self._apart) > APART or not _lately(self._ours.last, time):
                self._ours = None
        return self._ours is not None
