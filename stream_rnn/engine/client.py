"""The gateway's interface to an engine, and its two forms: in this process and as a child."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from stream_rnn.engine.messages import (
    Command,
    EngineEvent,
    Failed,
    Load,
    Open,
    Ready,
    decode_events,
    encode,
)
from stream_rnn.errors import EngineError
from stream_rnn.pipe import Child

if TYPE_CHECKING:
    from stream_rnn.engine.core import Core

START_TIMEOUT = 60.0


class Engine(Protocol):
    """Takes commands. Events arrive through a callback given to the constructor; so does the news
    that the engine has ended without having been stopped. It can then be started again.
    """

    @property
    def name(self) -> str:
        """The engine's name in logs, such as `engine 4711`."""
        ...

    @property
    def ready(self) -> Ready | None:
        """The engine's report on itself from its latest start; None before the first."""
        ...

    async def start(self) -> Ready:
        """Starts the engine, without any session, and waits until its models are loaded.

        Raises:
            EngineError: the engine could not start; the message says why.
        """
        ...

    def send(self, commands: Sequence[Command]) -> None:
        """Hands over commands; never waits. If the engine is not running, they are lost."""
        ...

    def has_room(self) -> bool:
        """Whether to send more commands now; false while many wait for the engine to read them."""
        ...

    @property
    def has_spare(self) -> bool:
        """Whether another engine waits, so that `start` takes no time."""
        ...

    def kill(self) -> None:
        """Ends the engine at once, as if it had died."""
        ...

    def stop(self) -> None:
        """Ends the engine for good; its death is not reported."""
        ...


class InlineEngine:
    """An engine in this process, stepped by `pump`; for tests.

    Args:
        make: makes the core at each start.
        on_events: called with each batch of events.
        on_death: called by `kill`.

    Attributes:
        wake: when `pump` has something to do, if no command comes until then.
    """

    name = "engine"
    has_spare = False

    def __init__(
        self,
        make: Callable[[], Core],
        on_events: Callable[[Sequence[EngineEvent]], None],
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self._make, self._on_events, self._on_death = make, on_events, on_death
        self._core: Core | None = None
        self.ready: Ready | None = None
        self.wake = -math.inf

    async def start(self) -> Ready:
        return self.begin()

    def begin(self) -> Ready:
        """Starts the engine; `start`, for callers that are not coroutines."""
        self._core, self.wake = self._make(), -math.inf
        self._core.say = self._on_events
        self.ready = self._core.ready()
        return self.ready

    def send(self, commands: Sequence[Command]) -> None:
        self.wake = -math.inf
        if self._core is not None and (failed := self._core.apply(commands)):
            self._on_events(failed)

    def has_room(self) -> bool:
        return True

    def kill(self) -> None:
        if self._core is not None:
            self._core = None
            self._on_death()

    def stop(self) -> None:
        self._core = None

    def pump(self, now: float, most: float = math.inf) -> int:
        """Steps until nothing is left to do at `now`, or `most` batches are done: how many."""
        batches = 0
        while self.wake <= now and batches < most and self._core is not None:
            events, wake = self._core.step(now)
            if not events and wake > now:
                self.wake = wake
                break
            batches += 1
            if events:
                self._on_events(events)
        return batches


class ChildEngine:
    """An engine in a child process, on the running event loop, and perhaps a spare one.

    Args:
        options: `EngineOptions` as JSON values.
        on_events: called with each batch of events.
        on_death: called when the process ends without having been stopped.
        on_room: called when `has_room` is true again after it was false.
    """

    def __init__(
        self,
        options: dict[str, object],
        on_events: Callable[[Sequence[EngineEvent]], None],
        on_death: Callable[[], None],
        on_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._options, self._on_room = options, on_room
        self._on_events, self._on_death = on_events, on_death
        self._models: dict[str, None] = {}  # that have been opened, the latest last
        self._spare: _Spare | None = None
        self._child = self._make(options)
        self.ready: Ready | None = None

    def _make(self, options: dict[str, object]) -> Child:
        child = Child(
            "stream_rnn.engine.process",
            options,
            lambda body: self._said(child, decode_events(body)),
            lambda: self._ended(child),
        )
        child.on_room = lambda: self._on_room() if child is self._child else None
        return child

    def _said(self, child: Child, events: Sequence[EngineEvent]) -> None:
        if child is self._child:
            self._on_events(events)
        elif self._spare is not None and isinstance(events[0], Ready):
            self._spare.ready = events[0]  # a model turned out to be of no use

    def _ended(self, child: Child) -> None:
        if child is self._child:
            self._on_death()
        else:
            self._spare = None

    @property
    def name(self) -> str:
        return f"engine {self._child.pid}"

    @property
    def has_spare(self) -> bool:
        return self._spare is not None

    def has_room(self) -> bool:
        return self._child.has_room

    def kill(self) -> None:
        self._child.kill()

    def stop(self) -> None:
        self._child.stop()
        if self._spare is not None:
            self._spare.child.stop()

    async def start(self) -> Ready:
        if (spare := self._spare) is not None:
            self._child.stop()
            self._child, self._spare, self.ready = spare.child, None, spare.ready
        else:
            self.ready = await _start(self._child)
        return self.ready

    async def prepare(self) -> None:
        """Starts a spare engine, which waits until `start` is called.

        Raises:
            EngineError: it did not start.
        """
        child = self._make(self._options | {"spare": True})
        try:
            self._spare = _Spare(child, await _start(child))
        except BaseException:
            child.stop()
            raise
        child.send(encode([Load(model) for model in self._models]))

    def send(self, commands: Sequence[Command]) -> None:
        self._child.send(encode(commands))
        for command in commands:
            if isinstance(command, Open) and command.model not in self._models:
                self._models[command.model] = None
                if self._spare is not None:
                    self._spare.child.send(encode([Load(command.model)]))


@dataclass
class _Spare:
    child: Child
    ready: Ready


async def _start(child: Child) -> Ready:
    try:
        (said,) = decode_events(await child.start(START_TIMEOUT))
    except TimeoutError:
        raise EngineError(f"the engine was not ready within {START_TIMEOUT:.0f} s") from None
    except EOFError:
        raise EngineError("the engine ended before it was ready") from None
    if isinstance(said, Failed):
        raise EngineError(said.message)
    assert isinstance(said, Ready)
    return said
