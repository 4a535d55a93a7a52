"""The pipe to a child process: in order, and without waiting for the end of the loop's turn."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest
import uvloop

from stream_rnn.pipe import Child, FrameReader, frame


class Ours(Child):
    """A child whose end of the pipe is held by the test, instead of by a process."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.deaths = 0
        super().__init__("none", {}, self.bodies.append, self._died)

    def _died(self) -> None:
        self.deaths += 1

    def _spawn(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        self.theirs = connection.dup()
        self.theirs.sendall(frame(b"ready"))
        return subprocess.Popen([sys.executable, "-c", ""])


RUNS = [asyncio.run, uvloop.run]


@pytest.mark.parametrize("run", RUNS, ids=["asyncio", "uvloop"])
def test_what_is_said_is_there_at_once(run: object) -> None:
    async def scene() -> None:
        child = Ours()
        assert await child.start(5.0) == b"ready"
        child.theirs.setblocking(False)
        child.send(b"one")
        child.send(b"two")
        assert child.theirs.recv(100) == frame(b"one") + frame(b"two")
        child.stop()
        child.theirs.close()

    run(scene())  # type: ignore[operator]


@pytest.mark.parametrize("run", RUNS, ids=["asyncio", "uvloop"])
def test_what_does_not_fit_follows_in_order(run: object) -> None:
    sent = [bytes([n]) * 50_000 for n in range(1, 40)]

    async def scene() -> None:
        child = Ours()
        await child.start(5.0)
        for body in sent:
            child.send(body)
        child.theirs.setblocking(False)
        reader, came = FrameReader(), []
        while len(came) < len(sent):
            try:
                came += reader.feed(child.theirs.recv(1 << 16))
            except BlockingIOError:
                await asyncio.sleep(0.001)
        assert came == sent
        child.stop()
        child.theirs.close()

    run(scene())  # type: ignore[operator]


@pytest.mark.parametrize("run", RUNS, ids=["asyncio", "uvloop"])
def test_a_child_that_is_gone_is_told_of_once(run: object) -> None:
    async def scene() -> None:
        child = Ours()
        await child.start(5.0)
        child.theirs.close()
        for _ in range(100):
            child.send(b"is anybody there")
            await asyncio.sleep(0.002)
        assert child.deaths == 1

    run(scene())  # type: ignore[operator]


@pytest.mark.parametrize("run", RUNS, ids=["asyncio", "uvloop"])
def test_a_child_that_does_not_read_has_no_room_and_then_again(run: object) -> None:
    body = b"x" * 100_000

    async def scene() -> None:
        child, told = Ours(), asyncio.Event()
        child.on_room = told.set
        await child.start(5.0)
        sent = 0
        while child.has_room:
            child.send(body)
            sent += 1
        assert sent < 40, "some megabytes, and not all there is"
        await asyncio.sleep(0.01)
        assert not child.has_room and not told.is_set()
        child.theirs.setblocking(False)
        reader, came = FrameReader(), 0
        while came < sent:
            try:
                came += len(list(reader.feed(child.theirs.recv(1 << 16))))
            except BlockingIOError:
                await asyncio.sleep(0.001)
        await asyncio.wait_for(told.wait(), 5.0)
        assert child.has_room
        child.stop()
        child.theirs.close()

    run(scene())  # type: ignore[operator]


class Mourner(Child):
    """Its process takes a while to end when its pipe is closed, as MIDI does to end notes."""

    def _spawn(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        number = connection.fileno()
        code = (
            "import socket, sys, time; pipe = socket.socket(fileno=int(sys.argv[1]));"
            f"pipe.sendall({frame(b'ready')!r}); pipe.recv(1); time.sleep(0.1); sys.exit(7)"
        )
        command = [sys.executable, "-c", code, str(number)]
        self.made = subprocess.Popen(command, pass_fds=[number])
        return self.made


@pytest.mark.skipif(sys.platform == "win32", reason="a socket is handed over by its number")
@pytest.mark.parametrize("run", RUNS, ids=["asyncio", "uvloop"])
def test_a_child_that_is_stopped_may_end_by_itself(run: object) -> None:
    async def scene() -> int | None:
        child = Mourner("none", {}, lambda body: None, lambda: None)
        await child.start(10.0)
        child.stop(10.0)
        return child.made.returncode

    assert run(scene()) == 7  # type: ignore[operator]
