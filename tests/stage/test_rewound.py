"""A session that goes back plays what it played before, whatever it did in between."""

from __future__ import annotations

import pytest
from support import House


@pytest.mark.parametrize("to", [1, 3, 9])
def test_what_was_computed_ahead_and_given_up_does_not_come_back(house: House, to: int) -> None:
    ear = house.join()
    house.say(ear, "open", model="verse", session="a", seed=7, play=False, controls={"rate": 100})
    house.say(ear, "step", session="a", count=10)
    house.run(0.5)
    house.say(ear, "control", session="a", controls={"temperature": 0.7, "rate": 10})
    house.say(ear, "rewind", session="a", to=to)
    house.say(ear, "step", session="a", count=60)
    house.run(0.5)
    again = ear.stream("a")[10:]
    other = house.join()
    house.say(other, "open", model="verse", session="b", seed=7, play=False)
    house.say(other, "step", session="b", count=to + 60)
    house.run(0.5)
    assert len(again) == 60 and again == other.stream("b")[to:]
