"""A timeline's promises, whatever the beat that it follows may do."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.performance import SHIFT, VELOCITY, PerformanceCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.sessions.timeline import MAX_AT_ONCE, Pace, Timeline

AHEAD = 0.02
PER_BEAT = 4
BAR = 16
TEMPO = Tempo(120.0, 0.0, 100.0)  # a step is 125 ms


def advance(line: Timeline, position: int, tempo: Tempo | None, rate: float = 10.0) -> float:
    """Commits the symbol at `position - 1`; returns its due time."""
    due = line.next_due
    line.advance(due, 1.0, position, rate=rate, tempo=tempo)
    return due


@pytest.mark.parametrize(("position", "beat"), [(0, 4.0), (1, 0.25), (5, 1.25), (15, 3.75)])
def test_a_start_waits_for_the_place_in_the_bar(position: int, beat: float) -> None:
    line = Timeline(PER_BEAT, AHEAD)
    line.start(100.01, position, TEMPO)
    assert line.next_due == pytest.approx(TEMPO.time_of(beat))


def test_a_steady_beat_is_played_step_by_step() -> None:
    line = Timeline(PER_BEAT, AHEAD)
    line.start(100.01, 0, TEMPO)
    dues = [advance(line, n, TEMPO) for n in range(1, 50)]
    assert dues == pytest.approx([TEMPO.time_of(4 + n / 4) for n in range(49)])


def test_what_was_fed_moves_the_stream_to_its_place_in_the_beat() -> None:
    line = Timeline(PER_BEAT, AHEAD)
    line.start(100.01, 0, TEMPO)
    assert advance(line, 1, TEMPO) == pytest.approx(TEMPO.time_of(4))
    line.skip(1 + 6, TEMPO)  # the second symbol of a beat has become the fourth
    assert line.next_due == pytest.approx(TEMPO.time_of(4.75))


def test_a_new_tempo_moves_the_next_symbol_at_once() -> None:
    line = Timeline(PER_BEAT, AHEAD)
    line.start(100.01, 0, TEMPO)
    for n in range(1, 5):
        last = advance(line, n, TEMPO)
    now = last + 0.01
    faster = Tempo(180.0, TEMPO.beat_at(now), now)
    line.retime(now, 4, rate=10.0, tempo=faster)
    assert line.next_due == pytest.approx(now + 0.115 * 120 / 180)
    slower = Tempo(60.0, TEMPO.beat_at(now), now)
    line.retime(now, 4, rate=10.0, tempo=slower)
    assert line.next_due == pytest.approx(now + 0.115 * 2)


def test_many_small_changes_never_put_a_symbol_off() -> None:
    line = Timeline(PER_BEAT, AHEAD)
    line.start(100.01, 0, TEMPO)
    for n in range(1, 5):
        last = advance(line, n, TEMPO)
    due = line.next_due
    for i in range(300):  # a jittering clock, and an engine that is 200 ms late
        now = last + i / 1000
        line.retime(now, 4, rate=10.0, tempo=Tempo(120.0, 0.0, 100.0 + 0.001 * (-1) ** i))
        assert line.next_due == pytest.approx(due, abs=0.0011)


def test_a_beat_that_jumps_is_joined_within_a_beat_and_not_too_soon() -> None:
    for jump in (-1000.0, -0.6, -0.3, 0.3, 0.9, 2.0, 1e6):
        line = Timeline(PER_BEAT, AHEAD)
        line.start(100.01, 0, TEMPO)
        for n in range(1, 6):
            last = advance(line, n, TEMPO)
        jumped = Tempo(120.0, jump, 100.0)
        line.retime(last + 0.01, 5, rate=10.0, tempo=jumped)
        step = jumped.beat_at(line.next_due) * PER_BEAT
        assert step == pytest.approx(round(step), abs=0.51)  # late by half a step at most
        assert last + 0.0624 <= line.next_due <= last + 0.0625 + 0.5 + 1e-6
        following = [advance(line, n, jumped) for n in range(6, 9)]
        for n, due in enumerate(following[1:], 6):
            assert math.remainder(jumped.beat_at(due) * PER_BEAT - n, PER_BEAT) == pytest.approx(
                0, abs=1e-3
            )


def test_a_beat_that_begins_now_is_joined_though_it_be_late() -> None:
    line = Timeline(PER_BEAT, AHEAD)
    begun = Tempo(120.0, 0.0, 100.0)
    line.cue(100.001, 0, begun)
    assert line.next_due == pytest.approx(100.021)
    advance(line, 1, begun)
    assert line.next_due == pytest.approx(100.125)
    line.cue(99.99, 0, begun)
    assert line.next_due == pytest.approx(102.0)  # the bar's beginning is taken already


def test_without_a_beat_it_keeps_its_own_time_again() -> None:
    line = Timeline(PER_BEAT, AHEAD)
    line.start(100.01, 0, TEMPO)
    last = advance(line, 1, TEMPO)
    line.retime(last, 1, rate=10.0, tempo=None)
    assert line.next_due == pytest.approx(last + 0.1)
    assert [advance(line, n, None) for n in (2, 3)] == pytest.approx([last + 0.1, last + 0.2])
    last = advance(line, 4, TEMPO)  # a beat again, from some position on
    assert TEMPO.beat_at(line.next_due) % 4 == pytest.approx(1.0)  # position 4 of a bar


moves = st.one_of(
    st.tuples(st.just("tempo"), st.floats(20, 400)),  # the beat flows on
    st.tuples(st.just("jump"), st.floats(-40, 40)),
    st.tuples(st.just("wait"), st.floats(0, 0.3)),
    st.tuples(st.just("feed"), st.integers(1, 40)),
    st.tuples(st.just("commit"), st.integers(1, 20)),
    st.tuples(st.just("late"), st.floats(0, 0.2)),
    st.tuples(st.just("cue"), st.just(0)),
    st.tuples(st.just("free"), st.just(0)),
)


@given(st.lists(moves, max_size=40), st.integers(1, 8))
def test_whatever_happens_symbols_come_one_by_one_and_in_the_end_in_phase(
    happenings: list[tuple[str, float]], per_beat: int
) -> None:
    now, position = 100.0, 0
    tempo = TEMPO
    slowest = TEMPO.interval(per_beat)
    line = Timeline(per_beat, AHEAD)
    line.start(now + 0.06, position, tempo)
    dues: list[float] = []

    def commit(late: float = 0.0) -> None:
        nonlocal now, position
        now = max(now, line.next_due - AHEAD + late)
        position += 1
        dues.append(advance(line, position, tempo))

    for kind, value in happenings:
        before = line.next_due
        match kind:
            case "tempo":
                tempo = Tempo(value, tempo.beat_at(now), now)
                slowest = max(slowest, tempo.interval(per_beat))
                line.retime(now, position, rate=10.0, tempo=tempo)
                assert line.next_due >= min(before, now + AHEAD)
            case "jump":
                tempo = Tempo(tempo.bpm, tempo.beat + value, tempo.at)
                line.retime(now, position, rate=10.0, tempo=tempo)
                assert line.next_due >= min(before, now + AHEAD)
            case "wait":
                now = min(now + value, line.next_due - AHEAD)
            case "feed":
                position += int(value)
                line.skip(position, tempo)
            case "commit":
                for _ in range(int(value)):
                    commit()
            case "late":
                commit(value)
            case "cue":
                tempo = Tempo(tempo.bpm, 0.0, now)
                line.cue(now, position, tempo)
            case "free":
                line.retime(now, position, rate=10.0, tempo=None)
                line.retime(now, position, rate=10.0, tempo=tempo)
        assert line.next_due <= max(now, before) + slowest * per_beat * 4.51 + AHEAD + 1e-6
    settled = [(position, line.next_due)]
    for _ in range(8):
        commit()
        settled.append((position, line.next_due))
    assert all(b - a > 0.0 for a, b in pairwise(dues))
    for n, due in settled[1:]:
        step = tempo.beat_at(due) * per_beat
        assert step == pytest.approx(round(step), abs=1e-4)
        assert (round(step) - n) % per_beat == 0


def test_events_last_as_long_as_they_say_at_the_models_own_rate() -> None:
    pace = Pace(PerformanceCodec(), speed=20.0)
    assert pace.own
    assert pace.steps(SHIFT + 49) == pytest.approx(0.5 * 20)
    assert pace.steps(1) == pace.steps(VELOCITY) == 0.0
    assert not Pace(TextCodec("abc"), 20.0).own
    assert Pace(TextCodec("abc"), 20.0).steps(2) == 1.0


def test_a_stream_in_which_no_time_passes_is_made_to_wait_now_and_then() -> None:
    pace = Pace(PerformanceCodec(), speed=20.0)
    lasted = [pace.pass_on(1) for _ in range(3 * MAX_AT_ONCE)]
    assert sum(lasted) == 3.0
    assert math.isclose(pace.pass_on(SHIFT), 0.2)
