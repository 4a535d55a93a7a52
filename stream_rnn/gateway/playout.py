"""Paces the stage: wakes when something is due, handles all of it, sleeps again."""

from __future__ import annotations

import asyncio

from stream_rnn.clock import Clock
from stream_rnn.gateway.stage import Stage

TICK = 0.001  # uvloop's timers are in milliseconds: a shorter sleep would spin
SWEEP = 1.0
LONGEST = 0.05


async def play_out(stage: Stage, clock: Clock) -> None:
    """Ticks for ever. Cancelled at shutdown.

    New work can come due sooner than the sleep was set for (a session begins, the engine
    answers), but whatever brings it ticks the stage itself; `LONGEST` bounds what is left.
    """
    swept = clock.now()
    while True:
        now = clock.now()
        stage.tick(now)
        if now - swept >= SWEEP:
            stage.sweep(now)
            swept = now
        await asyncio.sleep(min(max(stage.next_time() - clock.now(), TICK), LONGEST))
