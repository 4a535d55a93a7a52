"""The line through a clock's pulses; tests/adapters/midi/test_clock.py has what comes of it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.adapters.midi.pulse_line import PERIODS, PulseLine


def line(times: list[float], period: float = 0.02) -> PulseLine:
    made = PulseLine(period)
    for time in times:
        made.add(time)
    return made


@given(st.floats(0.003, 0.2), st.floats(0.0, 1e5))
def test_even_pulses_are_their_period(period: float, start: float) -> None:
    made = line([start + i * period for i in range(30)], period=0.02)
    assert made.period == pytest.approx(period, rel=1e-3)
    count, at = made.middle
    assert at == pytest.approx(start + count * period, abs=1e-3 + 1e-9 * start)


def test_tremor_is_averaged() -> None:
    dice = random.Random(1)
    made = line([i * 0.02 + dice.gauss(0, 0.001) for i in range(200)])
    assert made.period == pytest.approx(0.02, rel=0.01)
    assert made.count == 200


def test_pulses_that_are_lost_are_counted() -> None:
    times = [i * 0.02 for i in range(60) if i not in (30, 31)]
    assert line(times).count == 60


def test_one_pulse_that_is_late_changes_nothing() -> None:
    times = [i * 0.02 for i in range(30)]
    times[20] += 0.015
    made = line(times)
    assert made.period == pytest.approx(0.02, rel=1e-6)


def test_a_line_that_is_cleared_keeps_its_period() -> None:
    made = line([i * 0.05 for i in range(30)])
    made.clear()
    made.add(1000.0)
    assert made.period == pytest.approx(0.05)


@given(st.lists(st.floats(0.0, 1.0), max_size=60))
def test_no_pulses_make_a_period_that_no_clock_has(intervals: list[float]) -> None:
    made, time = PulseLine(0.02), 0.0
    for interval in intervals:
        time += interval
        made.add(time)
        assert PERIODS[0] <= made.period <= PERIODS[1]
