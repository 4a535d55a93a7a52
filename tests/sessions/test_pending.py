"""A change that waits for its beat or bar: announced, perhaps replaced, announced in force."""

import random
from pathlib import Path
from typing import Any

import pytest
from support import Ear, House


@pytest.fixture
def house(models: Path) -> House:
    return House(models)


def opened(house: House, **controls: Any) -> Ear:
    ear = house.join()
    controls = {"rate": 100, **controls}
    house.say(ear, "open", model="verse", session="s", seed=1, controls=controls, play=False)
    house.run(0.1)
    house.say(ear, "step", session="s", count=3)
    house.run(0.1)
    return ear


def step_to(house: House, ear: Ear, position: int) -> None:
    house.say(ear, "step", session="s", count=position - house.stage.sessions["s"].position)
    house.run(0.3)


def shown(event: dict[str, Any], *names: str) -> dict[str, Any]:
    about = {k: event[k] for k in ("position", "changed", "pending", "cancelled") if k in event}
    return {**about, **{name: event["controls"][name] for name in names}}


def test_a_change_that_one_regrets_does_not_come(house: House) -> None:
    ear = opened(house)
    house.say(ear, "control", session="s", controls={"temperature": 1.5}, at="bar")
    assert shown(ear.last("controlled"), "temperature") == {
        "position": 16, "changed": ["temperature"], "pending": True, "temperature": 1.5,
    }  # fmt: skip
    house.say(ear, "control", session="s", controls={"temperature": 0.5})
    assert shown(ear.last("controlled"), "temperature") == {
        "position": 3, "changed": ["temperature"], "temperature": 0.5,
        "cancelled": [{"position": 16, "changed": ["temperature"]}],
    }  # fmt: skip
    step_to(house, ear, 20)
    assert house.stage.sessions["s"].controls.temperature == 0.5
    assert len(ear.of("controlled")) == 2


def test_what_else_was_to_change_there_still_does(house: House) -> None:
    ear = opened(house)
    changes = {"temperature": 1.5, "top_k": 4}
    house.say(ear, "control", session="s", controls=changes, at="bar")
    house.say(ear, "control", session="s", controls={"temperature": 0.5})
    step_to(house, ear, 20)
    controls = house.stage.sessions["s"].controls
    assert (controls.temperature, controls.top_k) == (0.5, 4)
    assert shown(ear.last("controlled"), "temperature", "top_k") == {
        "position": 16, "changed": ["top_k"], "temperature": 0.5, "top_k": 4,
    }  # fmt: skip


def test_it_is_told_to_all_when_it_comes_into_force_before_the_symbol_that_obeys(
    house: House,
) -> None:
    ear, other = opened(house), house.join()
    house.say(ear, "control", session="s", controls={"temperature": 1.5}, at="bar")
    house.say(other, "attach", session="s")
    assert [shown(p, "temperature") for p in other.last("opened")["pending"]] == [
        {"position": 16, "changed": ["temperature"], "pending": True, "temperature": 1.5}
    ]
    step_to(house, ear, 18)
    for one in (ear, other):
        told = one.last("controlled")
        assert shown(told, "temperature") == {
            "position": 16, "changed": ["temperature"], "temperature": 1.5,
        }  # fmt: skip
        after = one.messages[one.messages.index(told) + 1]
        before = one.messages[one.messages.index(told) - 1]
        assert (before["n"], after["n"]) == (15, 16)
    third = house.join()
    house.say(third, "attach", session="s")
    assert "pending" not in third.last("opened")


@pytest.mark.parametrize("count", [14, 400])
def test_it_is_told_when_what_is_fed_goes_beyond_it(house: House, count: int) -> None:
    ear = opened(house)
    house.say(ear, "control", session="s", controls={"temperature": 1.5}, at="bar")
    house.say(ear, "feed", session="s", symbols="a" * count)
    assert shown(ear.last("controlled"), "temperature") == {
        "position": 16, "changed": ["temperature"], "temperature": 1.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("first", "then"), [({"rate": 50}, {"bpm": 60}), ({"bpm": 60}, {"rate": 50})]
)
def test_rate_and_bpm_are_one(
    house: House, first: dict[str, float], then: dict[str, float]
) -> None:
    ear = opened(house)
    house.say(ear, "control", session="s", controls=first, at="bar")
    house.say(ear, "control", session="s", controls=then)
    expected = house.stage.sessions["s"].controls
    assert ear.last("controlled")["cancelled"] == [{"position": 16, "changed": list(first)}]
    step_to(house, ear, 20)
    controls = house.stage.sessions["s"].controls
    assert (controls.rate, controls.bpm) == (expected.rate, expected.bpm)


def test_a_blend_takes_the_place_of_a_blend(house: House) -> None:
    ear = opened(house)
    house.say(ear, "control", session="s", controls={"artist": "Ada"}, at="bar")
    house.say(ear, "control", session="s", controls={"artist": {"Bo": 1, "Cy": 1}})
    step_to(house, ear, 20)
    assert house.stage.sessions["s"].controls.artist == {"Bo": 0.5, "Cy": 0.5}


def test_a_refused_change_withdraws_nothing(house: House) -> None:
    ear = opened(house)
    house.say(ear, "control", session="s", controls={"temperature": 1.5}, at="bar")
    house.say(ear, "control", session="s", controls={"temperature": -1})
    assert ear.last("error")["code"] == "bad_value"
    step_to(house, ear, 20)
    assert house.stage.sessions["s"].controls.temperature == 1.5


@pytest.mark.parametrize("how", ["rewind", "reset", "fork"])
def test_a_new_past_waits_for_nothing(house: House, how: str) -> None:
    ear, name = opened(house), "s"
    house.say(ear, "control", session="s", controls={"temperature": 1.5}, at="bar")
    match how:
        case "rewind":
            house.say(ear, "rewind", session="s", to=2)
        case "reset":
            house.say(ear, "reset", session="s")
        case "fork":
            house.say(ear, "fork", session="s", **{"as": "t"})
            name = "t"
    late = house.join()
    house.say(late, "attach", session=name)
    assert "pending" not in late.last("opened")
    count = len(ear.of("controlled", name))
    house.say(ear, "step", session=name, count=20)
    house.run(0.5)
    assert len(ear.of("controlled", name)) == count
    assert house.stage.sessions[name].controls.temperature == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_the_changes_that_were_told_as_holding_make_the_same_stream(
    house: House, seed: int
) -> None:
    dice, ear = random.Random(seed), house.join()
    house.say(ear, "open", model="verse", session="s", seed=1, controls={"rate": 100})
    for _ in range(30):
        controls: dict[str, Any] = {}
        for _ in range(dice.randint(1, 2)):
            match dice.choice(["temperature", "artist", "top_k", "rate", "bpm", "seed"]):
                case "temperature":
                    controls["temperature"] = round(dice.uniform(0.2, 3), 2)
                case "artist":
                    controls["artist"] = {dice.choice(["Ada", "Bo"]): 1, "Cy": dice.randint(0, 2)}
                case "top_k":
                    controls["top_k"] = dice.randint(2, 20)
                case "rate" if "bpm" not in controls:
                    controls["rate"] = dice.randint(80, 200)
                case "bpm" if "rate" not in controls:
                    controls["bpm"] = dice.randint(1200, 3000)
                case "seed":
                    controls["seed"] = dice.randint(0, 99)
        if controls:
            at = dice.choice(["now", "beat", "bar"])
            house.say(ear, "control", session="s", controls=controls, at=at)
        house.run(dice.random() * 0.15)
    house.say(ear, "pause", session="s")
    assert not ear.of("error")
    length, told = house.stage.sessions["s"].position, ear.of("controlled", "s")
    again = house.join()
    house.say(again, "open", model="verse", session="t", seed=1, play=False)
    for change in (m for m in told if "pending" not in m):
        while (at := house.stage.sessions["t"].position) < min(change["position"], length):
            house.say(again, "step", session="t", count=min(change["position"], length) - at)
            house.run(0.2)
        values = {name: change["controls"][name] for name in change["changed"]}
        house.say(again, "control", session="t", controls=values)
    while (at := house.stage.sessions["t"].position) < length:
        house.say(again, "step", session="t", count=length - at)
        house.run(0.2)
    assert again.stream("t") == ear.stream("s")
