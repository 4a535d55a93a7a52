"""Real servers, and what can be done to their engines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from stream_rnn.bench.serve import children, running_server
from stream_rnn.paths import bundled

MODELS = (
    "folk", "lyrics", "lyrics-any", "nottingham-joint", "performance", "shakespeare-markov",
    "star-trek",
)  # fmt: skip


ENGINE = 300.0  # seconds that an engine may take to come back, on a machine that is busy


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    address: str
    _still: set[int] = field(default_factory=set)

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def kill_engine(self) -> bool:
        """Ends its engine at once; returns whether there was one."""
        return self._signal(signal.SIGKILL) is not None

    def stop_engine(self) -> bool:
        """Holds its engine still, until `go_on`."""
        engine = self._signal(signal.SIGSTOP)
        if engine is not None:
            self._still.add(engine)
        return engine is not None

    def give_way(self) -> None:
        """Leaves the machine to others, where they want it."""
        for pid in (self.process.pid, *children(self.process.pid)):
            os.setpriority(os.PRIO_PROCESS, pid, 15)

    async def engine_comes(self) -> bool:
        """Waits until it has an engine; returns whether it has."""
        end = time.monotonic() + ENGINE
        while self.runs and time.monotonic() < end:
            if await asyncio.to_thread(self._is_well):
                return True
            await asyncio.sleep(0.2)
        return False

    def _is_well(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/healthz"):
            return True  # another status than 200 is an error
        return False

    def go_on(self) -> None:
        """Lets go on what is held still."""
        while self._still:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._still.pop(), signal.SIGCONT)

    def _signal(self, number: int) -> int | None:
        for engine in children(self.process.pid)[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(engine, number)
                return engine
        return None


@contextlib.contextmanager
def served(models: Path, *options: str, said: IO[str] | None = None) -> Iterator[Server]:
    """A server of its own, which says what it says to a file."""
    with running_server(models, *options, said=said) as (process, address):
        server = Server(process, address)
        try:
            yield server
        finally:
            server.go_on()


@contextlib.contextmanager
def some_models(names: Sequence[str]) -> Iterator[Path]:
    """A folder with some of the bundled models, or others, by path."""
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        for name in names:
            path = Path(name)
            source = path if path.is_dir() else bundled("models") / name
            (Path(folder) / source.name).symlink_to(source.resolve())
        yield Path(folder)
