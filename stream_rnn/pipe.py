"""A child process that exchanges frames with us over a socket, and those frames.

A frame is a length in 4 bytes (little-endian), then a body. A child ends when its socket
closes, so it never outlives the gateway, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stream_rnn import handover
from stream_rnn.descriptors import Spare

log = logging.getLogger("stream_rnn.pipe")

PREFIX = struct.Struct("<I")
MAX_FRAME = 1 << 28
HIGH_WATER = 1 << 24  # bytes waiting for a child that does not read; beyond it, it is killed
FULL, ROOM = 1 << 20, 1 << 18  # bytes waiting above which there is no room, below which again


def frame(body: bytes) -> bytes:
    """A body as one frame."""
    return PREFIX.pack(len(body)) + body


class FrameReader:
    """Cuts a stream of bytes into frames' bodies."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Takes more bytes; yields the bodies of the frames that are now complete."""
        self._buffer += data
        while len(self._buffer) >= PREFIX.size:
            (length,) = PREFIX.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise ValueError(f"a frame of {length} bytes; at most {MAX_FRAME}")
            end = PREFIX.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[PREFIX.size : end])
            del self._buffer[:end]
            yield body


class Child:
    """A child process on the running event loop: `python -m MODULE END OPTIONS`.

    Args:
        module: what the child runs.
        options: passed to the child as JSON.
        on_body: called with the body of each frame but the first.
        on_death: called when the process ends without having been stopped.

    Attributes:
        has_room: whether little waits to be read by the child; if not, senders should wait.
        on_room: called when there is room again.
    """

    def __init__(
        self,
        module: str,
        options: object,
        on_body: Callable[[bytes], None],
        on_death: Callable[[], None],
    ) -> None:
        self._module, self._options = module, json.dumps(options)
        self.on_body, self._on_death = on_body, on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self.has_room = True
        self.on_room: Callable[[], None] = lambda: None
        self._stopping = False
        self._spare = Spare()

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._process.pid if self._process else None

    async def start(self, patience: float) -> bytes:
        """Starts the process, and returns the body of the first frame that it sends.

        Raises:
            TimeoutError: it sent nothing for `patience` seconds, and was killed.
            EOFError: it ended first.
        """
        loop = asyncio.get_running_loop()
        first: asyncio.Future[bytes] = loop.create_future()
        with self._spare.lent():
            if handover.INHERITS:
                ours = self._bequeath()
            else:
                self._process, ours = await handover.called(self._spawn_caller, patience)
        transport, _ = await loop.create_connection(lambda: _Pipe(self, first), sock=ours)
        self._transport, self._socket = transport, ours
        transport.set_write_buffer_limits(high=FULL, low=ROOM)
        try:
            return await asyncio.wait_for(first, patience)
        except TimeoutError:
            self.kill()
            raise

    def _bequeath(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                self._process = self._spawn(theirs)
            except BaseException:
                ours.close()
                raise
        return ours

    def _spawn(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        number = connection.fileno()
        return self._popen(str(number), pass_fds=[number], stdin=subprocess.DEVNULL)

    def _spawn_caller(self) -> subprocess.Popen[bytes]:
        return self._popen(handover.CALL, stdin=subprocess.PIPE)

    def _popen(self, end: str, **how: Any) -> subprocess.Popen[bytes]:
        # So that the child imports this very package, installed or not.
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        return subprocess.Popen(
            [sys.executable, "-m", self._module, end, self._options],
            **how,
            stdout=subprocess.DEVNULL,
            # A terminal's signals are for the gateway only, which ends all notes first.
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )

    def send(self, body: bytes) -> None:
        """Hands over a frame; never waits."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > HIGH_WATER:
            log.error("%s has stopped reading; it is started anew", self._module)
            self.kill()
            return
        transport.write(frame(body))

    def kill(self) -> None:
        """Ends the process at once, as if it had died."""
        if self._process and self._process.poll() is None:
            self._process.kill()

    def stop(self, patience: float = 0.3) -> None:
        """Closes the pipe, which ends the process, and makes sure that it ended."""
        self._stopping = True
        self._spare.release()
        if self._transport and self._socket:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # asyncio itself would close it later
            self._transport.abort()
        if self._process:
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def lost(self) -> None:
        """Called by the pipe when it is closed."""
        self._transport, self.has_room = None, True
        if self._process:
            # The pipe closes as the process ends, so this wait is short; kill in case it hangs.
            self._process.kill()
            self._process.wait()
        if not self._stopping:
            self._on_death()


class _Pipe(asyncio.Protocol):
    def __init__(self, child: Child, first: asyncio.Future[bytes]) -> None:
        self._child, self._first = child, first
        self._frames = FrameReader()

    def pause_writing(self) -> None:
        self._child.has_room = False

    def resume_writing(self) -> None:
        self._child.has_room = True
        self._child.on_room()

    def data_received(self, data: bytes) -> None:
        for body in self._frames.feed(data):
            if self._first.done():
                self._child.on_body(body)
            else:
                self._first.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._first.done():
            self._first.set_exception(EOFError("the child ended before it was ready"))
            return
        self._child.lost()
