"""The way to one WebSocket client, for code that sends very often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

LINE = "stream_rnn.line"  # under which a scope's extensions have it


class Line(Protocol):
    """Takes whole frames and sends them as they are.

    Attributes:
        free: whether it sends a frame at once: the client is there, and has read so much that
            nothing waits in this process.
        on_change: called when that has changed.
    """

    free: bool
    on_change: Callable[[], None]

    def write(self, frame: bytes) -> None:
        """Sends a frame. If the line is not free, the frame waits in memory."""
        ...

    async def ready(self) -> None:
        """Waits until the line is free.

        Raises:
            ConnectionError: it has ended.
        """
        ...
