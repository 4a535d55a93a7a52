"""A spare engine waits whenever there is none."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from stream_rnn.errors import EngineError
from stream_rnn.serve import spare


class Engine:
    """An engine whose spare starts or not, as a script says."""

    def __init__(self, *starts: bool) -> None:
        self.starts = list(starts)
        self.has_spare = False

    async def prepare(self) -> None:
        if not self.starts.pop(0):
            raise EngineError("no memory")
        self.has_spare = True


def test_there_is_always_one_and_one_that_fails_is_tried_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine, slept = Engine(True, False, True), list[float]()
    had = list[bool]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        had.append(engine.has_spare)
        if len(slept) == 3:  # it takes over
            engine.has_spare = False
        if len(slept) == 7:
            raise asyncio.CancelledError

    monkeypatch.setattr(spare.asyncio, "sleep", sleep)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(spare.keep_spare(engine))
    assert slept == [spare.AFTER] * 3 + [spare.AGAIN] + [spare.AFTER] * 3
    assert had == [False, True, True, False, False, True, True] and not engine.starts
    assert caplog.text.count("there is no spare engine: no memory") == 1
