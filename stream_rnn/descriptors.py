"""File descriptors: enough for all connections, and some kept back for child processes.

A process that has none left cannot start a child. So each child's owner holds a few, and closes
them just before it starts the child.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

RESERVE = 96  # for everything but connections: models, OSC, MIDI, targets, files, children
CHILD = 10  # needed to start a child: a socket pair, pipes, /dev/null


def allow(connections: int, each: int = 2) -> int:
    """Raises this process's limit of descriptors for so many connections, as far as it may.

    Args:
        connections: how many are wanted.
        each: descriptors of a connection: its own, and a file of the page that it asks for.

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
    # Even of very few descriptors, a quarter is for connections.
    return min(connections, max(soft - RESERVE, soft // 4) // each)


class Spare:
    """Descriptors that are kept back."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def hold(self) -> None:
        """Opens as many as are missing, as far as there are any left."""
        with contextlib.suppress(OSError):
            while len(self._held) < CHILD:
                self._held.append(os.open(os.devnull, os.O_RDONLY))

    def release(self) -> None:
        """Closes them all."""
        while self._held:
            os.close(self._held.pop())

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """A context in which they are free for other use."""
        self.release()
        try:
            yield
        finally:
            self.hold()
