from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import House

from stream_rnn.adapters.http.attention import Attention
from stream_rnn.adapters.web import websocket as web
from stream_rnn.adapters.web.outbox import Outbox
from stream_rnn.adapters.web.pacing import (
    FED,
    MESSAGE,
    MOST,
    RATE,
    SHARE,
    SLICE,
    STEPPED,
    Budget,
    Turns,
    cost,
)
from stream_rnn.adapters.web.websocket import Clients
from stream_rnn.clock import MonotonicClock
from stream_rnn.wire import messages as wire


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 200_000)), min_size=1))
def test_whoever_waits_as_told_causes_no_more_than_the_rate_and_what_was_saved(
    asked: list[tuple[float, float]],
) -> None:
    budget, now, total = Budget(0.0), 0.0, 0.0
    for pause, caused in asked:
        total += caused
        now += budget.spend(caused, now)
        assert total <= (MOST + now * RATE) * (1 + 1e-9)
        now += pause


def test_a_performer_never_waits() -> None:
    budget, now = Budget(0.0), 0.0
    for _ in range(60 * 500):  # a minute of 500 messages a second
        assert budget.spend(MESSAGE + FED * 4, now) == 0
        now += 1 / 500
    assert budget.spend(200_000, now) == 0, "and may then have a whole history"


def test_a_message_costs_what_it_causes(house: House) -> None:
    ear = house.join()
    house.say(ear, "open", model="verse", session="a", play=False, prime="abc" * 1000)

    def costs(type: str, **fields: Any) -> float:
        return cost(wire.from_fields({"type": type, **fields}), house.stage)

    assert costs("feed", session="a", symbols="x" * 4096) == MESSAGE + 4096 * FED
    assert costs("step", session="a", count=50) == MESSAGE + 50 * STEPPED
    assert costs("attach", session="a", after=-1) == MESSAGE + 3000
    assert costs("attach", session="a", after=2990) == MESSAGE + 9
    assert costs("attach", session="a") == costs("attach", session="z", after=-1) == MESSAGE
    assert costs("rewind", session="a", to=0) > 10 * MESSAGE
    opened = wire.from_fields({"type": "open", "model": "verse"})
    assert cost(opened, house.stage) > 10 * cost(opened, house.stage, refused=True)


def test_those_who_are_sent_histories_have_their_turns_one_after_the_other() -> None:
    turns = Turns()
    waits = [turns.take(10.0) for _ in range(4)]
    assert waits == pytest.approx([n * SLICE / SHARE for n in range(4)])
    assert turns.take(20.0) == 0


class Line:
    """Takes everything at once, as that of a client does that reads fast."""

    free, on_change = True, staticmethod(lambda: None)

    def __init__(self, heard: list[str], name: str) -> None:
        self._heard, self._name = heard, name

    def write(self, frame: bytes) -> None:
        self._heard.append(self._name)

    async def ready(self) -> None:
        pass


def test_a_long_history_leaves_the_loop_to_others_and_is_shared_fairly() -> None:
    heard: list[str] = []

    async def scene() -> None:
        clients, clock = Clients(Attention(asyncio.get_running_loop())), MonotonicClock()
        writers = []
        for name in ("one", "other"):
            line, account = Line(heard, name), clients.attention.account()
            outbox, socket = Outbox(line), cast(Any, None)

            def past() -> Iterator[bytes]:
                return (b"%d" % n for n in range(3000))

            outbox.history(past)
            outbox.history(past)
            writing = web._write(socket, line, outbox, clients, clock, account)
            writers.append(asyncio.create_task(writing))
        between = 0
        while len(heard) < 12_000:
            before = len(heard)
            await asyncio.sleep(0)
            between += len(heard) > before
        for writer in writers:
            writer.cancel()
        assert between > 10, "others had their turns, again and again"

    asyncio.run(scene())
    half = heard[: len(heard) // 2]
    assert 0.2 < half.count("one") / len(half) < 0.8


@pytest.mark.slow
def test_a_connection_in_debt_is_not_heard_for_a_while(models: Path) -> None:
    house = House(models)
    ear = house.join()
    house.say(ear, "open", model="verse", session="a", play=False)

    house.say(ear, "feed", session="a", symbols="x" * 4096)
    house.engine.pump(house.clock.now())

    class Flood:
        """Asks for the whole history as fast as it is heard."""

        heard = 0

        async def receive(self) -> dict[str, str]:
            self.heard += 1
            message = {"type": "attach", "session": "a", "after": -1}
            return {"type": "websocket.receive", "text": json.dumps(message)}

    async def scene() -> int:
        outbox, flood = Outbox(Line([], "")), Flood()
        viewer, socket = web.WebSocketViewer(outbox), flood
        account = Attention(asyncio.get_running_loop()).account()
        reading = web._read(socket, outbox, viewer, house.stage, house.clock, account)  # type: ignore[arg-type]
        task = asyncio.create_task(reading)
        for _ in range(200):
            await asyncio.sleep(0.005)  # there are rests, too, of the real time
        task.cancel()
        return flood.heard

    heard = asyncio.run(scene())
    assert MOST / 4200 - 2 < heard < MOST / 4000 + 2
