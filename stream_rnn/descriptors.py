"""File descriptors: as many as connections may need, and some kept back for child processes.

A process that has none left cannot start a child. So each child's owner holds a few that it lets
go just before it starts the child.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

RESERVE = 96  # for everything but connections: models, OSC, MIDI, targets, files, children
CHILD = 10  # that starting a child takes: a socket pair, pipes, /dev/null


def allow(connections: int, each: int = 2) -> int:
    """Raises this process's limit of descriptors, as far as it may, for so many connections.

    Args:
        connections: that are wanted.
        each: descriptors of one: its own, and a file of the page that it asks for.

    Returns:
        How many connections the limit leaves room for, at most `connections`.
    """
    try:
        import resource
    except ImportError:  # Windows, where sockets are no descriptors
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections * each + RESERVE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        best = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):  # macOS has a limit below its hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections
    # A quarter of very few is for connections all the same.
    return min(connections, max(soft - RESERVE, soft // 4) // each)


class Spare:
    """Descriptors that are kept back.

    Args:
        count: how many.
    """

    def __init__(self, count: int = CHILD) -> None:
        self._count = count
        self._held: list[int] = []

    def hold(self) -> None:
        """Takes what is missing, as far as there are any."""
        with contextlib.suppress(OSError):
            while len(self._held) < self._count:
                self._held.append(os.open(os.devnull, os.O_RDONLY))

    def release(self) -> None:
        """Lets all go."""
        while self._held:
            os.close(self._held.pop())

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Within it they are free for what is opened there."""
        self.release()
        try:
            yield
        finally:
            self.hold()
