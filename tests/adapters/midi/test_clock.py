import itertools
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.adapters.midi.clock import ClockFollower, ClockOut
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.wire import midi
from stream_rnn.wire.midi import Reader, Realtime, SongPosition


def period(bpm: float) -> float:
    return 60.0 / bpm / 24


def run(
    follower: ClockFollower, times: list[float], jitter: Callable[[], float] = lambda: 0.0
) -> int:
    """Feeds pulses, each a little late; returns how many tempi were reported."""
    told = 0
    for time in times:
        told += len(follower.hear(Realtime.CLOCK, time + jitter()))
    return told


def pulses(bpm: float, count: int, start: float = 100.0) -> list[float]:
    return [start + i * period(bpm) for i in range(count)]


@pytest.mark.parametrize("bpm", [40.0, 97.0, 120.0, 174.0, 300.0])
def test_a_clean_clock_is_known_after_a_few_pulses_and_told_of_once_a_beat_then(bpm: float) -> None:
    follower = ClockFollower()
    run(follower, pulses(bpm, 12))
    assert follower.tempo is not None
    assert follower.tempo.bpm == pytest.approx(bpm, rel=1e-6)
    assert follower.tempo.time_of(1.0) == pytest.approx(100.0 + 24 * period(bpm))
    assert run(follower, pulses(bpm, 12 + 24 * 10)[12:]) == 10


def test_before_anything_is_known_it_is_the_tempo_that_was_given() -> None:
    follower = ClockFollower(bpm=90.0)
    assert follower.hear(Realtime.CLOCK, 5.0) == [Tempo(pytest.approx(90.0), 0.0, 5.0)]


@pytest.mark.parametrize("sd", [0.0005, 0.001, 0.002])
def test_jitter_moves_neither_tempo_nor_beat_much(sd: float) -> None:
    dice = random.Random(1)
    follower = ClockFollower()
    times = pulses(120.0, 1000)
    bpms, beats = [], []
    for i, time in enumerate(times):
        follower.hear(Realtime.CLOCK, time + abs(dice.gauss(0, sd)))
        if i > 100 and follower.tempo is not None:
            bpms.append(follower.tempo.bpm - 120.0)
            beats.append(follower.tempo.time_of(i / 24) - time - 0.8 * sd)  # its mean lateness
    assert max(map(abs, bpms)) < 1000 * sd
    assert max(map(abs, beats)) < 1.5 * sd + 0.0005


def test_a_pulse_that_was_held_up_is_passed_over() -> None:
    follower = ClockFollower()
    times = pulses(120.0, 300)
    for i in range(60, 300, 20):
        times[i] += 0.015
    run(follower, times)
    assert follower.tempo is not None
    assert follower.tempo.bpm == pytest.approx(120.0, abs=0.05)
    assert follower.tempo.time_of(12.0) == pytest.approx(106.0, abs=0.001)


@pytest.mark.parametrize("bpm", [40.0, 60.0, 80.0, 114.0, 126.0, 200.0, 240.0])
def test_another_tempo_is_followed_within_a_beat(bpm: float) -> None:
    follower = ClockFollower()
    before = pulses(120.0, 97)
    run(follower, before)
    after = pulses(bpm, 25, start=before[-1])[1:]
    run(follower, after)
    assert follower.tempo is not None
    assert follower.tempo.bpm == pytest.approx(bpm, rel=0.02)
    assert follower.tempo.time_of(5.0) == pytest.approx(after[-1], abs=0.003)


TEMPI = [20.0, 30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 400.0]


@pytest.mark.parametrize("before", TEMPI)
@pytest.mark.parametrize("after", TEMPI)
def test_any_jump_is_followed_within_half_a_beat_however_the_clock_trembles(
    before: float, after: float
) -> None:
    dice = random.Random(1)
    follower, last = ClockFollower(), pulses(before, 97)
    run(follower, last, lambda: dice.uniform(0, 0.001))
    changed = pulses(after, 25, start=last[-1])[1:]
    run(follower, changed[:12], lambda: dice.uniform(0, 0.001))
    for i, time in enumerate(changed[12:], 97 + 12):
        follower.hear(Realtime.CLOCK, time + dice.uniform(0, 0.001))
        assert follower.tempo is not None
        assert follower.tempo.bpm == pytest.approx(after, rel=0.06)
        assert follower.tempo.time_of(i / 24) == pytest.approx(time, abs=0.003)


@pytest.mark.parametrize("bpm", TEMPI)
def test_a_first_clock_is_known_after_six_pulses_whatever_was_believed(bpm: float) -> None:
    for believed in (20.0, 120.0, 400.0):
        follower = ClockFollower(believed)
        run(follower, pulses(bpm, 6))
        assert follower.tempo is not None
        assert follower.tempo.bpm == pytest.approx(bpm, rel=1e-6)


@pytest.mark.parametrize("lost", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_pulses_that_are_lost_do_not_lose_the_beat(seed: int, lost: float) -> None:
    dice = random.Random(seed)
    follower = ClockFollower()
    times = pulses(120.0, 24 * 60)
    for i, time in enumerate(times):
        if i < 48 or dice.random() > lost:
            follower.hear(Realtime.CLOCK, time + dice.uniform(0, 0.002))
    assert follower.tempo is not None
    assert follower.tempo.time_of(60.0) == pytest.approx(130.001, abs=0.002)
    assert follower.tempo.bpm == pytest.approx(120.0, abs=0.5)


def test_pulses_that_come_in_bunches_are_each_counted() -> None:
    follower = ClockFollower()
    times = pulses(120.0, 24 * 60)
    for i in range(48, len(times), 40):
        for late in range(i, i + 4):  # four come when the last of them should
            times[late] = times[i + 3]
    run(follower, times)
    assert follower.tempo is not None
    assert follower.tempo.time_of(60.0) == pytest.approx(130.0, abs=0.002)


def test_a_clock_that_begins_anew_on_start_is_followed_from_its_first_pulse() -> None:
    follower = ClockFollower()
    run(follower, pulses(120.0, 100))
    begin = pulses(120.0, 100)[-1] + 0.03
    follower.hear(Realtime.START, begin - 0.002)
    for i, time in enumerate(pulses(120.0, 60, start=begin)):
        follower.hear(Realtime.CLOCK, time)
        assert follower.tempo is not None
        assert follower.tempo.time_of(i / 24) == pytest.approx(time, abs=0.0005)


def test_a_slow_change_is_followed_all_along() -> None:
    follower = ClockFollower()
    time, worst = 100.0, 0.0
    for i in range(24 * 32):
        follower.hear(Realtime.CLOCK, time)
        assert follower.tempo is not None
        if i > 48:
            worst = max(worst, abs(follower.tempo.time_of(i / 24) - time))
        time += period(120.0 + 60.0 * i / (24 * 32))  # 8 bars from 120 to 180
    assert worst < 0.003


def test_start_is_the_next_pulse_and_stop_is_at_once() -> None:
    follower = ClockFollower()
    run(follower, pulses(120.0, 50))
    assert follower.hear(Realtime.START, 101.03) == []
    tempo, began = follower.hear(Realtime.CLOCK, pulses(120.0, 51)[50])
    assert began == "start"
    assert isinstance(tempo, Tempo)
    assert tempo.beat_at(pulses(120.0, 51)[50]) == pytest.approx(0.0, abs=1e-6)
    assert tempo.bpm == pytest.approx(120.0)
    assert follower.hear(Realtime.STOP, 102.0) == ["stop"]


def test_start_of_a_clock_that_was_silent() -> None:
    follower = ClockFollower(bpm=100.0)
    assert follower.hear(Realtime.START, 5.0) == []
    assert follower.hear(Realtime.CLOCK, 5.01) == [Tempo(pytest.approx(100.0), 0.0, 5.01), "start"]


def test_continue_goes_on_where_the_stop_was_though_pulses_came_meanwhile() -> None:
    follower = ClockFollower()
    times = pulses(120.0, 200)
    follower.hear(Realtime.START, 99.99)
    run(follower, times[:36])
    follower.hear(Realtime.STOP, times[36] - 0.001)
    run(follower, times[36:77])
    follower.hear(Realtime.CONTINUE, times[77] - 0.001)
    tempo, began = follower.hear(Realtime.CLOCK, times[77])
    assert began == "continue"
    assert isinstance(tempo, Tempo)
    assert tempo.beat_at(times[77]) == pytest.approx(36 / 24, abs=1e-6)


def test_a_song_position_says_where_it_continues() -> None:
    follower = ClockFollower()
    follower.hear(SongPosition(10), 1.0)
    follower.hear(Realtime.CONTINUE, 1.0)
    tempo, _ = follower.hear(Realtime.CLOCK, 1.1)
    assert isinstance(tempo, Tempo)
    assert tempo.beat == 10 / 4


def test_a_clock_that_was_gone_for_a_while_comes_back_on_the_beat() -> None:
    follower = ClockFollower()
    times = pulses(120.0, 480)
    run(follower, times[:100])
    run(follower, [t + 0.004 for t in times[301:400]])
    assert follower.tempo is not None
    assert follower.tempo.time_of(10.0) == pytest.approx(105.004, abs=0.001)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    Realtime.CLOCK,
                    Realtime.CLOCK,
                    Realtime.CLOCK,
                    Realtime.START,
                    Realtime.STOP,
                    Realtime.CONTINUE,
                ]
            ),
            st.floats(0.0, 0.7),
        ),
        max_size=200,
    )
)
def test_no_clock_however_mad_makes_a_tempo_that_is_none(
    heard: list[tuple[midi.MidiEvent, float]],
) -> None:
    follower, now = ClockFollower(), 0.0
    for event, pause in heard:
        now += pause
        for told in follower.hear(event, now):
            if isinstance(told, Tempo):
                assert told.bpm > 0


# Out


def places(messages: list[tuple[float, bytes]]) -> list[float]:
    """The beat of each pulse in order of time, as a receiver of the messages counts."""
    reader, place, found = Reader(), None, []
    for _, data in sorted(messages, key=lambda m: m[0]):
        for event in reader.feed(data):
            match event:
                case Realtime.START:
                    place = 0.0
                case SongPosition(sixteenths):
                    place = sixteenths / 4
                case Realtime.CLOCK if place is not None:
                    found.append(place)
                    place += 1 / 24
    return found


@pytest.mark.parametrize("per_beat", [1, 2, 3, 4, 6, 8, 12, 24, 48, 5])
def test_pulses_are_the_streams_beat(per_beat: int) -> None:
    clock, sent = ClockOut(per_beat), []
    step = 0.5 / per_beat
    for n in range(8 * per_beat):
        sent += clock.symbol(n, 10.0 + n * step, 10.0 + (n + 1) * step)
    assert sent[0] == (pytest.approx(9.999), midi.START)
    times = [time for time, data in sent if data == midi.CLOCK]
    assert times == pytest.approx([10.0 + 0.5 * i / 24 for i in range(8 * 24)])


def test_a_stream_that_goes_on_tells_where() -> None:
    clock = ClockOut(4)
    sent = clock.symbol(37, 10.0, 10.1)
    assert [data for _, data in sent[:2]] == [midi.song_position(37), midi.CONTINUE]
    assert places(sent)[0] == 37 / 4
    assert [time for time, _ in sent] == sorted(time for time, _ in sent)
    assert clock.stop(10.02) == [(pytest.approx(10.0 + 5 / 6 * 0.1), midi.STOP)]
    assert clock.stop(10.3) == []


def test_what_is_fed_at_once_has_no_pulses_and_what_is_fed_in_time_has() -> None:
    clock = ClockOut(4)
    clock.symbol(0, 10.0, 10.1)
    assert clock.symbol(1, 10.04, 10.1, fed=True) == []
    assert len(clock.symbol(1, 10.1, 10.2, fed=True)) == 6
    sent = clock.symbol(5, 10.2, 10.3)  # after some more that were fed at once
    assert [data for _, data in sent[:3]] == [midi.STOP, midi.song_position(5), midi.CONTINUE]


@given(st.integers(1, 12), st.lists(st.integers(0, 200), min_size=1, max_size=30))
def test_wherever_a_stream_goes_who_receives_it_counts_the_same_beats(
    per_beat: int, starts: list[int]
) -> None:
    clock, due = ClockOut(per_beat), 10.0
    for start in starts:
        sent = []
        for n in range(start, start + 5):
            sent += clock.symbol(n, due, due + 0.1)
            due += 0.1
        reached = places(sent)[-1] if any(d == midi.CLOCK for _, d in sent) else None
        if reached is not None and sent[0][1] != midi.CLOCK:
            assert reached < (start + 5) / per_beat <= reached + 1 / 24 + 1 / per_beat
        clock.stop(due)


def test_pulses_go_on_while_a_stream_is_paused_if_they_shall() -> None:
    clock = ClockOut(4, always=True)
    sent, now = [], 10.0
    while now < 11.0 - 0.02:  # before it plays for the first time
        sent += clock.run_on(now)
        now = clock.next_time()
    for n in range(8):
        sent += clock.symbol(n, 11.0 + n / 8, 11.0 + (n + 1) / 8)
    assert clock.next_time() == math.inf, "it plays"
    sent += clock.stop(11.95)
    clock.bpm = 60.0
    while (now := clock.next_time()) < 14.0 - 0.02:
        sent += clock.run_on(now)
    sent += clock.symbol(8, 14.0, 14.125)
    assert [data for _, data in sent if data != midi.CLOCK] == [
        midi.START, midi.STOP, midi.song_position(8), midi.CONTINUE
    ]  # fmt: skip
    times = [time for time, data in sent if data == midi.CLOCK]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert all(gap > 0 for gap in gaps)
    assert [g for g in gaps if g > period(60.0) * 1.01] == [], "without a break"
    assert sum(g == pytest.approx(period(60.0)) for g in gaps) == pytest.approx(48, abs=1)
    assert sum(g == pytest.approx(period(120.0)) for g in gaps) == pytest.approx(24 * 4 + 5, abs=2)
    start = next(time for time, data in sent if data == midi.START)
    assert min(time for time in times if time > start) == 11.0, "the first after it is the beat"


def test_pulses_that_nobody_asked_for_in_time_are_not_made_up_for() -> None:
    clock = ClockOut(4, always=True)
    clock.run_on(10.0)
    assert len(clock.run_on(15.0)) == 1
