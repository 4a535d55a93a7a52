"""Clients' share of the event loop's time, and the order in which clients have their turns.

One event loop does everything: while the server reads what one client sent, nobody's symbols go
out. So the server does what clients ask for a little at a time, and all of it together may take a
share of the time. A client that has used little comes before a client that has used much: a
performer does not wait behind a flood. (That order is fair queueing: Demers, Keshav and Shenker,
1989.)
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

SHARE = 0.5  # of the time
STRETCH = 0.004  # seconds that clients may save up, and use without a break
REST = 0.002  # seconds that a break lasts at least
CREDIT = 0.01  # seconds: a client that uses little is so far ahead of the others, and no further
DEBT = 0.05  # seconds: the clock also runs while another program has the processor


class Attention:
    """How much time all clients together may use now, and who waits for a turn.

    Args:
        loop: the event loop whose time it is.

    Attributes:
        spent: seconds that have been spent on all clients' requests.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self.spent = 0.0
        self._left, self._at = STRETCH, loop.time()
        self._fair = 0.0  # seconds that each client has had which always wanted a turn
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._called = False  # whether the loop will call `_go_on`

    def account(self) -> Account:
        """An account for a new client."""
        return Account(self)

    def _refresh(self) -> float:
        now = self._loop.time()
        self._left = min(STRETCH, self._left + (now - self._at) * SHARE)
        self._at = now
        return self._left

    def _call(self) -> None:
        if self._waiting and not self._called:
            self._called = True
            debt = -self._refresh()
            self._loop.call_later(max(REST, debt / SHARE) if debt >= 0 else 0.0, self._go_on)

    def _go_on(self) -> None:
        self._called = False
        try:
            # One at a time: a task does and charges what it waited for before the next turn.
            if self._waiting and self._refresh() > 0:
                _, _, turn = heapq.heappop(self._waiting)
                turn()
        finally:
            self._call()


class Account:
    """What one client has used, and its place among those who wait."""

    def __init__(self, attention: Attention) -> None:
        self._all = attention
        self._used = attention._fair  # a new connection brings no credit

    @property
    def _standing(self) -> float:
        return max(self._used, self._all._fair - CREDIT)

    @property
    def is_free(self) -> bool:
        """Whether the client may have a turn without waiting."""
        return not self._all._waiting and self._all._refresh() > 0

    def charge(self, seconds: float) -> None:
        """Notes that something which was done for the client took so long."""
        everyone = self._all
        everyone.spent += seconds
        self._used = self._standing + seconds
        everyone._left = max(-DEBT, everyone._refresh() - seconds)
        everyone._fair += seconds / (1 + len(everyone._waiting))

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Charges the time that the block takes; nothing may be awaited in it."""
        now = self._all._loop.time
        began = now()
        try:
            yield
        finally:
            self.charge(now() - began)

    def wait(self, turn: Callable[[], None]) -> None:
        """Calls something when the client's turn has come; it has to charge the time it takes."""
        heapq.heappush(self._all._waiting, (self._standing, next(self._all._numbers), turn))
        self._all._call()

    async def turn(self) -> None:
        """Waits for a turn."""
        if not self.is_free:
            come = self._all._loop.create_future()

            def mine() -> None:
                if not come.done():  # the task that waited may have been cancelled
                    come.set_result(None)

            self.wait(mine)
            await come
