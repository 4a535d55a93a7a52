import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from support import ManualClock

from stream_rnn.errors import EngineError
from stream_rnn.supervise import supervise


class Child:
    """A child process that dies, hangs and fails to start as a test wants it."""

    what = "the child"
    pauses: Sequence[float] = (0.0, 0.0, 0.0)
    look = 0.001

    def __init__(self, clock: ManualClock, *, fails: int = 0) -> None:
        self.died, self.is_back = asyncio.Event(), asyncio.Event()
        self.said: list[str] = []
        self.silent_for = 0.0
        self.stood_still = False
        self._clock, self._fails = clock, fails

    def hangs(self, now: float, *, stood_still: bool) -> bool:
        self.stood_still |= stood_still
        return self.silent_for > 1.0 and not stood_still

    def kill(self) -> None:
        self.said.append("killed")
        self.silent_for = 0.0
        self.died.set()

    def lost(self) -> None:
        self.said.append("lost")

    async def start(self) -> None:
        if self._fails:
            self._fails -= 1
            self.said.append("failed")
            raise EngineError("no")
        self.said.append("started")

    def back(self) -> None:
        self.said.append("back")
        self.is_back.set()


def tried(scene: Callable[[Child, ManualClock], Coroutine[Any, Any, None]], **child: int) -> Child:
    async def play() -> Child:
        clock = ManualClock()
        made = Child(clock, **child)
        task = asyncio.create_task(supervise(made, clock))
        await scene(made, clock)
        await asyncio.wait_for(made.is_back.wait(), 20)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return made

    return asyncio.run(play())


async def dies(child: Child, clock: ManualClock) -> None:
    child.died.set()


async def hangs(child: Child, clock: ManualClock) -> None:
    child.silent_for = 2.0


async def stands_still(child: Child, clock: ManualClock) -> None:
    """The gateway stood still: what the child was silent meanwhile is no sign of its hanging."""
    child.silent_for = 2.0
    while not child.stood_still:
        clock.advance(1.0)
        await asyncio.sleep(0.001)
        assert not child.said
    child.died.set()


def test_a_child_that_dies_is_started_anew() -> None:
    assert tried(dies).said == ["lost", "started", "back"]


def test_a_child_that_hangs_is_ended_first() -> None:
    assert tried(hangs).said == ["killed", "lost", "started", "back"]


def test_a_child_that_cannot_start_is_tried_again_for_as_long_as_it_takes() -> None:
    said = tried(dies, fails=5).said
    assert said == ["lost", *5 * ["failed"], "started", "back"]


def test_after_a_standstill_of_its_own_the_gateway_blames_nobody() -> None:
    assert tried(stands_still).said == ["lost", "started", "back"]
