"""Whether programs still listen on this machine's ports.

UDP has no goodbye. A probe packet would not tell either: a program whose socket is connected to
ours takes no packets from any other. But if we can bind a port, no program has it open.
"""

from __future__ import annotations

import socket
from collections.abc import Collection

Address = tuple[str, int]

MAPPED = "::ffff:"  # prefix of IPv4 addresses at a dual-stack socket
GRACE = 30.0  # seconds that a program may take to open its port again


class Presence:
    """Checks ports, and remembers since when each has been free."""

    def __init__(self) -> None:
        self._free: dict[Address, float] = {}

    def absent(self, addresses: Collection[Address], now: float) -> list[Address]:
        """Returns those of this machine's `addresses` that have been free for long.

        To be called every few seconds. For an address left out of one call, the wait begins anew.
        """
        self._free = {a: self._free.get(a, now) for a in addresses if is_free(a)}
        return [address for address, since in self._free.items() if now - since >= GRACE]


def is_free(address: Address) -> bool:
    """Whether no program has a port of this machine open now."""
    host, port = address
    host = host.removeprefix(MAPPED)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # For some microseconds the port is ours; a program that wants it then has half a minute.
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, port))
    except OSError:  # taken, or not permitted to us, which must not cost anyone a subscription
        return False
    return True
