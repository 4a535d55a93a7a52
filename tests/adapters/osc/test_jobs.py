from __future__ import annotations

import asyncio
from collections.abc import Iterator

from support import ManualClock

from stream_rnn.adapters.osc import jobs
from stream_rnn.adapters.osc.jobs import Jobs


def job(done: list[str], name: str, steps: int, clock: ManualClock, takes: float) -> Iterator[None]:
    for step in range(steps):
        clock.advance(takes)
        done.append(f"{name}{step}")
        yield


def test_what_takes_no_time_is_done_at_once_and_in_order() -> None:
    clock, done = ManualClock(), list[str]()
    made = Jobs(clock)
    for name in "abc":
        assert made.put("one sender", job(done, name, 2, clock, 0.0), 10)
    assert done == ["a0", "a1", "b0", "b1", "c0", "c1"]


def test_nobody_keeps_the_time_for_itself() -> None:
    """Senders take turns, and after a stretch the rest of the server has time, too."""

    async def play() -> None:
        clock, done = ManualClock(), list[str]()
        made = Jobs(clock)
        made.put("first", job(done, "a", 100, clock, 0.001), 10)
        stretch = len(done)
        assert stretch * 0.001 < 3 * jobs.STRETCH
        made.put("second", job(done, "b", 2, clock, 0.001), 10)
        assert len(done) == stretch, "not before it has rested"
        begin = clock.now()
        while len(done) < 102:
            await asyncio.sleep(0.001)
            clock.advance(0.001)
        assert {"b0", "b1"} <= set(done[stretch : stretch + 5])
        assert clock.now() - begin > (102 - stretch) * 0.001 / jobs.SHARE * 0.9

    asyncio.run(play())


def test_there_is_room_for_so_much_of_one_and_of_all() -> None:
    async def play() -> None:
        clock, done = ManualClock(), list[str]()
        made = Jobs(clock)
        made.put("busy", job(done, "a", 10, clock, 1.0), 10)
        big = jobs.MAX_WAITING // 4
        taken = [made.put("one", job(done, "x", 1, clock, 0.0), big) for _ in range(6)]
        assert taken == [True] * 3 + [False] * 3
        others = [made.put(n, job(done, "y", 1, clock, 0.0), 3 * big) for n in range(20)]
        assert 0 < sum(others) < 12
        made.clear()
        assert made.put("one", job(done, "x", 1, clock, 0.0), big)
        made.clear()

    asyncio.run(play())
