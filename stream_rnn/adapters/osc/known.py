"""Which addresses are known to want our packets. No I/O; the time is passed in.

A packet names its sender, and may name another port to send to. Both are easily forged, and then
our packets would flood a machine that never asked. So an address of another machine gets few
bytes until it is known: until a packet comes from that very port, or until the number that we
sent there comes back, from any port of that machine.
"""

from __future__ import annotations

import secrets

from stream_rnn.adapters.osc.buckets import Bucket
from stream_rnn.adapters.osc.presence import Address, is_free
from stream_rnn.recent import Recent
from stream_rnn.wire.hosts import is_here

FIRST = 500.0  # bytes that all unknown ports of a machine together are sent at first
FURTHER = 50.0  # bytes a second after that
MAX_KNOWN = 4096
MAX_ASKED = 256


class Known:
    """The addresses that are known.

    Args:
        lease: seconds of silence after which an address is unknown again.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._heard: Recent[Address, float] = Recent(MAX_KNOWN)
        self._asked: Recent[Address, int] = Recent(MAX_ASKED)
        self._little: Recent[str, Bucket] = Recent(MAX_KNOWN)

    def heard(self, address: Address, now: float) -> None:
        """Notes that a packet came from an address."""
        self._heard[address] = now

    def is_known(self, address: Address, now: float) -> bool:
        """Whether an address is known. Those of this machine always are."""
        since = self._heard.get(address)
        if since is not None and now - since <= self._lease:
            return True
        return is_here(address[0])

    def listens(self, address: Address, now: float) -> bool:
        """Whether an address is known and, if on this machine, some program has its port open."""
        return self.is_known(address, now) and not (is_here(address[0]) and is_free(address))

    def ask(self, address: Address) -> int:
        """Returns the number to send to an address; the address is known once it comes back."""
        number = self._asked.get(address) or 1 + secrets.randbelow(2**31 - 1)
        self._asked[address] = number
        return number

    def answered(self, host: str, number: int, now: float) -> Address | None:
        """Handles a number that came back: returns its address, known from now on, or None."""
        for address, asked in self._asked.items():
            if asked == number and address[0] == host:
                del self._asked[address]
                self.heard(address, now)
                return address
        return None

    def admits(self, address: Address, size: int, now: float) -> bool:
        """Whether a packet of `size` bytes may be sent to an address."""
        if self.is_known(address, now):
            return True
        host = address[0]
        bucket = self._little.get(host) or Bucket(FURTHER, now, FIRST)
        self._little[host] = bucket
        return bucket.take(now, size)
