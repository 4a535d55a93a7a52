"""A child that inherits its end of the pipe, and one that calls back, as on Windows."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
import uvloop

from stream_rnn import handover
from stream_rnn.pipe import Child

RUNS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])

ECHO = """
import sys
from stream_rnn.handover import child_end
from stream_rnn.pipe import FrameReader, frame
end, reader = child_end(sys.argv[1]), FrameReader()
end.sendall(frame(b"ready"))
while data := end.recv(4096):
    for body in reader.feed(data):
        end.sendall(frame(body.upper()))
"""

# Before it calls, others do: one says nothing, one goes at once, one guesses.
CROWDED = """
import io, socket, sys
line = sys.stdin.readline()
crowd = [socket.create_connection(("127.0.0.1", int(line.split()[0]))) for _ in range(3)]
crowd[1].close()
crowd[2].sendall(b"guess" * 20)
sys.stdin = io.StringIO(line)
"""


def module(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that a child can run."""
    (folder / "its_module.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "its_module"


@RUNS
@pytest.mark.parametrize("inherits", [True, False])
def test_each_hears_the_other_and_the_child_ends_with_the_pipe(
    run: object, inherits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "INHERITS", inherits)
    its_module = module(tmp_path, ECHO, monkeypatch)

    async def scene() -> None:
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        child = Child(its_module, {}, heard.put_nowait, lambda: pytest.fail("it died"))
        assert await child.start(20.0) == b"ready"
        for body in (b"one", b"two" * 100_000):
            child.send(body)
            assert await asyncio.wait_for(heard.get(), 20) == body.upper()
        process = child._process
        child.stop()
        assert process is not None and process.returncode is not None

    run(scene())  # type: ignore[operator]


@RUNS
def test_nobody_comes_in_without_the_secret(
    run: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "INHERITS", False)
    its_module = module(tmp_path, CROWDED + ECHO, monkeypatch)

    async def scene() -> None:
        child = Child(its_module, {}, lambda body: None, lambda: None)
        assert await child.start(20.0) == b"ready"
        child.stop()

    run(scene())  # type: ignore[operator]


@RUNS
def test_a_child_that_ends_before_it_calls_is_not_waited_for(
    run: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "INHERITS", False)
    its_module = module(tmp_path, "raise SystemExit(1)", monkeypatch)

    async def scene() -> None:
        with pytest.raises(EOFError):
            await Child(its_module, {}, lambda body: None, lambda: None).start(1000.0)

    run(scene())  # type: ignore[operator]


@RUNS
def test_a_child_that_never_calls_is_killed(
    run: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "INHERITS", False)
    its_module = module(tmp_path, "import time; time.sleep(1000)", monkeypatch)
    started = []
    popen = Child._popen

    def kept(self: Child, end: str, **how: object) -> object:
        started.append(popen(self, end, **how))
        return started[-1]

    monkeypatch.setattr(Child, "_popen", kept)

    async def scene() -> None:
        with pytest.raises(TimeoutError):
            await Child(its_module, {}, lambda body: None, lambda: None).start(0.5)

    before = time.monotonic()
    run(scene())  # type: ignore[operator]
    assert started[0].returncode is not None and time.monotonic() - before < 100
