"""What one client is sent: at once while it reads, else by way of a bounded queue.

Messages are whole WebSocket frames. While nothing waits and the line is free, a frame is written
straight to the line; no task is woken for it. Otherwise it waits in the queue for its turn.
Answers and events are few and are never dropped; a client that leaves too many unread is
disconnected. Symbols beyond the bound are dropped and replaced by one `gap` for each session.
History that a client asked for is not queued, but read from the journal as the client takes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stream_rnn.adapters.http.line import Line
from stream_rnn.wire.events import Gap

SYMBOLS = 1024
EVENTS = 4096


@dataclass
class _Gap:
    session: str
    after: int
    before: int
    epoch: int


@dataclass
class _Symbol:
    frame: bytes


_History = Callable[[], Iterator[bytes]]


class Outbox:
    """A queue whose writers never wait and whose one reader does.

    Args:
        line: the way to the client.
        symbols: how many symbols may wait.
        events: how many answers and events may wait.

    Attributes:
        straight: sends a frame at once, in its turn; none while it would overtake others, or the
            client does not read.
        overrun: whether too many answers and events were unread, so that the client is given up.
        replaying: whether the message that `next` returned last was part of a history.
        answering: whether that message was an answer or an event.
    """

    # Of very many clients, what each symbol has to touch should be close together.
    __slots__ = (
        "_current", "_drained", "_dropped", "_empty", "_event_limit", "_filled", "_gaps", "_idle",
        "_limit", "_line", "_queue", "_symbols", "answering", "overrun", "replaying", "straight",
    )  # fmt: skip

    def __init__(self, line: Line, symbols: int = SYMBOLS, events: int = EVENTS) -> None:
        self._line = line
        self._idle = True  # nothing waits, and nothing is on its way from here to the line
        self.straight: Callable[[bytes], None] | None = None
        line.on_change = self._settle
        self._settle()
        self._limit, self._event_limit = symbols, events
        self._queue: deque[bytes | _Symbol | _Gap | _History] = deque()
        self._symbols = 0
        self._gaps: dict[str, _Gap] = {}
        self._current: Iterator[bytes] = iter(())
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._empty = asyncio.Event()
        self._dropped = 0
        self.overrun = False
        self.replaying = self.answering = False

    def tell(self, frame: bytes) -> None:
        """Sends or queues an answer or an event."""
        if self.straight is not None:
            self.straight(frame)
            return
        if len(self._queue) - self._symbols > self._event_limit:
            self.overrun = True
        else:
            self._queue.append(frame)
        if len(self._queue) - self._symbols > self._event_limit // 4:
            self._drained.clear()
        self._wake()

    def symbol(self, session: str, n: int, frame: bytes, epoch: int = 0) -> None:
        """Sends or queues live symbol `n` of a session's epoch, or drops it and notes the gap."""
        if self.straight is not None:
            self.straight(frame)
            return
        gap = self._gaps.get(session)
        if self._symbols < self._limit and gap is None:
            self._queue.append(_Symbol(frame))
            self._symbols += 1
        else:
            self._dropped += 1
            if gap is None or (n, epoch) != (gap.before, gap.epoch):
                gap = self._gaps[session] = _Gap(session, n - 1, n, epoch)
                self._queue.append(gap)
            gap.before = n + 1
        self._wake()

    def passing(self, frame: bytes) -> None:
        """Sends or queues what is worthless later, such as a touch; drops it silently if full."""
        if self.straight is not None:
            self.straight(frame)
        elif self._symbols < self._limit and not self._gaps:
            self._queue.append(_Symbol(frame))
            self._symbols += 1
            self._wake()

    def history(self, messages: _History) -> None:
        """Queues a history, whose messages are made when their turn comes."""
        self._queue.append(messages)
        self._wake()

    def _wake(self) -> None:
        if self._idle:
            self._idle = False
            self._settle()
        self._empty.clear()
        self._filled.set()

    def _settle(self) -> None:
        self.straight = self._line.write if self._idle and self._line.free else None

    def take_dropped(self) -> int:
        """Returns how many symbols were dropped since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    async def room(self) -> None:
        """Waits while many answers are unread: a client that does not read is not read either."""
        await self._drained.wait()

    async def emptied(self) -> None:
        """Waits until nothing is left to send."""
        await self._empty.wait()

    async def next(self) -> bytes | None:
        """Waits for the next frame and returns it; None if the client has been given up.

        Until it is asked for another one, everything is queued: nothing overtakes a frame that its
        reader still holds.
        """
        while True:
            if self.overrun:
                return None
            frame = next(self._current, None)
            self.replaying, self.answering = frame is not None, False
            if frame is not None:
                return frame
            if not self._queue:
                self._idle = True
                self._settle()
                self._drained.set()
                self._empty.set()
                self._filled.clear()
                await self._filled.wait()
                continue
            item = self._queue.popleft()
            if isinstance(item, bytes):
                self.answering = True
                return item
            if isinstance(item, _Symbol):
                self._symbols -= 1
                return item.frame
            if isinstance(item, _Gap):
                if self._gaps.get(item.session) is item:
                    del self._gaps[item.session]
                return Gap(item.session, item.after, item.before).frame
            self._current = item()
