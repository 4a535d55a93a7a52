"""Paces the stage: wakes when something is due, handles all that is due, and sleeps again."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from typing import Protocol

from stream_rnn.clock import Clock
from stream_rnn.stage.stage import Stage

log = logging.getLogger("stream_rnn.playout")

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
    """Something that acts on the stage at set times, such as MIDI input that waits to answer."""

    def next_time(self) -> float:
        """When it wants to act next; infinity if it does not."""
        ...

    def tick(self, now: float) -> None:
        """Acts."""
        ...


async def play_out(stage: Stage, clock: Clock, others: Sequence[Ticking] = ()) -> None:
    """Ticks for ever, even if a tick fails; to be cancelled at shutdown.

    Args:
        others: act before the stage hands out what is due, and may change that.
    """
    alarm, faults = Alarm(), _Faults()
    stage.times.on_sooner = alarm.ring
    swept = clock.now()
    while True:
        now, first = clock.now(), math.inf
        for other in others:
            try:
                if other.next_time() <= now:
                    other.tick(now)
                first = min(first, other.next_time())
            except Exception:
                faults.tell(f"{type(other).__name__} failed", now)
        try:
            stage.tick(now)
            if now - swept >= SWEEP:
                swept = now
                stage.sweep(now)
            first = min(first, stage.times.first())
        except Exception:
            faults.tell("a tick of the stage failed", now)
        await alarm.sleep(min(max(first - clock.now(), TICK), SWEEP))


class _Faults:
    """Logs unexpected exceptions, but at most one a second."""

    def __init__(self) -> None:
        self._told = -math.inf

    def tell(self, what: str, now: float) -> None:
        if now - self._told >= SWEEP:
            self._told = now
            log.exception("%s", what)
