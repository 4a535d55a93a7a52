"""Paces the stage: wakes when something is due, handles all that is due, and sleeps again."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from stream_rnn.clock import Clock
from stream_rnn.stage.stage import Stage

log = logging.getLogger("stream_rnn.playout")

TICK = 0.001  # uvloop's timers are in milliseconds: a shorter sleep would spin
SWEEP = 1.0


class Ticking(Protocol):
    """Something that acts on the stage at set times, such as MIDI input that waits to answer."""

    def next_time(self) -> float:
        """When it wants to act next; infinity if it does not."""
        ...

    def tick(self, now: float) -> None:
        """Acts."""
        ...


async def play_out(
    stage: Stage,
    clock: Clock,
    others: Sequence[Ticking] = (),
    rest: Callable[[float], None] = lambda seconds: None,
) -> None:
    """Ticks for ever, even if a tick fails; to be cancelled at shutdown.

    Args:
        others: act before the stage hands out what is due, and may change that.
        rest: called every second or so, with the time until something is due.
    """
    playout = _Playout(stage, clock, others, rest)
    try:
        await playout.ended
    finally:
        playout.stop()


class _Playout:
    """A timer that sets itself anew: a task that sleeps would cost several times as much.

    Attributes:
        ended: is never done.
    """

    def __init__(
        self,
        stage: Stage,
        clock: Clock,
        others: Sequence[Ticking],
        rest: Callable[[float], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._stage, self._clock, self._others, self._rest = stage, clock, others, rest
        self._faults, self._swept = _Faults(), clock.now()
        self._ticking = False
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.Handle = self._loop.call_soon(self._tick)
        stage.times.on_sooner = self._hurry

    def stop(self) -> None:
        """Ticks no more."""
        self._stage.times.on_sooner = lambda: None
        self._timer.cancel()

    def _hurry(self) -> None:
        """Ticks at once, since something is due before the time that is waited for."""
        if not self._ticking:
            self._timer.cancel()
            self._timer = self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._ticking = True
        now = self._clock.now()
        first = min(self._act(now), now + SWEEP)
        self._ticking = False
        wait = max(first - self._clock.now(), TICK)
        self._timer = self._loop.call_later(wait, self._tick)

    def _act(self, now: float) -> float:
        """Does what is due; returns when to look again."""
        first = math.inf
        for other in self._others:
            try:
                if other.next_time() <= now:
                    other.tick(now)
                first = min(first, other.next_time())
            except Exception:
                self._faults.tell(f"{type(other).__name__} failed", now)
        try:
            self._stage.tick(now)
            sweeps = now - self._swept >= SWEEP
            if sweeps:
                self._swept = now
                self._stage.sweep(now)
            first = min(first, self._stage.next_time())
            if sweeps:
                self._rest(first - self._clock.now())
        except Exception:
            self._faults.tell("a tick of the stage failed", now)
        return first


class _Faults:
    """Logs unexpected exceptions, but at most one a second."""

    def __init__(self) -> None:
        self._told = -math.inf

    def tell(self, what: str, now: float) -> None:
        if now - self._told >= SWEEP:
            self._told = now
            log.exception("%s", what)
