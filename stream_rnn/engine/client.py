"""The gateway's one interface to an engine, and its two forms: inline and a child process."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stream_rnn.engine.messages import (
    Command,
    Event,
    Failed,
    FrameReader,
    Ready,
    decode_events,
    frame,
)
from stream_rnn.errors import EngineError

if TYPE_CHECKING:
    from stream_rnn.engine.core import Core

log = logging.getLogger("stream_rnn.engine")

START_TIMEOUT = 60.0
HIGH_WATER = 1 << 24  # bytes waiting for an engine that does not read; then it is given up


class Engine(Protocol):
    """Where commands go. Events come by a callback given to the constructor."""

    def send(self, commands: Sequence[Command]) -> None:
        """Hands over commands; never waits."""
        ...


class InlineEngine:
    """An engine in this process, stepped by `pump`; for tests and for `sample`."""

    def __init__(self, core: Core, on_events: Callable[[Sequence[Event]], None]) -> None:
        self._core, self._on_events = core, on_events

    def send(self, commands: Sequence[Command]) -> None:
        failed = self._core.apply(commands)
        if failed:
            self._on_events(failed)

    def pump(self, now: float, most: float = math.inf) -> int:
        """Steps until nothing is left to do at `now`, or `most` tiles are done."""
        tiles = 0
        while tiles < most:
            events, wake = self._core.step(now)
            if not events and wake > now:
                break
            tiles += 1
            if events:
                self._on_events(events)
        return tiles


class ChildEngine:
    """An engine in a child process, over a socket pair, on the running event loop.

    Args:
        options: `EngineOptions` as JSON values.
        on_events: called with each batch of events.
        on_death: called when the process ends without having been stopped.
    """

    def __init__(
        self,
        options: dict[str, object],
        on_events: Callable[[Sequence[Event]], None],
        on_death: Callable[[], None],
    ) -> None:
        self._options = {
            k: {n: str(p) for n, p in v.items()} if isinstance(v, dict) else v
            for k, v in options.items()
        }
        self._on_events, self._on_death = on_events, on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._process.pid if self._process else None

    async def start(self) -> Ready:
        """Starts the process and waits until its models are loaded.

        Raises:
            EngineError: it could not start; the message says why.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[Ready] = loop.create_future()
        with theirs:
            self._process = _spawn(theirs, self._options)
        transport, _ = await loop.create_connection(lambda: _Pipe(self, ready), sock=ours)
        self._transport = transport
        try:
            return await asyncio.wait_for(ready, START_TIMEOUT)
        except TimeoutError:
            self.kill()
            raise EngineError(f"the engine was not ready within {START_TIMEOUT:.0f} s") from None

    def send(self, commands: Sequence[Command]) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > HIGH_WATER:
            log.error("the engine has stopped reading; it is started anew")
            self.kill()
            return
        transport.write(frame(commands))

    def kill(self) -> None:
        """Ends the process at once, as if it had died."""
        if self._process and self._process.poll() is None:
            self._process.kill()

    def stop(self) -> None:
        """Closes the pipe, which ends the process, and makes sure that it ended."""
        self._stopping = True
        if self._transport:
            self._transport.abort()
        if self._process:
            try:
                self._process.wait(0.3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def events(self, events: Sequence[Event]) -> None:
        """Called by the pipe."""
        self._on_events(events)

    def lost(self) -> None:
        """Called by the pipe when it is closed."""
        self._transport = None
        if self._process:
            # The pipe closes as the process ends, so this wait is short; kill in case it hangs.
            self._process.kill()
            self._process.wait()
        if not self._stopping:
            self._on_death()


def _spawn(connection: socket.socket, options: dict[str, object]) -> subprocess.Popen[bytes]:
    # The child finds this very package, installed or not.
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    number = connection.fileno()
    return subprocess.Popen(
        [sys.executable, "-m", "stream_rnn.engine.process", str(number), json.dumps(options)],
        pass_fds=[number],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )


class _Pipe(asyncio.Protocol):
    def __init__(self, engine: ChildEngine, ready: asyncio.Future[Ready]) -> None:
        self._engine, self._ready = engine, ready
        self._frames = FrameReader()

    def data_received(self, data: bytes) -> None:
        for body in self._frames.feed(data):
            events = decode_events(body)
            if self._ready.done():
                self._engine.events(events)
            elif isinstance(events[0], Ready):
                self._ready.set_result(events[0])
            elif isinstance(events[0], Failed):
                self._ready.set_exception(EngineError(events[0].message))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ready.done():
            self._ready.set_exception(EngineError("the engine ended before it was ready"))
            return
        self._engine.lost()
