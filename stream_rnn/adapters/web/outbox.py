"""What waits to be sent to one client: bounded, and honest about what it drops.

Answers and events are few and always fit, up to a bound at which the client is given up.
Symbols beyond the bound are dropped and replaced by one `gap` for each session. History that
the client asked for is not queued at all, but read from the journal as the client takes it.
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
    """A queue with a writer that never waits and one reader that does.

    Args:
        symbols: how many symbols may wait.
        events: how many answers and events may wait.

    Attributes:
        overrun: whether the client has been given up.
        replaying: whether what `next` returned last was a part of a history.
        answering: whether it was an answer or an event.
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
        """An answer or an event."""
        if len(self._queue) - self._symbols > self._event_limit:
            self.overrun = True
        else:
            self._queue.append(message)
        if len(self._queue) - self._symbols > self._event_limit // 4:
            self._drained.clear()
        self._wake()

    def symbol(self, session: str, n: int, message: str, epoch: int = 0) -> None:
        """A live symbol of some epoch of its session."""
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
        """What nobody would ask for later, so that it is dropped without a word."""
        if self._symbols < self._limit and not self._gaps:
            self._queue.append(_Symbol(message))
            self._symbols += 1
            self._wake()

    def history(self, messages: _History) -> None:
        """Messages to be made when their turn comes."""
        self._queue.append(messages)
        self._wake()

    def _wake(self) -> None:
        self._empty.clear()
        self._filled.set()

    def take_dropped(self) -> int:
        """How many symbols were dropped since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    async def room(self) -> None:
        """Waits while many answers are unread, so that who does not read need not be heard."""
        await self._drained.wait()

    async def emptied(self) -> None:
        """Waits until nothing is left to send."""
        await self._empty.wait()

    async def next(self) -> str | None:
        """The next message; none if the client has been given up."""
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
