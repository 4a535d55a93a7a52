from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
import uvloop
from support import ManualClock

from stream_rnn.adapters.osc.agenda import Agenda


def test_what_is_overdue_comes_after_what_comes_before_it() -> None:
    async def play() -> None:
        clock, done = ManualClock(), list[str]()
        agenda = Agenda(done.append, clock)
        agenda.add(10.0, 0.5, "first")
        # Of the same time, and overdue since the clock has moved on; but "first" comes before it.
        agenda.add(10.0, -0.1, "second")
        agenda.add(9.0, -0.1, "before both")
        assert done == ["before both"] and len(agenda) == 2
        clock.advance(0.5)
        agenda.add(11.0, 0.0, "third")
        assert done == ["before both", "first", "second", "third"]

    asyncio.run(play())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_thousand_moments_within_a_tenth_of_a_second_keep_their_order(run: Any) -> None:
    dice, done = random.Random(1), list[tuple[float, int]]()
    clock = ManualClock()  # stands still while moments are added, however long that takes

    async def play() -> None:
        agenda = Agenda(done.append, clock)
        for number in range(1000):
            at = dice.randrange(100) * 1e-3
            # Each wait is measured on its own, so that it is a little off.
            agenda.add(at, at + 0.02 + dice.uniform(-1, 1) * 2e-4, (at, number))
        async with asyncio.timeout(10):
            while len(done) < 1000:
                clock.advance(0.001)
                await asyncio.sleep(0.001)

    run(play())
    assert done == sorted(done)


def test_nothing_is_left_when_it_is_flushed_or_cleared() -> None:
    async def play() -> list[int]:
        done = list[int]()
        agenda = Agenda(done.append)
        for at in (3, 1, 2):
            agenda.add(at, 0.01, at)
        agenda.flush()
        agenda.add(4, 0.01, 4)
        agenda.clear()
        await asyncio.sleep(0.05)
        return done

    assert asyncio.run(play()) == [1, 2, 3]
