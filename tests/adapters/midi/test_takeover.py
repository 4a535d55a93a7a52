from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.adapters.midi.takeover import MOST, Takeover
from stream_rnn.config import MidiControl

KNOB = MidiControl(control="temperature", cc=1)


@dataclass
class Rig:
    """A control from 0 to 1 and a knob, which moves it as the server would have it."""

    binding: MidiControl = KNOB
    current: float = 0.5
    takeover: Takeover = field(default_factory=Takeover)

    def turn(self, value: float) -> float:
        if self.takeover.admits(self.binding, 1, value, self.current, 1.0):
            self.current = value
            self.takeover.has_set(self.binding, 1, value)
        self.takeover.moved(self.binding, value)
        return self.current


def test_a_knob_moves_its_control_as_long_as_nobody_else_does() -> None:
    rig = Rig()
    assert [rig.turn(value) for value in (0.9, 0.1, 1.0)] == [0.9, 0.1, 1.0]


def test_after_somebody_else_the_knob_has_to_meet_the_value() -> None:
    rig = Rig()
    rig.turn(0.9)
    rig.current = 0.2
    assert [rig.turn(value) for value in (0.8, 0.5)] == [0.2, 0.2]
    assert rig.turn(0.1) == 0.1, "it has passed the value"
    assert rig.turn(0.9) == 0.9


def test_a_knob_that_stands_within_its_own_step_has_met_the_value() -> None:
    rig = Rig()
    rig.turn(0.9)
    rig.current = 0.5
    assert rig.turn(0.5 + 1 / 127) == 0.5 + 1 / 127


@pytest.mark.parametrize(("pickup", "first"), [(True, 0.5), (None, 0.9), (False, 0.9)])
def test_whether_the_first_movement_may_jump(pickup: bool | None, first: float) -> None:
    assert Rig(MidiControl(control="temperature", cc=1, pickup=pickup)).turn(0.9) == first


def test_without_pickup_a_knob_always_sets_its_control() -> None:
    rig = Rig(MidiControl(control="temperature", cc=1, pickup=False))
    rig.turn(0.9)
    rig.current = 0.2
    assert rig.turn(0.8) == 0.8


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 1))
def test_a_knob_that_goes_from_end_to_end_always_gets_hold(
    moves: list[float], elsewhere: float
) -> None:
    rig = Rig()
    for value in moves:
        rig.turn(value)
    rig.current = elsewhere
    rig.turn(0.0)
    assert rig.turn(1.0) == 1.0


def test_a_controller_that_is_forgotten_begins_anew() -> None:
    rig = Rig()
    rig.turn(0.9)
    rig.current = 0.2
    rig.takeover.forget(KNOB)
    assert rig.turn(0.8) == 0.8


def test_what_is_remembered_is_bounded() -> None:
    takeover = Takeover()
    for session in range(2 * MOST):
        takeover.has_set(KNOB, session, 0.5)
    assert takeover.admits(KNOB, 0, 1.0, 0.1, 1.0), "the oldest is as one that never moved"
    assert not takeover.admits(KNOB, 2 * MOST - 1, 1.0, 0.1, 1.0)
