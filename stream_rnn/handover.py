"""How a child process gets its end of the pipe.

On Linux and macOS the child inherits a descriptor. On Windows there is none to inherit, and in a
virtual environment the process that was started is not the one that runs. So there the child
calls back: it connects to a loopback port on which its parent listens, and sends a secret that
it read from its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable

INHERITS = sys.platform != "win32"
CALL = "call"  # in place of the descriptor's number
SECRET = 32  # bytes
LOOK = 0.05  # seconds between looks at whether the child still lives


def child_end(argument: str) -> socket.socket:
    """In the child: its end of the pipe, found by the first argument of its command line."""
    if argument != CALL:
        return socket.socket(fileno=int(argument))
    port, secret = sys.stdin.readline().split()
    connection = socket.create_connection(("127.0.0.1", int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(bytes.fromhex(secret))
    return connection


async def called(
    start: Callable[[], subprocess.Popen[bytes]], patience: float
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """In the parent: starts a child that calls back, and waits until it has.

    Args:
        start: starts it, with a pipe for its standard input.
        patience: seconds to wait.

    Raises:
        TimeoutError: it did not call in time; it was killed.
        EOFError: it ended before it called.
    """
    secret = secrets.token_bytes(SECRET)
    came: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        process = start()
        assert process.stdin is not None
        with contextlib.suppress(OSError), process.stdin as its_input:
            its_input.write(f"{listener.getsockname()[1]} {secret.hex()}\n".encode())
        door = asyncio.create_task(_admit(listener, secret, came))
        try:
            async with asyncio.timeout(patience):
                while not came.done():
                    await asyncio.wait([came], timeout=LOOK)
                    if process.poll() is not None and not came.done():
                        raise EOFError("the child ended before it called")
            return process, came.result()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            door.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await door


async def _admit(
    listener: socket.socket, secret: bytes, came: asyncio.Future[socket.socket]
) -> None:
    """Accepts the caller that knows the secret. Other callers are dropped, and delay nothing."""
    loop = asyncio.get_running_loop()

    async def hear(caller: socket.socket) -> None:
        caller.setblocking(False)
        said = b""
        try:
            while len(said) < SECRET:
                data = await loop.sock_recv(caller, SECRET - len(said))
                if not data:
                    return
                said += data
            if hmac.compare_digest(said, secret) and not came.done():
                came.set_result(caller)
        except OSError:
            return
        finally:
            if not (came.done() and came.result() is caller):
                caller.close()

    async with asyncio.TaskGroup() as group:
        while True:
            caller, _ = await loop.sock_accept(listener)
            group.create_task(hear(caller))
