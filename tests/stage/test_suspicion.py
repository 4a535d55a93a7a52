"""A session that makes its engine die again and again is closed, and the others play on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Ear, House

from stream_rnn.engine.messages import Batch, Caution, Credits, Doing, Open, Plan, Settings
from stream_rnn.engine.slots import Slots
from stream_rnn.stage.suspicion import YOUNG, Suspicion


class Death(BaseException):
    """The death of a process, which no `except Exception` catches."""


def deadly(monkeypatch: pytest.MonkeyPatch, method: str, is_fatal: Callable[..., bool]) -> None:
    was = getattr(Slots, method)

    def does(slots: Slots, *arguments: Any) -> Any:
        if is_fatal(slots, *arguments):
            raise Death
        return was(slots, *arguments)

    monkeypatch.setattr(Slots, method, does)


def run(house: House, seconds: float) -> None:
    """As `House.run`, with a supervisor."""
    end = house.clock.now() + seconds
    while house.clock.now() < end:
        try:
            if not house.link.up:
                house.clock.advance(0.5)
                house.start_engine()
                house.regain_engine()
            house.engine.pump(house.clock.now())
            house.clock.advance(0.01)
            house.stage.tick(house.clock.now())
            house.stage.sweep(house.clock.now())
        except Death:
            house.engine.kill()


def play(house: House, *names: str) -> dict[str, Ear]:
    ears = {}
    for name in names:
        ears[name] = house.join()
        house.say(ears[name], "open", model="verse", session=name, seed=5, controls={"rate": 50})
    return ears


@pytest.mark.slow
@pytest.mark.parametrize("method", ["advance", "plan"])
def test_the_session_that_an_engine_dies_of_is_closed_and_the_others_play_on(
    models: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    house = House(models)
    ears = play(house, "a", "bad", "c")
    run(house, 0.5)
    key, started = (
        house.stage.sessions["bad"].key,
        {name: len(e.messages) for name, e in ears.items()},
    )

    def is_fatal(slots: Slots, rows: Any, *more: Any) -> bool:
        return bool((slots.key[rows] == key).any())

    deadly(monkeypatch, method, is_fatal)
    if method == "plan":
        try:
            house.say(ears["bad"], "control", session="bad", controls={"temperature": 0.5})
        except Death:
            house.engine.kill()
    run(house, 5.0)
    assert house.stage.counters.engine_deaths == 3
    assert set(house.stage.sessions) == {"a", "c"}
    assert "could not go on" in ears["bad"].last("error")["message"]
    assert ears["bad"].last("closed")["reason"] == "internal"
    for name in ("a", "c"):
        assert len(ears[name].messages) > started[name] + 100
        numbers = [m["n"] for m in ears[name].of("symbol")]
        assert numbers == list(range(len(numbers)))
        assert not ears[name].of("error")
    assert house.engine._core is not None and house.engine._core._caution == 1
    run(house, YOUNG)
    assert house.engine._core._caution == 0


def test_an_engine_that_is_killed_from_outside_takes_no_session_with_it(models: Path) -> None:
    house = House(models)
    ears = play(house, "a", "b")
    for _ in range(6):
        run(house, 0.3)
        house.engine.kill()
    run(house, 1.0)
    assert house.stage.counters.engine_deaths == 6
    assert set(house.stage.sessions) == {"a", "b"}
    assert not [m for ear in ears.values() for m in ear.of("error")]


def test_three_deaths_name_the_session_that_was_in_the_last_two() -> None:
    suspicion = Suspicion()
    suspicion.began(100.0)
    suspicion.computes([])
    assert suspicion.caution == 0
    assert suspicion.died(500.0) is None and suspicion.caution == 1
    suspicion.began(501.0)
    suspicion.computes([3, 4, 5])
    assert suspicion.died(502.0) is None and suspicion.caution == 2
    suspicion.began(503.0)
    suspicion.computes([4])
    assert suspicion.died(504.0) == 4


@pytest.mark.parametrize(
    ("second", "third"),
    [((3, 5), (4,)), ((4,), (4, 5)), ((), (4,)), ((4,), ())],
    ids=["another", "not alone", "nothing before", "nothing now"],
)
def test_less_than_that_names_nobody(second: tuple[int, ...], third: tuple[int, ...]) -> None:
    suspicion = Suspicion()
    suspicion.died(0.0)
    for at, now in ((second, 1.0), (third, 3.0)):
        suspicion.began(now)
        suspicion.computes(at)
        assert suspicion.died(now + 1.0) is None


def test_deaths_far_apart_are_not_of_a_row() -> None:
    suspicion = Suspicion()
    for now in (0.0, 100.0, 200.0, 300.0):
        suspicion.began(now)
        suspicion.computes([4])
        assert suspicion.died(now + YOUNG) is None and suspicion.caution == 1
    suspicion.began(400.0)
    assert not suspicion.calms(400.0 + YOUNG / 2)
    assert suspicion.calms(400.0 + YOUNG) and suspicion.caution == 0
    assert not suspicion.calms(400.0 + YOUNG)


@pytest.mark.parametrize("level", [1, 2])
def test_a_cautious_engine_says_what_it_is_at_before_it_is(models: Path, level: int) -> None:
    house = House(models)
    core = house.engine._core
    assert core is not None
    said: list[Any] = []
    core.say = said.extend
    core.apply([Caution(level)])
    ones = np.ones(2, np.int64)
    said += core.apply(
        [Open(key, "verse") for key in (7, 8)]
        + [Plan(key, 1, 0, ((0, Settings()),)) for key in (7, 8)]
        + [Credits(np.array([7, 8]).tobytes(), ones.tobytes(), (0 * ones).tobytes(),
                  np.zeros(2).tobytes(), np.zeros(2).tobytes())]
    )  # fmt: skip
    assert said == [Doing(np.array([key]).tobytes()) for key in (7, 8)] + [Doing()]
    said.clear()
    said += core.step(1.0)[0]
    kinds = [type(event) for event in said]
    if level == 1:
        assert kinds == [Doing, Batch, Doing]
        assert said[0].keys == np.array([7, 8]).tobytes()
    else:
        assert kinds == [Doing, Doing, Batch, Batch, Doing]
    assert said[-1] == Doing()
