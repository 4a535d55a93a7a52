"""Whether anybody still listens on this machine's ports.

UDP has no goodbye, but the kernel tells the sender of a datagram that a port is closed: only
where the socket is connected to that port, which the one that serves everybody is not. So those
who have been silent get a word now and then from a socket of their own. Others' machines are not
asked: what a firewall says in their place is not to be believed.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection

from stream_rnn.wire.osc import message_bytes

Address = tuple[str, int]

GRACE = 30.0  # seconds that a program may take to come back to its port
WORD = message_bytes("/rnn/alive")


class Presence:
    """Asks, and remembers since when a port is closed."""

    def __init__(self) -> None:
        self._lines: dict[Address, socket.socket] = {}
        self._closed: dict[Address, float] = {}

    def absent(self, addresses: Collection[Address], now: float) -> list[Address]:
        """Those among some addresses of this machine where nobody has listened for long.

        To be called every few seconds; whoever is left out of one call is thought present.
        """
        for address in self._lines.keys() - set(addresses):
            self._forget(address)
        return [address for address in addresses if self._is_gone(address, now)]

    def close(self) -> None:
        """Closes the sockets."""
        for address in list(self._lines):
            self._forget(address)

    def _is_gone(self, address: Address, now: float) -> bool:
        try:
            line = self._lines.get(address) or self._connect(address)
            # What the last word met with.
            if line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED:
                self._closed.setdefault(address, now)
            else:
                self._closed.pop(address, None)
            line.send(WORD)
        except OSError:  # no more sockets, a full buffer: nobody is to lose anything by that
            return False
        return now - self._closed.get(address, now) >= GRACE

    def _connect(self, address: Address) -> socket.socket:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        line = socket.socket(family, socket.SOCK_DGRAM)
        line.setblocking(False)
        self._lines[address] = line
        line.connect(address)
        return line

    def _forget(self, address: Address) -> None:
        self._lines.pop(address).close()
        self._closed.pop(address, None)
