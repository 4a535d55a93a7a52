"""An engine in a child process, with a spare one beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from stream_rnn.engine import client as client_module
from stream_rnn.engine import messages as m
from stream_rnn.engine.client import ChildEngine
from stream_rnn.errors import EngineError

OPEN, AGAIN, OTHER = m.Open(1, "verse"), m.Open(2, "verse"), m.Open(3, "roll")


class FakeChild:
    """A child process that a test moves."""

    made: list[FakeChild] = []  # noqa: RUF012

    def __init__(
        self,
        module: str,
        options: dict[str, Any],
        on_body: Callable[[bytes], None],
        on_death: Callable[[], None],
    ) -> None:
        self.options, self.on_death, self.pid = options, on_death, len(self.made)
        self.say: Callable[[m.EngineEvent], None] = lambda event: on_body(m.encode([event]))
        self.on_room: Callable[[], None] = lambda: None
        self.has_room = True
        self.first: m.EngineEvent | type[Exception] = m.Ready("cpu", 32)
        self.sent: list[m.Command] = []
        self.stopped = False
        self.made.append(self)

    async def start(self, patience: float) -> bytes:
        if isinstance(self.first, type):
            raise self.first
        return m.encode([self.first])

    def send(self, body: bytes) -> None:
        self.sent += m.decode_commands(body)

    def stop(self) -> None:
        self.stopped = True


class Heard:
    def __init__(self) -> None:
        self.events: list[m.EngineEvent] = []
        self.deaths = self.rooms = 0

    def said(self, events: Sequence[m.EngineEvent]) -> None:
        self.events += events

    def died(self) -> None:
        self.deaths += 1

    def room(self) -> None:
        self.rooms += 1


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    monkeypatch.setattr(client_module, "Child", FakeChild)
    FakeChild.made = []
    return Heard()


def started(heard: Heard) -> tuple[ChildEngine, FakeChild]:
    engine = ChildEngine({"device": "cpu"}, heard.said, heard.died, heard.room)
    asyncio.run(engine.start())
    return engine, FakeChild.made[0]


def test_a_spare_loads_what_is_played_and_takes_over(heard: Heard) -> None:
    engine, first = started(heard)
    engine.send([OPEN, AGAIN])
    assert not engine.has_spare
    asyncio.run(engine.prepare())
    _, spare = FakeChild.made
    assert engine.has_spare and spare.options == {"device": "cpu", "spare": True}
    engine.send([OTHER])
    assert spare.sent == [m.Load("verse"), m.Load("roll")] and first.sent == [OPEN, AGAIN, OTHER]
    spare.say(m.Ready("cpu", 32, {"roll": "its weights are gone"}))
    spare.say(m.Failed("its weights are gone"))
    assert not heard.events, "of one that waits"
    first.on_death()
    assert heard.deaths == 1 and engine.name == "engine 0"
    ready = asyncio.run(engine.start())
    assert ready is engine.ready and list(ready.left_out) == ["roll"]
    assert engine.name == "engine 1" and not engine.has_spare and first.stopped
    engine.send([AGAIN])
    assert spare.sent[-1] == AGAIN
    spare.say(m.Failed("x"))
    first.say(m.Failed("too late"))
    first.on_room()
    spare.on_room()
    assert heard.events == [m.Failed("x")] and heard.rooms == 1
    spare.on_death()
    assert heard.deaths == 2


def test_a_spare_that_dies_is_nobodys_loss(heard: Heard) -> None:
    engine, first = started(heard)
    asyncio.run(engine.prepare())
    FakeChild.made[1].on_death()
    assert not engine.has_spare and not heard.deaths
    asyncio.run(engine.start())
    assert engine.name == "engine 0" and not first.stopped
    asyncio.run(engine.prepare())
    engine.stop()
    assert first.stopped and FakeChild.made[2].stopped


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (m.Failed("no such device"), "no such device"),
        (TimeoutError, "not ready within"),
        (EOFError, "ended before it was ready"),
    ],
)
def test_one_that_does_not_start_is_told(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, first: Any, said: str
) -> None:
    engine, _ = started(heard)
    monkeypatch.setattr(FakeChild, "start", lambda self, patience: _outcome(first), raising=True)
    with pytest.raises(EngineError, match=said):
        asyncio.run(engine.prepare())
    assert not engine.has_spare and FakeChild.made[1].stopped
    with pytest.raises(EngineError, match=said):
        asyncio.run(engine.start())


async def _outcome(first: Any) -> bytes:
    if isinstance(first, type):
        raise first
    return m.encode([first])
