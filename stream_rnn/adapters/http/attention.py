"""Whose turn it is, among all clients of a server, and how much of the time they have together.

One event loop does everything: while it reads what one client sent, nobody's symbols go out. So
what clients send is read and done a bit at a time, each bit in its turn, and all of it together for
a share of the time. Who asks for much waits longer; who plays is in time.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

SHARE = 0.5  # of the time
STRETCH = 0.004  # seconds that may be saved up, and taken at a time
REST = 0.002  # seconds at least, once they are used up


class Attention:
    """Gives turns, in the order in which they are asked for.

    Args:
        loop: whose time it is.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._left, self._at = STRETCH, loop.time()
        self._waiting: deque[Callable[[], None]] = deque()
        self._called = False  # whether `_go_on` will be

    def _refresh(self) -> float:
        now = self._loop.time()
        self._left = min(STRETCH, self._left + (now - self._at) * SHARE)
        self._at = now
        return self._left

    @property
    def is_free(self) -> bool:
        """Whether who asks now has a turn at once."""
        return not self._waiting and self._refresh() > 0

    def charge(self, seconds: float) -> None:
        """Something was done for a client, that took so long."""
        self._refresh()
        self._left -= seconds

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Charges what is done in the block, in which nothing is waited for."""
        began = self._loop.time()
        try:
            yield
        finally:
            self.charge(self._loop.time() - began)

    def wait(self, turn: Callable[[], None]) -> None:
        """Has something done when its turn has come; it charges what it takes."""
        self._waiting.append(turn)
        self._call()

    async def turn(self) -> None:
        """Waits for a turn."""
        if not self.is_free:
            come = self._loop.create_future()

            def mine() -> None:
                if not come.done():  # nobody waits for it any more
                    come.set_result(None)

            self.wait(mine)
            await come

    def _call(self) -> None:
        if self._waiting and not self._called:
            self._called = True
            debt = -self._refresh()
            self._loop.call_later(max(REST, debt / SHARE) if debt >= 0 else 0.0, self._go_on)

    def _go_on(self) -> None:
        self._called = False
        # One at a time: what is waited for elsewhere is done, and charged, before the next.
        if self._waiting and self._refresh() > 0:
            self._waiting.popleft()()
        self._call()
