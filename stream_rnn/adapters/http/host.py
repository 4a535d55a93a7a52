"""An HTTP server of this process: uvicorn, without its signal handlers, and with our shutdown."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn

SEND_BUFFER = 1 << 16


def bind(host: str, port: int) -> socket.socket:
    """Binds a listening socket to an address; port 0 means any free port.

    Raises:
        OSError, OverflowError: the address cannot be listened on.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there, the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and socket.has_dualstack_ipv6():  # so `::` takes IPv4, too
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Connections inherit this. The kernel's buffer for a slow reader should be small beside
        # its outbox: what waits in the kernel cannot be dropped, and grows stale.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener


class HttpServer(uvicorn.Server):
    """uvicorn's server, without its signal handling, which the composition root does.

    Args:
        grace: seconds that clients have to answer the closing handshake. (uvicorn declares an
            int, but any number works.)
    """

    def __init__(self, config: uvicorn.Config, grace: float) -> None:
        config.timeout_graceful_shutdown = grace  # type: ignore[assignment]
        super().__init__(config)
        self.when_started: Callable[[], Any] = lambda: None
        self.before_shutdown: Callable[[], Awaitable[None]] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def ask_to_exit(self) -> None:
        """Asks the server to stop, as SIGTERM and SIGINT do; a second call drops the clients."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.when_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.before_shutdown is not None:
            await self.before_shutdown()
        await super().shutdown(sockets)
