"""Paces the stage: wakes when something is due, handles all of it, sleeps again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from stream_rnn.clock import Clock
from stream_rnn.gateway.stage import Stage

TICK = 0.001  # uvloop's timers are in milliseconds: a shorter sleep would spin
SWEEP = 1.0


class Alarm:
    """A sleep that can be cut short, cheaper than a timeout around an event."""

    def __init__(self) -> None:
        self._sleep: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Ends the sleep, if there is one."""
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Sleeps until it is time, or until `ring`."""
        loop = asyncio.get_running_loop()
        self._sleep = loop.create_future()
        timer = loop.call_later(seconds, self.ring)
        try:
            await self._sleep
        finally:
            timer.cancel()


class Ticking(Protocol):
    """What acts on the stage by the time, such as a performer who has played and waits."""

    def next_time(self) -> float:
        """When it wants to act next; infinity if nothing waits."""
        ...

    def tick(self, now: float) -> None:
        """Acts."""
        ...


async def play_out(stage: Stage, clock: Clock, others: Sequence[Ticking] = ()) -> None:
    """Ticks for ever. Cancelled at shutdown.

    Args:
        others: they act before the stage hands out what is due, and may change it.
    """
    alarm = Alarm()
    stage.times.on_sooner = alarm.ring
    swept = clock.now()
    while True:
        now = clock.now()
        for other in others:
            if other.next_time() <= now:
                other.tick(now)
        stage.tick(now)
        if now - swept >= SWEEP:
            stage.sweep(now)
            swept = now
        first = min([stage.times.first(), *(other.next_time() for other in others)])
        await alarm.sleep(min(max(first - clock.now(), TICK), SWEEP))
