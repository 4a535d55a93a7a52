"""An engine as its supervisor sees it: tells the stage when the engine dies and when it is back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from stream_rnn.clock import Clock
from stream_rnn.engine.client import Engine
from stream_rnn.engine.messages import Ready
from stream_rnn.stage.engine_life import EngineLife
from stream_rnn.stage.link import EngineLink

log = logging.getLogger("stream_rnn")

HANGS = 10.0  # seconds that a silent engine may keep sessions waiting before it is killed
WATCH = 1.0  # seconds between two looks at the engine
RESTART_PAUSES = (0.1, 1.0, 5.0)  # seconds before an engine is started anew, by attempt


class EngineWard:
    """One engine of the stage, which must be kept running.

    Args:
        life: is told of the engine's death and return.
        link: the stage's link with this engine.
        died: set when the engine has ended without having been stopped.
    """

    what = "the engine"

    def __init__(
        self,
        engine: Engine,
        life: EngineLife,
        link: EngineLink,
        clock: Clock,
        died: asyncio.Event,
    ) -> None:
        self._engine, self._life, self._link = engine, life, link
        self._clock, self.died = clock, died
        self._reads = clock.now()  # when the engine last read its commands

    @property
    def pauses(self) -> Sequence[float]:
        return (0.0, *RESTART_PAUSES) if self._engine.has_spare else RESTART_PAUSES

    @property
    def look(self) -> float:
        return WATCH

    def hangs(self, now: float, *, stood_still: bool) -> bool:
        if stood_still or self._engine.has_room():
            self._reads = now
        # After a standstill the gateway has not yet read what the engine sent.
        unanswered = 0.0 if stood_still else self._life.unanswered_for(self._link, now)
        if max(unanswered, now - self._reads) <= HANGS:
            return False
        self._reads = now
        return True

    def kill(self) -> None:
        self._engine.kill()

    def lost(self) -> None:
        self._life.lose(self._link, self._clock.now())

    async def start(self) -> Ready:
        """Starts an engine; models that it cannot load are left out.

        Raises:
            EngineError: it did not start.
        """
        ready = await self._engine.start()
        self._life.met(self._link, ready)
        return ready

    def back(self) -> None:
        self._reads = self._clock.now()
        self._life.regain(self._link, self._reads)
        log.info(
            "%s on %s goes on with %d sessions",
            self._engine.name, self._engine.ready, self._link.sessions,
        )  # fmt: skip
