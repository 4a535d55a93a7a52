from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from stream_rnn.descriptors import CHILD, RESERVE, Spare, allow


def limits(soft: int, hard: int, wanted: int) -> tuple[int, int]:
    """Connections that are allowed, and the soft limit afterwards, in a process of its own."""
    code = (
        "import resource, stream_rnn.descriptors as d\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        f"print(d.allow({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    allowed, after = done.stdout.split()
    return int(allowed), int(after)


def test_the_limit_is_raised_to_what_the_connections_may_need_and_no_further() -> None:
    assert limits(256, 4096, 1000) == (1000, 2000 + RESERVE)
    assert limits(4096, 4096, 1000) == (1000, 4096)


@pytest.mark.parametrize("hard", [64, 96, 128, 512, 1024])
def test_where_it_cannot_be_raised_there_are_fewer_connections(hard: int) -> None:
    allowed, after = limits(min(hard, 100), hard, 1000)
    assert after == hard
    assert 0 < allowed < 1000 and 2 * allowed <= hard
    if hard > 2 * RESERVE:
        assert hard - 2 * allowed >= RESERVE


def test_as_many_as_are_wanted_where_there_is_room() -> None:
    assert allow(1) == 1


def test_what_is_kept_back_can_be_opened_when_nothing_else_can() -> None:
    """A child's start in a process whose table is full."""
    spare, taken = Spare(), []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare.hold()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(OSError, match="Too many open files"):
            subprocess.run(["true"], check=True)
        with spare.lent():
            subprocess.run(["true"], check=True)
        with pytest.raises(OSError, match="Too many open files"):
            os.open(os.devnull, os.O_RDONLY)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in taken:
            os.close(number)
        spare.release()
    assert CHILD >= 6
