"""Several engines: each has its own sessions, and its own life and death."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support import Ear, House, ManualClock, Mute

from stream_rnn.serve.engine_ward import EngineWard
from stream_rnn.stage.engines import Engines
from stream_rnn.stage.limits import Model

NAMES = ("a", "b", "c", "d")


class TwoEngines(House):
    """A `House` with a second engine."""

    def __init__(self, models: Path) -> None:
        super().__init__(models)
        self.second, self.second_link = self.add_engine()

    def run(self, seconds: float, step: float = 0.004) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            for engine in (self.engine, self.second):
                engine.pump(self.clock.now())
            self.clock.advance(step)
            self.stage.tick(self.clock.now())


@pytest.fixture
def house(models: Path) -> TwoEngines:
    return TwoEngines(models)


def play_all(house: House) -> dict[str, Ear]:
    ears = {}
    for name in NAMES:
        ears[name] = house.join()
        house.say(ears[name], "open", model="verse", session=name, seed=5, controls={"rate": 50})
    return ears


def engine_of(house: House, name: str) -> Any:
    return house.stage.engines.of(house.stage.sessions[name])


def test_sessions_go_where_there_are_fewest(house: TwoEngines) -> None:
    play_all(house)
    assert [engine_of(house, n) is house.link for n in NAMES] == [True, False, True, False]
    ear = house.join()
    for name in ("a", "c"):
        house.say(ear, "close", session=name)
    assert (house.link.sessions, house.second_link.sessions) == (0, 2)
    for name in ("e", "f"):
        house.say(ear, "open", model="verse", session=name)
        assert engine_of(house, name) is house.link


@pytest.mark.slow
def test_an_engine_that_dies_takes_only_its_own_sessions_and_they_go_on_at_the_same_symbol(
    house: TwoEngines, models: Path
) -> None:
    undisturbed = play_all(alone := House(models))
    alone.run(4.0)
    ears = play_all(house)
    house.run(1.0)
    house.second.kill()
    assert not house.stage.engines.up
    house.run(1.0)
    for name, ear in ears.items():
        stalled = engine_of(house, name) is house.second_link
        assert [m["reason"] for m in ear.of("paused")] == ["engine"] * stalled
        played = len(ear.stream(name))
        assert played < 72 if stalled else played > 90  # what was computed is played
    # One that is opened meanwhile is computed by the engine that is there.
    house.say(other := house.join(), "open", model="verse", session="e", controls={"rate": 50})
    assert engine_of(house, "e") is house.link
    house.second.begin()
    house.stage.engine_life.regain(house.second_link, house.clock.now())
    house.run(1.0)
    assert house.stage.engines.up and house.stage.counters.engine_deaths == 1
    assert len(other.stream("e")) > 40
    for name, ear in ears.items():
        stream = ear.stream(name)
        assert len(stream) > 90, name
        assert stream == undisturbed[name].stream(name)[: len(stream)]
        numbers = [m["n"] for m in ear.of("symbol", name)]
        assert numbers == list(range(len(stream)))


def test_the_silence_of_one_engine_is_not_that_of_the_other(house: TwoEngines) -> None:
    play_all(house)
    house.run(0.5)
    for _ in range(40):  # nobody pumps the second
        house.engine.pump(house.clock.now())
        house.clock.advance(0.1)
        house.stage.tick(house.clock.now())
        house.stage.sweep(house.clock.now())
    now = house.clock.now()
    assert house.engine_silence() == 0.0
    assert house.stage.engine_life.unanswered_for(house.second_link, now) > 2.0


def test_a_model_that_one_engine_cannot_load_is_played_by_the_other(house: TwoEngines) -> None:
    ears = play_all(house)
    house.run(0.5)
    house.second.kill()
    house.second.begin()
    life = house.stage.engine_life
    life.leave_out(house.second_link, {"verse": "its weights are gone"})
    life.regain(house.second_link, house.clock.now())
    house.run(1.0)
    assert house.link.sessions == 4 and house.second_link.sessions == 0
    assert "verse" in house.stage.models
    for name, ear in ears.items():
        assert not ear.of("error") and len(ear.stream(name)) > 60, name
    # When no engine has the model, its sessions are evicted, and their viewers are told why.
    house.lose_engine()
    house.start_engine()
    life.leave_out(house.link, {"verse": "its weights are gone"})
    house.regain_engine()
    assert "verse" not in house.stage.models
    assert {ear.last("error")["code"] for ear in ears.values()} == {"unknown_model"}
    assert house.link.sessions == 0


def test_the_ward_of_one_engine_starts_that_one_anew(house: TwoEngines) -> None:
    ears, clock, died = play_all(house), ManualClock(house.clock.now()), asyncio.Event()
    house.run(0.5)
    ward = EngineWard(house.second, house.stage.engine_life, house.second_link, clock, died)
    house.second.kill()
    asyncio.run(ward.start())
    ward.back()
    house.run(1.0)
    assert house.second.ready is not None and house.second.ready.rollback == 32
    assert all(len(ear.stream(name)) > 60 for name, ear in ears.items())


def test_a_pool_places_by_what_each_engine_has(models: Path, house: TwoEngines) -> None:
    play_all(house)
    session, model = house.stage.sessions["a"], house.stage.models["verse"]
    assert isinstance(model, Model)
    pool = Engines()
    first, second = pool.add(Mute()), pool.add(Mute())
    first.up = False
    pool.open(session)
    assert pool.of(session) is second and not pool.waits(session)
    pool.close(session)
    second.left_out = {"verse": "gone"}
    pool.open(session)
    assert pool.of(session) is first and pool.waits(session)
    first.left_out = second.left_out
    assert not pool.can_play("verse")
    pool.close(session)
    pool.close(session)  # there is nothing to give back
    assert (first.sessions, second.sessions) == (0, 0)
