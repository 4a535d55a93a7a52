"""One client on its way from reading to not reading and back, and all that it is sent meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rnn.adapters.http.attention import Attention
from stream_rnn.adapters.web import websocket as web
from stream_rnn.adapters.web.outbox import Outbox
from stream_rnn.adapters.web.websocket import Clients, WebSocketViewer
from stream_rnn.bench.crowd import cut
from stream_rnn.clock import MonotonicClock
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events

CONTEXT = cast(NoteContext, None)  # a WebSocket's viewer has no use for it


class Line:
    """A client that takes so many frames, and no more before it has read."""

    def __init__(self) -> None:
        self.room, self.data = 0, b""
        self.on_change: Callable[[], None] = lambda: None
        self._freed = asyncio.Event()

    @property
    def free(self) -> bool:
        return self.room > 0

    def write(self, frame: bytes) -> None:
        self.room -= 1
        self.data += frame
        self.on_change()

    def read(self, count: int) -> None:
        self.room = max(0, self.room) + count
        self.on_change()
        self._freed.set()

    async def ready(self) -> None:
        while not self.free:
            self._freed.clear()
            await self._freed.wait()

    def told(self) -> list[dict[str, Any]]:
        frames, rest = cut(self.data)
        assert not rest
        return [json.loads(payload) for _, payload in frames]


class Scene:
    """A viewer with its outbox, and the task that sends what waits."""

    def __init__(self, symbols: int) -> None:
        self.line = Line()
        outbox = Outbox(self.line, symbols=symbols)
        self.viewer = WebSocketViewer(outbox)
        clients = Clients(Attention(asyncio.get_running_loop()))
        writing = web._write(
            cast(Any, None), self.line, outbox, clients, MonotonicClock(),
            clients.attention.account(),
        )  # fmt: skip
        self.task = asyncio.create_task(writing)
        self.n = dict.fromkeys("ab", 0)
        self.answers = 0

    def do(self, action: str, count: int) -> None:
        for _ in range(count):
            if action == "answer":
                self.viewer.tell(events.Pong(self.answers, 0.0, 0.0))
                self.answers += 1
            elif action == "past":
                n = self.n["a"]
                past = [events.Symbol("a", i, 0.0) for i in range(n, n + 3)]
                self.viewer.history(lambda past=past: iter(past))  # type: ignore[misc]
                self.n["a"] += 3
            else:
                self.viewer.symbol(events.Symbol(action, self.n[action], 0.0), CONTEXT)
                self.n[action] += 1


ACTIONS = st.tuples(
    st.sampled_from(["a", "b", "answer", "past", "read", "turn"]), st.integers(1, 5)
)


@settings(max_examples=200)
@given(st.lists(ACTIONS, max_size=60), st.integers(0, 4))
def test_nothing_is_lost_doubled_or_overtaken_however_it_reads(
    actions: list[tuple[str, int]], symbols: int
) -> None:
    async def play() -> Scene:
        scene = Scene(symbols)
        for action, count in actions:
            if action == "read":
                scene.line.read(count)
            elif action == "turn":
                for _ in range(count):
                    await asyncio.sleep(0)
            else:
                scene.do(action, count)
        while scene.line.data[-1:] != b"}" or scene.line.told()[-1]["type"] != "closed":
            scene.line.read(1000)
            scene.viewer.tell(events.Closed("a"))
            await asyncio.sleep(0.001)
        scene.task.cancel()
        return scene

    scene = asyncio.run(play())
    told = scene.line.told()
    for session in "ab":
        heard = 0
        for message in told:
            if message.get("session") != session or message["type"] == "closed":
                continue
            if message["type"] == "gap":
                assert message["after"] == heard - 1, "a gap begins where the symbols ended"
                heard = message["before"]
            else:
                assert message["n"] == heard
                heard += 1
        assert heard == scene.n[session]
    assert [m["t0"] for m in told if m["type"] == "pong"] == list(range(scene.answers))


def test_a_client_that_reads_is_sent_everything_without_the_task() -> None:
    async def play() -> list[dict[str, Any]]:
        scene = Scene(symbols=4)
        await asyncio.sleep(0)
        scene.line.read(1000)
        for action in ("a", "answer", "b", "a"):
            scene.do(action, 1)
        told = scene.line.told()  # before any task has had a turn
        scene.task.cancel()
        return told

    told = asyncio.run(play())
    assert [m.get("n", m["type"]) for m in told] == [0, "pong", 0, 1]
