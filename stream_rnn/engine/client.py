"""The gateway's one interface to an engine, and its two forms: inline and a child process."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from stream_rnn.engine.messages import Command, Event, Failed, Ready, decode_events, encode
from stream_rnn.errors import EngineError
from stream_rnn.pipe import Child

if TYPE_CHECKING:
    from stream_rnn.engine.core import Core

START_TIMEOUT = 60.0


class Engine(Protocol):
    """Where commands go. Events come by a callback given to the constructor."""

    def send(self, commands: Sequence[Command]) -> None:
        """Hands over commands; never waits."""
        ...


class InlineEngine:
    """An engine in this process, stepped by `pump`; for tests and for `sample`."""

    def __init__(self, core: Core, on_events: Callable[[Sequence[Event]], None]) -> None:
        self._core, self._on_events = core, on_events

    def send(self, commands: Sequence[Command]) -> None:
        failed = self._core.apply(commands)
        if failed:
            self._on_events(failed)

    def pump(self, now: float, most: float = math.inf) -> int:
        """Steps until nothing is left to do at `now`, or `most` tiles are done."""
        tiles = 0
        while tiles < most:
            events, wake = self._core.step(now)
            if not events and wake > now:
                break
            tiles += 1
            if events:
                self._on_events(events)
        return tiles


class ChildEngine:
    """An engine in a child process, on the running event loop.

    Args:
        options: `EngineOptions` as JSON values.
        on_events: called with each batch of events.
        on_death: called when the process ends without having been stopped.
        on_room: called when it takes commands again after `has_room` was false.
    """

    def __init__(
        self,
        options: dict[str, object],
        on_events: Callable[[Sequence[Event]], None],
        on_death: Callable[[], None],
        on_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._child = Child(
            "stream_rnn.engine.process",
            options,
            lambda body: on_events(decode_events(body)),
            on_death,
        )
        self._child.on_room = on_room
        self.kill, self.stop = self._child.kill, self._child.stop

    def has_room(self) -> bool:
        """Whether it takes more commands now, instead of having many to read."""
        return self._child.has_room

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._child.pid

    async def start(self) -> Ready:
        """Starts the process and waits until its models are loaded.

        Raises:
            EngineError: it could not start; the message says why.
        """
        try:
            (said,) = decode_events(await self._child.start(START_TIMEOUT))
        except TimeoutError:
            raise EngineError(f"the engine was not ready within {START_TIMEOUT:.0f} s") from None
        except EOFError:
            raise EngineError("the engine ended before it was ready") from None
        if isinstance(said, Failed):
            raise EngineError(said.message)
        assert isinstance(said, Ready)
        return said

    def send(self, commands: Sequence[Command]) -> None:
        self._child.send(encode(commands))
