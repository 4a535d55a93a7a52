"""Supervises each child process: watches it, kills it when it hangs, and starts it anew."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Sequence
from typing import Protocol

from stream_rnn.clock import Clock
from stream_rnn.errors import StreamRnnError

log = logging.getLogger("stream_rnn")


class Ward(Protocol):
    """A child process, and what its loss means for the rest."""

    @property
    def what(self) -> str:
        """Its name in the log, such as `the engine`."""

    @property
    def pauses(self) -> Sequence[float]:
        """Seconds before each attempt in a row to start it anew; the last of them repeats."""

    @property
    def look(self) -> float:
        """Seconds between two looks at it."""

    @property
    def died(self) -> asyncio.Event:
        """Set when the process has ended without having been stopped."""

    def hangs(self, now: float, *, stood_still: bool) -> bool:
        """Whether it does not answer; asked at each look.

        Args:
            stood_still: whether this process itself has just stood still, so that the child's
                silence until now means nothing.
        """

    def kill(self) -> None:
        """Ends the process."""

    def lost(self) -> None:
        """Called when the process has ended."""

    async def start(self) -> object:
        """Starts another.

        Raises:
            StreamRnnError, OSError: it did not start.
        """

    def back(self) -> None:
        """Called when another has started, which knows nothing yet."""


async def supervise(ward: Ward, clock: Clock) -> None:
    """Looks after a child process that has been started, for ever."""
    while True:
        await _watch(ward, clock)
        log.error("%s has ended; starting it anew", ward.what)
        ward.lost()
        await _start_anew(ward)
        ward.back()


async def _watch(ward: Ward, clock: Clock) -> None:
    """Returns when the process has ended, by itself or because it hung."""
    while not ward.died.is_set():
        before = clock.now()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ward.died.wait(), ward.look)
        now = clock.now()
        if not ward.died.is_set() and ward.hangs(now, stood_still=now - before > 2 * ward.look):
            log.error("%s hangs; ending it", ward.what)
            ward.kill()


async def _start_anew(ward: Ward) -> None:
    for pause in itertools.chain(ward.pauses, itertools.repeat(ward.pauses[-1])):
        await asyncio.sleep(pause)
        ward.died.clear()
        try:
            await ward.start()
        except (StreamRnnError, OSError) as error:
            log.error("%s could not be started: %s", ward.what, error)
            continue
        return
