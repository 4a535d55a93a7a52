"""One client asks for very many steps; those who play do not notice."""

from pathlib import Path

import pytest
from support import Ear, House

from stream_rnn.sessions.flow import STEPS
from stream_rnn.wire.messages import MAX_STEPS


def opened(house: House, name: str, **fields: object) -> Ear:
    ear = house.join()
    house.say(ear, "open", model="verse", session=name, seed=1, **fields)
    return ear


@pytest.mark.parametrize("count", [1, 1000])
def test_they_are_made_while_a_slow_engine_keeps_everybodys_look_ahead(
    models: Path, count: int
) -> None:
    """On an engine that makes one batch of four in 4 ms, and needs half of its time for others."""
    house = House(models, batch=4)
    players = [opened(house, f"p{n}", controls={"rate": 50}) for n in range(10)]
    names = [f"s{n}" for n in range(8)]
    ears = [opened(house, name, play=False) for name in names]
    house.clock.advance(0.004)

    def run(batches: int) -> int:
        """How far the players were ahead, at least, in symbols."""
        least = 99
        for _ in range(batches):
            house.engine.pump(house.clock.now(), most=1)
            house.clock.advance(0.004)
            house.stage.tick(house.clock.now())
            playing = [s for s in house.stage.sessions.values() if s.playing]
            least = min(least, *(session.computed for session in playing))
        return least

    run(200)
    before = run(100)
    asked = 1000 if count == 1 else 1
    for ear, name in zip(ears, names, strict=True):
        for _ in range(asked):
            house.say(ear, "step", session=name, count=count)
        assert not ear.of("error")
    assert run(250) >= before - 6, "most of the look-ahead of 20 stays"
    for ear in players:
        assert max(m["due"] for m in ear.of("symbol")) > house.clock.now()
    made = sum(len(ear.of("symbol")) for ear in ears)
    assert made > 250, "and they are made"


@pytest.mark.parametrize("count", [STEPS, 1000, MAX_STEPS])
def test_on_an_idle_machine_they_come_at_once(models: Path, count: int) -> None:
    house = House(models)
    ear = opened(house, "s", play=False)
    now = house.clock.now()
    house.say(ear, "step", session="s", count=count)
    house.engine.pump(now)
    assert len(ear.of("symbol")) == count and house.clock.now() == now
    assert house.stage.sessions["s"].pending_steps == 0
