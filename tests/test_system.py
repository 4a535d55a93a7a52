"""What is asked of the operating system, where it knows the answer and where it does not."""

from __future__ import annotations

import asyncio
import math
import os
import platform
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from stream_rnn import system


async def loops_module() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def test_the_quick_loop_runs_where_it_is_installed_and_asyncios_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert system.run(loops_module()) == "uvloop"
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert system.run(loops_module()) == "asyncio"


def test_what_fails_in_the_loop_is_not_taken_for_a_loop_that_is_missing() -> None:
    async def fails() -> None:
        raise ImportError("of its own")

    with pytest.raises(ImportError, match="of its own"):
        system.run(fails())


@pytest.mark.parametrize("has_poll", [True, False])
def test_a_waiter_waits_until_there_is_something(
    has_poll: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_poll:
        monkeypatch.delattr(select, "poll")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        is_spoken_to = system.waiter(ours)
        assert not is_spoken_to(0.0)
        assert not is_spoken_to(0.001)
        theirs.send(b"!")
        assert is_spoken_to(0.0)
        assert is_spoken_to(math.inf)


def test_peak_memory_is_in_bytes_or_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = ModuleType("resource")
    usage.RUSAGE_SELF = 0  # type: ignore[attr-defined]
    usage.getrusage = lambda who: type("Usage", (), {"ru_maxrss": 5000})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "resource", usage)
    assert system.peak_memory() == 5000 * 1024
    monkeypatch.setattr(sys, "platform", "darwin")
    assert system.peak_memory() == 5000
    monkeypatch.setitem(sys.modules, "resource", None)
    assert system.peak_memory() is None


def test_a_pipe_with_a_code_page_gets_utf_8() -> None:
    code = "from stream_rnn.system import utf8_output; utf8_output(); print('ř♪')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().strip() == "ř♪"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_that_was_let_go_is_the_systems_again() -> None:
    code = """
import os
from stream_rnn.system import return_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
large, small = [], []
for n in range(8000):
    large.append(bytes(10_000))
    small.append({"n": [n] * 40})  # what lives on, in between
del large
before = resident()
return_memory()
print(before - resident())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 40


def test_what_is_done_gently_has_the_lowest_priority_and_nothing_else_has() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)

    def mine() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert system.gently(mine) == (19 if sys.platform == "linux" else before)
    assert mine() == before
    with pytest.raises(ZeroDivisionError):
        system.gently(lambda: 1 // 0)


@pytest.mark.parametrize("linux", [True, False])
def test_time_is_used_by_work_and_not_by_rest(linux: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not linux:
        monkeypatch.setattr(system, "Path", lambda path: Path("nowhere") / path.lstrip("/"))
    before, end = system.time_used(), time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    assert system.time_used() - before > 0.04
    before = system.time_used()
    time.sleep(0.05)
    assert linux or system.time_used() - before < 0.04
