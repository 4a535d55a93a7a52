"""Sessions are admitted by measured capacity: before anybody would come late, and after that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import Ear, House

from stream_rnn.engine.messages import Worked
from stream_rnn.stage.capacity import AGAIN, LONG
from stream_rnn.stage.limits import Limits

RATE = 20.0


@dataclass
class Machine:
    """A house of sessions on a machine of which a test says how fast it is.

    Attributes:
        symbol: seconds that the engine takes for a symbol.
        handing: seconds that the gateway takes to hand out a symbol to one viewer.
    """

    house: House
    symbol: float = 1e-3
    handing: float = 1e-5
    used: float = 0.0

    def __post_init__(self) -> None:
        self.house.stage.capacity.used = lambda: self.used

    def open(self, name: str, rate: float = RATE, **fields: Any) -> Ear:
        ear = self.house.join()
        asked = {"model": "verse", "session": name, "controls": {"rate": rate}, **fields}
        self.house.say(ear, "open", **asked)
        return ear

    @property
    def rates(self) -> float:
        """Symbols a second of the sessions that play."""
        return sum(s.controls.rate for s in self.house.stage.sessions.values() if s.playing)

    @property
    def busy(self) -> float:
        """The greater share of its time that one of the processes uses."""
        return self.rates * max(self.symbol, self.handing)

    def second(self) -> None:
        """A second passes, in which engine and gateway work; no symbol is computed."""
        house, rates = self.house, self.rates
        for _ in range(2):
            house.clock.advance(0.5)
            if rates:
                said = Worked(0.5 * rates * self.symbol, int(0.5 * rates))
                house.stage.engine_life.said(house.link, [said], house.clock.now())
        self.used += rates * self.handing
        house.stage.sweep(house.clock.now())

    def fill(self, most: int = 400, each: int = 2) -> list[Ear]:
        """Opens sessions, some each second, until one is refused; those that were not."""
        opened = list[Ear]()
        for n in range(most):
            ear = self.open(f"f{n}")
            if ear.of("error"):
                assert ear.last("error")["code"] == "too_many_sessions"
                return opened
            opened.append(ear)
            if n % each == 0:
                self.second()
        raise AssertionError("none was refused")


@pytest.fixture
def machine(models: Path) -> Machine:
    return Machine(House(models, limits=Limits(busy=0.75, sessions=500)))


SLOW = [{"symbol": 1e-3, "handing": 1e-6}, {"symbol": 1e-6, "handing": 1e-3}]


@pytest.mark.parametrize("speed", SLOW, ids=["engine", "gateway"])
def test_sessions_are_admitted_until_the_machine_is_three_quarters_full(
    machine: Machine, speed: dict[str, float]
) -> None:
    machine.symbol, machine.handing = speed["symbol"], speed["handing"]
    opened = machine.fill()
    assert 0.65 < machine.busy <= 0.75 and len(opened) > 30
    for _ in range(10):
        machine.second()
    assert machine.busy <= 0.75, "nobody starves"


def test_many_who_come_at_once_are_not_all_admitted(machine: Machine) -> None:
    """Before the first of them has been measured."""
    for _ in range(3):
        machine.open("first" + str(_))
        machine.second()
    opened = machine.fill(each=1000)
    assert machine.busy <= 0.75 and len(opened) > 20


def test_one_who_is_refused_is_told_when_to_try_again_and_the_others_later(
    machine: Machine,
) -> None:
    machine.fill()
    waits = [machine.open(f"w{n}").last("error")["retry_after"] for n in range(50)]
    assert waits[0] >= AGAIN and waits == sorted(waits) and waits[-1] > waits[0] + 2
    machine.house.clock.advance(LONG + 1)
    assert machine.open("late").last("error")["retry_after"] == AGAIN


def test_when_some_leave_one_is_admitted_again_and_there_is_no_flapping(machine: Machine) -> None:
    opened = machine.fill()
    machine.house.say(opened[0], "close", session="f0")
    machine.second()
    assert machine.open("x").of("error"), "one that leaves is not enough"
    for n in range(1, 6):
        machine.house.say(opened[n], "close", session=f"f{n}")
    machine.second()
    outcomes = list[bool]()
    for n in range(12):
        outcomes.append(not machine.open(f"y{n}").of("error"))
        machine.second()
    changes = sum(a != b for a, b in zip(outcomes, outcomes[1:], strict=False))
    assert outcomes[0] and changes == 1 and machine.busy <= 0.75


def test_a_machine_that_others_load_admits_less_and_afterwards_as_before(machine: Machine) -> None:
    for n in range(10):
        machine.open(f"a{n}")
        machine.second()
    machine.symbol *= 5
    for _ in range(6):
        machine.second()
    assert machine.open("x").of("error")
    machine.symbol /= 5
    for _ in range(6):
        machine.second()
    assert machine.open("x").of("opened")


def test_the_gateways_load_counts_also_if_it_is_not_of_symbols(machine: Machine) -> None:
    machine.open("a")
    for _ in range(4):
        machine.used += 0.9  # another program has the processor, or clients ask for much
        machine.second()
    assert machine.open("x").of("error")
    for _ in range(4):
        machine.second()
    assert machine.open("x").of("opened")


def test_who_has_a_session_is_never_refused(machine: Machine) -> None:
    paused = machine.open("mine", play=False)
    opened = machine.fill()
    house = machine.house
    house.say(paused, "play", session="mine")
    assert paused.of("playing") and not paused.of("error")
    house.say(opened[0], "control", session="f0", controls={"rate": 40})
    house.say(opened[1], "pause", session="f1")
    house.say(opened[1], "play", session="f1")
    house.say(house.join(), "attach", session="f2")
    house.say(opened[3], "control", session="f3", model="roll", controls={})
    assert not [error for ear in opened for error in ear.of("error")]
    machine.second()
    assert machine.busy <= 0.8, "the paused session had been counted"
    house.say(opened[4], "fork", session="f4", **{"as": "twin"})
    assert opened[4].last("error")["code"] == "too_many_sessions"


def test_a_paused_session_that_nobody_hears_does_not_count(machine: Machine) -> None:
    for n in range(30):
        ear = machine.open(f"p{n}", play=False)
        machine.house.stage.leave(ear, machine.house.clock.now())
    machine.second()
    assert len(machine.fill()) > 30


def test_an_evicted_session_comes_back_if_there_is_time(machine: Machine) -> None:
    house, limits = machine.house, machine.house.stage.limits
    house.stage.leave(machine.open("away"), house.clock.now())
    house.clock.advance(limits.idle_pause + limits.idle_away + 1)
    for _ in range(2):
        house.stage.sweep(house.clock.now())
    opened = machine.fill()
    late = house.join()
    house.say(late, "attach", session="away")
    assert late.last("error")["code"] == "too_many_sessions"
    for n in range(6):
        house.say(opened[n], "close", session=f"f{n}")
    machine.second()
    house.say(late, "attach", session="away")
    assert late.last("opened")["session"] == "away"


def test_the_first_session_is_admitted_on_any_machine(machine: Machine) -> None:
    machine.symbol = 1.0
    machine.open("a")
    machine.second()
    ear = machine.open("b")
    assert ear.last("error")["code"] == "too_many_sessions"
    machine.house.say(ear, "close", session="a")
    machine.second()
    assert machine.open("b").of("opened")


def test_it_can_be_switched_off(models: Path) -> None:
    machine = Machine(House(models, limits=Limits(busy=math.inf, sessions=60)), symbol=0.1)
    for n in range(60):
        assert machine.open(f"a{n}").of("opened")
        machine.second()
    full = machine.open("x").last("error")
    assert full["code"] == "too_many_sessions" and full["retry_after"] > 0
