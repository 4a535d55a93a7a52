"""What differs between Linux, macOS and Windows, and between what is installed on them.

Everything else is written as if there were one system. Only Linux is tested here as it is;
`tests/integration/test_other_systems.py` takes away from Linux what the others do not have.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib
import os
import select
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

QUICK_LOOP = "winloop" if sys.platform == "win32" else "uvloop"


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end on the quickest event loop that is installed; else on asyncio's own."""
    runner: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run
    with contextlib.suppress(ImportError):
        runner = importlib.import_module(QUICK_LOOP).run
    return runner(main)


def waiter(connection: socket.socket) -> Callable[[float], bool]:
    """What waits until there is something to read from a socket, and tells whether there is.

    It takes the seconds that it may wait, which may be infinite.
    """
    if not hasattr(select, "poll"):  # Windows
        return lambda wait: bool(
            select.select([connection], [], [], None if wait == float("inf") else wait)[0]
        )
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return lambda wait: bool(poll.poll(None if wait == float("inf") else wait * 1000))


def return_memory() -> None:
    """Gives memory back to the system that was let go and that glibc keeps for later.

    It takes about a millisecond, and half of one for each megabyte.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library, or none
        ctypes.CDLL(None).malloc_trim(0)


def give_way() -> None:
    """Lets others have the processor before our slice ends, where that can be asked for."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()


def be_batch() -> None:
    """On Linux, whoever wakes this process is not put off by it."""
    if hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def be_prompt(priority: int) -> None:
    """Real-time priority, where the system knows it and grants it."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def peak_memory() -> int | None:
    """The most memory that this process has had, in bytes; none where it cannot be asked."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def utf8_output() -> None:
    """What is printed is UTF-8, also into a file or a pipe, where Windows has its code pages."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
