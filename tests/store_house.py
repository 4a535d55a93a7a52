"""A house whose sessions are kept in a folder, and another that comes back from a copy of it."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support import Ear, House

from stream_rnn.stage.keeping import Keeping
from stream_rnn.store.folder import Folder

EPOCH = 1.7e9  # seconds of the calendar at the clock's zero
NUMERICS = 1


class KeptHouse(House):
    """A house with a store. A copy of its folder is what a killed server leaves behind."""

    def __init__(self, models: Path, folder: Path, *, days: float = 30.0, **more: Any) -> None:
        super().__init__(models, **more)
        self.folder_path = folder
        self.calls: deque[Callable[[], None]] = deque()
        self.written = 0
        self.folder = Folder(folder, lambda: EPOCH + self.clock.now(), self.calls.append)
        kept, self.said = self.folder.load(EPOCH, days)
        self.keeping: Keeping = self.stage.keep_in(self.folder, NUMERICS, self.folder.next_key)
        self.folder.stored, self.folder.failed = self._stored, self.keeping.failed
        self.said += self.stage.bring_back(kept, self.keeping, self.clock.now(), self.folder.shift)
        self.folder.settle()
        self.run(0.02)

    def _stored(self, ticket: int) -> None:
        self.written = ticket
        self.keeping.stored(ticket)

    def hear_store(self) -> None:
        """Takes what the store's thread has said."""
        while self.calls:
            self.calls.popleft()()

    def settle(self) -> None:
        """Waits until all is on the disk."""
        end = time.monotonic() + 20
        while self.written < self.folder.ticket and not self.stage.counters.store_failing:
            assert time.monotonic() < end
            time.sleep(0.001)
            self.hear_store()

    def run(self, seconds: float, step: float = 0.004) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            super().run(min(0.05, end - self.clock.now() + 1e-9), step)
            self.keeping.tick(self.clock.now())
            self.hear_store()

    def ask(self, ear: Ear, type: str, **fields: Any) -> None:
        """As `say`, and waits for the store."""
        self.say(ear, type, **fields)
        self.settle()

    def killed(self, to: Path) -> KeptHouse:
        """A house that comes back from what is on the disk now. (A copy takes a while, so nothing
        may be written meanwhile; see `behind` in the tests for a kill before that.)
        """
        self.settle()
        shutil.copytree(self.folder_path, to)
        return KeptHouse(self.models, to)

    def close(self) -> None:
        """Ends it in good order."""
        self.keeping.finish()
        self.folder.close()


def heard(ear: Ear, session: str) -> dict[tuple[int, int], Any]:
    """The symbols that a client was sent, by epoch and position; none differs from another."""
    found: dict[tuple[int, int], Any] = {}
    for m in ear.of("symbol", session):
        symbol = m.get("text", tuple(m.get("notes", ())))
        assert found.setdefault((m.get("epoch", 0), m["n"]), symbol) == symbol, m
    return found
