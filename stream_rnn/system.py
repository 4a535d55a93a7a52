"""What differs between Linux, macOS and Windows, and between what is installed on them.

All other code is written as if there were one system. Only Linux itself is tested here; for the
others, `tests/integration/test_other_systems.py` hides from Linux what they do not have.
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
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

QUICK_LOOP = "winloop" if sys.platform == "win32" else "uvloop"


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end, on uvloop or winloop if installed, else on asyncio's loop."""
    runner: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run
    with contextlib.suppress(ImportError):
        runner = importlib.import_module(QUICK_LOOP).run
    return runner(main)


def waiter(connection: socket.socket) -> Callable[[float], bool]:
    """A function that waits until a socket has something to read, and returns whether it has.

    Its argument is the seconds that it may wait, which may be infinite.
    """
    if not hasattr(select, "poll"):  # Windows
        return lambda wait: bool(
            select.select([connection], [], [], None if wait == float("inf") else wait)[0]
        )
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return lambda wait: bool(poll.poll(None if wait == float("inf") else wait * 1000))


def return_memory() -> None:
    """Gives freed memory, which glibc keeps for later, back to the system.

    It takes about a millisecond, and half of one for each megabyte.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library, or none
        ctypes.CDLL(None).malloc_trim(0)


def use_little_memory() -> None:
    """Makes large arrays take memory only where they are written, and give all of it back.

    glibc learns to keep what was freed, and then clears it to allocate it anew, which takes
    memory for all of an array; NumPy asks for huge pages. To be called before NumPy is imported.
    """
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    m_mmap_threshold = -3
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library, or none
        ctypes.CDLL(None).mallopt(m_mmap_threshold, 1 << 17)


def time_used() -> float:
    """Seconds in which this thread has run, or waited for a processor where Linux says so."""
    with contextlib.suppress(OSError, ValueError):
        ran, waited, _ = Path("/proc/thread-self/schedstat").read_text().split()
        return (int(ran) + int(waited)) / 1e9
    return time.thread_time()


def gently(work: Callable[[], T]) -> T:
    """Does something at the lowest priority, where a thread can have one, and waits for it."""

    def low() -> T:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(low).result()


def give_way() -> None:
    """Yields the processor to others before our time slice ends, where the system can do that."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()


def be_batch() -> None:
    """On Linux, keeps this process from preempting another that wakes it."""
    if hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def be_prompt(priority: int) -> None:
    """Asks for real-time priority, where the system knows it and grants it."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def peak_memory() -> int | None:
    """The most memory that this process has had, in bytes; none where the system cannot say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def utf8_output() -> None:
    """Prints UTF-8 even into a file or a pipe, for which Windows would use a code page."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
