import math

from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.stage.commit_times import CommitTimes

TIMES = st.one_of(st.integers(0, 20).map(float), st.just(math.inf))


@given(st.lists(st.tuples(st.integers(0, 4), TIMES)), st.integers(-1, 21))
def test_the_keys_whose_time_has_come_are_taken_earliest_first(
    changes: list[tuple[int, float]], now: int
) -> None:
    times, latest = CommitTimes(), dict[int, float]()
    for key, when in changes:
        times.set(key, when)
        latest[key] = when
        assert times.first() == min(latest.values())
    due = list(times.due(now))
    assert [latest[key] for key in due] == sorted(t for t in latest.values() if t <= now)
    assert sorted(due) == sorted(key for key, when in latest.items() if when <= now)
    assert times.first() == min((t for t in latest.values() if t > now), default=math.inf)


def test_a_sooner_first_time_wakes_whoever_sleeps_until_it() -> None:
    times, woken = CommitTimes(), list[float]()
    times.on_sooner = lambda: woken.append(times.first())
    times.set(1, 5.0)
    times.set(2, 7.0)
    times.set(1, 6.0)
    assert woken == [math.inf]
    times.set(3, 4.0)
    assert woken == [math.inf, 6.0]
