"""How many connections there may be."""

from __future__ import annotations

from collections import Counter

from stream_rnn.wire.hosts import is_here

SPARE = 32  # more connections, from this machine: a supervisor can always ask for health


class Doors:
    """Counts connections.

    Args:
        total: how many there may be.
        each: how many another machine's address may have; this machine may have them all.

    Attributes:
        lingering: how many clients were refused and have not gone yet.
    """

    def __init__(self, total: int, each: int) -> None:
        self.total, self.each = total, each
        self.lingering = 0
        self._inside: Counter[str] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, address: str) -> str | None:
        """Lets a connection in, or says why not."""
        here = is_here(address)
        if self._count >= self.total + (SPARE if here else 0):
            return (
                f"this server has {self.total} connections, which is its limit "
                "(--max-connections); try again later"
            )
        if not here and self._inside[address] >= self.each:
            return (
                f"{address} has {self.each} connections, which is the limit for one address "
                "(--max-per-address); close some"
            )
        self._inside[address] += 1
        self._count += 1
        return None

    def leave(self, address: str) -> None:
        """A connection that was let in has ended."""
        self._count -= 1
        self._inside[address] -= 1
        if not self._inside[address]:
            del self._inside[address]
