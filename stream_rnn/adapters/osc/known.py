"""Which addresses are known to want what we send.

A packet names its sender, and may name another port; both are easily made up, and then what we
send goes to somebody who never asked. So an address of another machine that nothing has come
from is sent little, until it is heard: a packet comes from that very port, or the number that we
sent there comes back, from whatever port of its machine. No I/O; the time is passed in.
"""

from __future__ import annotations

import secrets
from typing import TypeVar

from stream_rnn.adapters.osc.buckets import Bucket, is_here
from stream_rnn.adapters.osc.presence import Address, is_free

FIRST = 500.0  # bytes that a machine is sent at ports that it has not spoken from
FURTHER = 50.0  # bytes a second, later
MAX_KNOWN = 4096
MAX_ASKED = 256

K = TypeVar("K")
V = TypeVar("V")


def _remember(table: dict[K, V], key: K, value: V, most: int) -> None:
    """Puts something last, and lets the oldest go where there are too many."""
    table.pop(key, None)
    table[key] = value
    if len(table) > most:
        del table[next(iter(table))]


class Known:
    """What we know of addresses.

    Args:
        lease: seconds after which an address that is silent has to be heard again.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._heard: dict[Address, float] = {}
        self._asked: dict[Address, int] = {}
        self._little: dict[str, Bucket] = {}

    def heard(self, address: Address, now: float) -> None:
        """A packet came from there."""
        _remember(self._heard, address, now, MAX_KNOWN)

    def is_known(self, address: Address, now: float) -> bool:
        """Whether what we send there is wanted there; of this machine that is always believed."""
        since = self._heard.get(address)
        if since is not None and now - since <= self._lease:
            return True
        return is_here(address[0])

    def listens(self, address: Address, now: float) -> bool:
        """The same, and on this machine, where it can be seen, somebody has that port."""
        return self.is_known(address, now) and not (is_here(address[0]) and is_free(address))

    def ask(self, address: Address) -> int:
        """The number that is to come back."""
        number = self._asked.get(address) or 1 + secrets.randbelow(2**31 - 1)
        _remember(self._asked, address, number, MAX_ASKED)
        return number

    def answered(self, host: str, number: int, now: float) -> Address | None:
        """The address of a machine that a number was sent to, which is known from now on."""
        for address, asked in self._asked.items():
            if asked == number and address[0] == host:
                del self._asked[address]
                self.heard(address, now)
                return address
        return None

    def admits(self, address: Address, size: int, now: float) -> bool:
        """Whether a packet may be sent there; if it is not known, little is."""
        if self.is_known(address, now):
            return True
        host = address[0]
        bucket = self._little.get(host) or Bucket(FURTHER, now, FIRST)
        _remember(self._little, host, bucket, MAX_KNOWN)
        return bucket.take(now, size)
