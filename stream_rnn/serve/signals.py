"""Handles the signals that a terminal or a supervisor sends the server.

The child processes are in process sessions of their own. So a terminal's signals reach only the
gateway, which then has to end all notes. Signals that Windows lacks are left out there.

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

SETTLE = 0.1  # seconds for the last messages to go out before the process stops
WAKE = 0.01  # seconds after the stop, in which other signals are handled first


class Standstill:
    """A stop of the gateway's process: sessions pause before it, and play on after it. No I/O."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._played: list[str] = []

    def begin(self, now: float) -> None:
        """Pauses the sessions that play, which ends their notes in every sink.

        This is no panic: a phrase that is being played on a keyboard is answered afterwards.
        """
        self._played = [name for name, s in self._stage.sessions.items() if s.playing]
        for name in self._played:
            self._stage.handle(None, wire.Pause(session=name), now)

    def end(self, now: float) -> None:
        """Lets the paused sessions play on from now; the lost time is not made up."""
        for name in self._played:
            session = self._stage.sessions.get(name)
            if session is not None and session.status is Status.PAUSED:
                self._stage.handle(None, wire.Play(session=name), now)
        self._played = []


class Signals:
    """The handlers of all signals, on the running event loop.

    Args:
        end: asks the server to end in order; called a second time, it ends the server at once.
        end_notes: ends all notes, and returns when that is done.
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
        """Sets the handlers. A SIGHUP or SIGQUIT that is ignored, as by `nohup`, stays ignored."""
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
            log.info("stopped by the terminal; 'fg' lets it go on")
            signal.raise_signal(signal.SIGSTOP)  # to this very thread, which stops here
            await asyncio.sleep(WAKE)
            if not self._ends:
                self._standstill.end(self._clock.now())
        finally:
            self._stopping = None


def _ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN
