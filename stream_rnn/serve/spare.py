"""Keeps a spare engine waiting, so that the one that plays is replaced at once when it dies."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from stream_rnn.errors import StreamRnnError

log = logging.getLogger("stream_rnn")

AFTER = 3.0  # seconds: whoever has just begun to play is not to be disturbed
AGAIN = 60.0  # seconds after which one that could not be started is tried again


class Spared(Protocol):
    """An engine that may have a spare; see `engine.client.ChildEngine`."""

    @property
    def has_spare(self) -> bool:
        """Whether there is one."""

    async def prepare(self) -> None:
        """Starts one."""


async def keep_spare(engine: Spared) -> None:
    """Starts a spare engine whenever there is none, for ever."""
    while True:
        await asyncio.sleep(AFTER)
        if engine.has_spare:
            continue
        try:
            await engine.prepare()
        except (StreamRnnError, OSError) as error:
            log.warning("there is no spare engine: %s", error)
            await asyncio.sleep(AGAIN)
