"""What the signals of a terminal and of a supervisor do to the server.

The child processes are in sessions of their own, so signals to a terminal's group reach the
gateway only, which then has to end what sounds. What Windows lacks is left out.

| signal | from | what happens |
|---|---|---|
| SIGTERM, SIGINT | a supervisor, Ctrl-C | the server ends in order |
| SIGHUP | a terminal that is closed, an ssh that drops | the same, unless `nohup` had it ignored |
| SIGQUIT | Ctrl-\\ | notes end, then the process dies as by default; a second: at once |
| SIGTSTP | Ctrl-Z | sessions pause, notes end, the process stops; SIGCONT: they play on |
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable

from stream_rnn.clock import Clock
from stream_rnn.sessions.status import Status
from stream_rnn.stage.stage import Stage
from stream_rnn.wire import messages as wire

log = logging.getLogger("stream_rnn")

SETTLE = 0.1  # seconds that the last messages have before the process stops
WAKE = 0.01  # seconds that other signals have, after it, to be read first


class Standstill:
    """The gateway stops for a while: what plays pauses before, and plays on after. No I/O."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._played: list[str] = []

    def begin(self, now: float) -> None:
        """Pauses what plays, which ends what sounds in every sink.

        No panic: who plays a keyboard meanwhile is answered when it goes on.
        """
        self._played = [name for name, s in self._stage.sessions.items() if s.playing]
        for name in self._played:
            self._stage.handle(None, wire.Pause(session=name), now)

    def end(self, now: float) -> None:
        """Sessions that played go on, from now: nothing is caught up."""
        for name in self._played:
            session = self._stage.sessions.get(name)
            if session is not None and session.status is Status.PAUSED:
                self._stage.handle(None, wire.Play(session=name), now)
        self._played = []


class Signals:
    """The handlers of all signals, on the running event loop.

    Args:
        end: asks the server to end in order; a second time it ends at once.
        end_notes: ends what sounds, and returns when that is done.
        latency: seconds by which the slowest output is late on purpose.
    """

    def __init__(
        self,
        stage: Stage,
        clock: Clock,
        *,
        end: Callable[[], None],
        end_notes: Callable[[], None],
        latency: float = 0.0,
    ) -> None:
        self._clock, self._end, self._end_notes = clock, end, end_notes
        self._standstill = Standstill(stage)
        self._settle = SETTLE + latency
        self._stopping: asyncio.Task[None] | None = None
        self._ends = False

    def install(self) -> None:
        """Sets the handlers. A signal that is ignored, as `nohup` does it, stays so."""
        loop = asyncio.get_running_loop()
        handlers = {
            "SIGTERM": self._ask_to_end,
            "SIGINT": self._ask_to_end,
            "SIGHUP": self._ask_to_end,
            "SIGTSTP": self._stop,
        }
        for name, handler in handlers.items():
            number = getattr(signal, name, None)
            if number is None or (name == "SIGHUP" and _ignored(number)):
                continue
            try:
                loop.add_signal_handler(number, handler)
            except NotImplementedError:  # asyncio on Windows
                signal.signal(number, lambda *_, h=handler: loop.call_soon_threadsafe(h))
        if hasattr(signal, "SIGQUIT") and not _ignored(signal.SIGQUIT):

            def quit(number: int, frame: object) -> None:
                signal.signal(number, signal.SIG_DFL)  # a second one need not wait for the loop
                loop.call_soon_threadsafe(self._quit)

            signal.signal(signal.SIGQUIT, quit)

    def _ask_to_end(self) -> None:
        self._ends = True
        self._end()

    def _quit(self) -> None:
        try:
            self._end_notes()
        finally:
            os.kill(os.getpid(), signal.SIGQUIT)

    def _stop(self) -> None:
        if self._stopping is None and not self._ends:
            self._stopping = asyncio.create_task(self._stand_still())

    async def _stand_still(self) -> None:
        try:
            self._standstill.begin(self._clock.now())
            await asyncio.sleep(self._settle)
            if self._ends:
                return
            log.info("stopped by the terminal; 'fg' goes on")
            signal.raise_signal(signal.SIGSTOP)  # to this very thread: here it stands
            await asyncio.sleep(WAKE)
            if not self._ends:
                self._standstill.end(self._clock.now())
        finally:
            self._stopping = None


def _ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN
