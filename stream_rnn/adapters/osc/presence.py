"""Whether anybody still listens on this machine's ports.

UDP has no goodbye, and no packet would tell: who has connected a socket to ours takes none from
another one. But a port of this machine that can be taken is nobody's.
"""

from __future__ import annotations

import socket
from collections.abc import Collection

from stream_rnn.adapters.osc.buckets import MAPPED

Address = tuple[str, int]

GRACE = 30.0  # seconds that a program may take to come back to its port


class Presence:
    """Looks, and remembers since when a port is nobody's."""

    def __init__(self) -> None:
        self._free: dict[Address, float] = {}

    def absent(self, addresses: Collection[Address], now: float) -> list[Address]:
        """Those among some addresses of this machine where nobody has listened for long.

        To be called every few seconds; whoever is left out of one call is thought present.
        """
        self._free = {a: self._free.get(a, now) for a in addresses if is_free(a)}
        return [address for address, since in self._free.items() if now - since >= GRACE]


def is_free(address: Address) -> bool:
    """Whether a port of this machine is nobody's now."""
    host, port = address
    host = host.removeprefix(MAPPED)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # For some microseconds it is ours. Who wants it back just then has half a minute more.
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, port))
    except OSError:  # it is taken; or we may not look, and then nobody is to lose anything by that
        return False
    return True
