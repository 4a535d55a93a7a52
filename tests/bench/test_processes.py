from __future__ import annotations

import os
import subprocess
import sys
import time

from stream_rnn.bench.processes import busy, children, in_system, peak_memory


def test_a_process_is_seen_working() -> None:
    before, own = busy([os.getpid()]), time.process_time()
    while time.process_time() < own + 0.05:
        pass
    used = busy([os.getpid()]) - before
    assert 0.04 < used < 5.0
    assert 0.0 <= in_system(os.getpid()) <= busy([os.getpid()]) + 0.1
    assert peak_memory(os.getpid()) > 10_000_000


def test_children_are_found_and_what_has_gone_uses_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children(os.getpid())
    assert child.pid not in children(os.getpid())
    assert busy([child.pid]) == in_system(child.pid) == peak_memory(child.pid) == 0
    assert children(child.pid) == []
