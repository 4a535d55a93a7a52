"""Shows subscribers past symbols at a pace: those they missed and asked for, and long feeds.

One packet is sent at a time, with a pause after each, however much is asked for. So the network,
the receiver and other clients' symbols have room in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from stream_rnn.adapters.osc.agenda import Agenda
from stream_rnn.adapters.osc.voices import OscVoices, PlainForm
from stream_rnn.clock import Clock
from stream_rnn.wire import events, osc
from stream_rnn.wire.osc_answers import Message, answers

MAX_PAST = 512  # past symbols that are shown at most; of a long feed, its last ones
IN_ONE = 32  # messages in a packet
READ = 128  # symbols read at a time
PACE = 0.004  # seconds from one packet to the next
SOURCES = 4  # pasts of one session that may wait for one receiver; the oldest are dropped
AT_ONCE = 0.0


class _Shown:
    """The past of one session for one receiver. All is read first: only its end is shown."""

    def __init__(self) -> None:
        self._sources: deque[Iterator[events.Past]] = deque(maxlen=SOURCES)
        self._messages: deque[Message] = deque(maxlen=MAX_PAST)

    def add(self, past: Iterator[events.Past]) -> None:
        self._sources.append(past)

    def next_packet(self) -> bytes | None:
        """Reads on, or returns the next packet if all has been read."""
        for _ in range(READ):
            if not self._sources:
                break
            event = next(self._sources[0], None)
            if event is None:
                self._sources.popleft()
            else:
                self._messages.extend(
                    PlainForm.past(event) if isinstance(event, events.Symbol) else answers(event)
                )
        if self._sources or not self._messages:
            return None
        some = [self._messages.popleft() for _ in range(min(IN_ONE, len(self._messages)))]
        return osc.bundle_bytes(AT_ONCE, some)

    def __bool__(self) -> bool:
        return bool(self._sources or self._messages)


class Past:
    """All pasts that wait to be shown, which take turns."""

    def __init__(self, clock: Clock) -> None:
        self._agenda: Agenda[None] = Agenda(self._turn, clock)
        self._waiting: dict[tuple[OscVoices, str], _Shown] = {}  # the next turn comes first

    def __len__(self) -> int:
        return len(self._waiting)

    def show(self, receiver: OscVoices, session: str, past: Iterator[events.Past]) -> None:
        """Shows a session's past after what waits of it; at most the last `MAX_PAST` symbols."""
        idle = not self._waiting
        self._waiting.setdefault((receiver, session), _Shown()).add(past)
        if idle and not len(self._agenda):
            self._turn(None)

    def drop(self, receiver: OscVoices, session: str) -> None:
        """Forgets what waits of a session for a receiver."""
        self._waiting.pop((receiver, session), None)

    def clear(self) -> None:
        """Forgets all that waits."""
        self._waiting.clear()
        self._agenda.clear()

    def _turn(self, _: None) -> None:
        if not self._waiting:
            return
        (receiver, session), shown = next(iter(self._waiting.items()))
        del self._waiting[receiver, session]
        packet = shown.next_packet()
        if packet is not None:
            receiver.send(packet)
        if shown:
            self._waiting[receiver, session] = shown
        if self._waiting:
            self._agenda.add(0.0, PACE, None)
