"""The store of a server: opened at the start, when its sessions come back; closed at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from stream_rnn.clock import Clock, date
from stream_rnn.stage.link import EngineLink
from stream_rnn.stage.stage import Stage
from stream_rnn.store.folder import Folder

log = logging.getLogger("stream_rnn.store")


class Store:
    """A folder of sessions, which have come back on stage.

    Args:
        link: with the engine, which has started.
        days: sessions without a change for longer are let go.

    Attributes:
        keeping: must be ticked.

    Raises:
        ConfigError: the folder cannot be used, or another server uses it.
    """

    def __init__(
        self, folder: Path, stage: Stage, clock: Clock, link: EngineLink, days: float
    ) -> None:
        loop = asyncio.get_running_loop()

        def call(done: Callable[[], None]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(done)

        self._folder = Folder(folder, date, call)
        kept, said = self._folder.load(date() - clock.now(), days)
        numerics = link.ready.numerics if link.ready is not None else 0
        self.keeping = stage.keep_in(self._folder, numerics, self._folder.next_key)
        self._folder.stored, self._folder.failed = self.keeping.stored, self.keeping.failed
        refused = stage.bring_back(kept, self.keeping, clock.now(), self._folder.shift)
        self._folder.settle()
        for line in [*said, *refused]:
            log.error("%s", line)
        back = len(kept) - len(refused)
        log.info("sessions are kept in %s; %d have come back", folder, back)
        self._closed = False

    def close(self) -> None:
        """Stores what is not stored yet."""
        if not self._closed:
            self._closed = True
            self.keeping.finish()
            self._folder.close()
