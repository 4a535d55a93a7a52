"""The bounded queue of messages to one client. The client is told of the symbols it drops.

Answers and events are few and are never dropped; a client that leaves too many unread is
disconnected. Symbols beyond the bound are dropped and replaced by one `gap` for each session.
History that a client asked for is not queued, but read from the journal as the client takes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
    text: str


_History = Callable[[], Iterator[str]]


class Outbox:
    """A queue whose writers never wait and whose one reader does.

    Args:
        symbols: how many symbols may wait.
        events: how many answers and events may wait.

    Attributes:
        overrun: whether too many answers and events were unread, so that the client is given up.
        replaying: whether the message that `next` returned last was part of a history.
        answering: whether that message was an answer or an event.
    """

    def __init__(self, symbols: int = SYMBOLS, events: int = EVENTS) -> None:
        self._limit, self._event_limit = symbols, events
        self._queue: deque[str | _Symbol | _Gap | _History] = deque()
        self._symbols = 0
        self._gaps: dict[str, _Gap] = {}
        self._current: Iterator[str] = iter(())
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._empty = asyncio.Event()
        self._dropped = 0
        self.overrun = False
        self.replaying = self.answering = False

    def tell(self, message: str) -> None:
        """Queues an answer or an event."""
        if len(self._queue) - self._symbols > self._event_limit:
            self.overrun = True
        else:
            self._queue.append(message)
        if len(self._queue) - self._symbols > self._event_limit // 4:
            self._drained.clear()
        self._wake()

    def symbol(self, session: str, n: int, message: str, epoch: int = 0) -> None:
        """Queues live symbol `n` of a session's epoch, or drops it and notes the gap."""
        gap = self._gaps.get(session)
        if self._symbols < self._limit and gap is None:
            self._queue.append(_Symbol(message))
            self._symbols += 1
        else:
            self._dropped += 1
            if gap is None or (n, epoch) != (gap.before, gap.epoch):
                gap = self._gaps[session] = _Gap(session, n - 1, n, epoch)
                self._queue.append(gap)
            gap.before = n + 1
        self._wake()

    def passing(self, message: str) -> None:
        """Queues a message that is worthless later, such as a touch; drops it silently if full."""
        if self._symbols < self._limit and not self._gaps:
            self._queue.append(_Symbol(message))
            self._symbols += 1
            self._wake()

    def history(self, messages: _History) -> None:
        """Queues a history, whose messages are made when their turn comes."""
        self._queue.append(messages)
        self._wake()

    def _wake(self) -> None:
        self._empty.clear()
        self._filled.set()

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

    async def next(self) -> str | None:
        """Waits for the next message and returns it; None if the client has been given up."""
        while True:
            if self.overrun:
                return None
            message = next(self._current, None)
            self.replaying, self.answering = message is not None, False
            if message is not None:
                return message
            if not self._queue:
                self._drained.set()
                self._empty.set()
                self._filled.clear()
                await self._filled.wait()
                continue
            item = self._queue.popleft()
            if isinstance(item, str):
                self.answering = True
                return item
            if isinstance(item, _Symbol):
                self._symbols -= 1
                return item.text
            if isinstance(item, _Gap):
                if self._gaps.get(item.session) is item:
                    del self._gaps[item.session]
                return Gap(item.session, item.after, item.before).json
            self._current = item()
