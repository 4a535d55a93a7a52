"""What other processes use: processor time and memory (Linux)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path


def children(pid: int) -> list[int]:
    """Process ids of a process's children."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in text.split()]
    return []


def peak_memory(pid: int) -> int:
    """Peak resident bytes of a process; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


def busy(pids: Sequence[int]) -> float:
    """Seconds of processor time that processes have used, in the system's part of them too."""
    return sum(_busy(pid) for pid in pids)


def _busy(pid: int) -> float:
    with contextlib.suppress(OSError):
        # To the nanosecond, of each thread.
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    return sum(_times(pid))


def in_system(pid: int) -> float:
    """Seconds of these that a process spent in the system, to about 10 ms."""
    return _times(pid)[1]


def _times(pid: int) -> tuple[float, float]:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        tick = os.sysconf("SC_CLK_TCK")
        return int(fields[11]) / tick, int(fields[12]) / tick
    return 0.0, 0.0
