import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.engine.schedule import Choice, choose

NEAR, COLLECT, BATCH = 0.04, 0.012, 4


def ask(deadlines: list[float], *, now: float, since: float = 0.0) -> Choice:
    ready = np.arange(len(deadlines)) + 10
    return choose(
        ready,
        np.array(deadlines),
        now=now,
        since=since,
        batch=BATCH,
        margin=NEAR,
        batch_window=COLLECT,
    )


def test_without_work_it_sleeps_until_a_command_comes() -> None:
    assert ask([], now=1.0).wake == math.inf


def test_while_no_deadline_is_near_work_may_collect() -> None:
    choice = ask([9.0, 8.0], now=5.0, since=4.999)
    assert not len(choice.slots)
    assert choice.wake == 4.999 + COLLECT
    assert ask([9.0, 8.0], now=choice.wake, since=4.999).slots.tolist() == [10, 11]


def test_near_a_deadline_it_steps_at_once() -> None:
    choice = ask([9.0, 5.045], now=5.0, since=5.0)
    assert (len(choice.slots), choice.wake) == (0, 5.045 - NEAR)
    choice = ask([9.0, 5.03], now=5.0, since=5.0)
    assert (choice.slots.tolist(), choice.deadline, choice.gathering) == ([11], 5.03, True)


def test_what_has_collected_long_enough_goes_along() -> None:
    assert ask([9.0, 5.03], now=5.0, since=5.0 - COLLECT).slots.tolist() == [10, 11]


def test_a_full_tile_does_not_wait() -> None:
    assert ask([9.0] * BATCH, now=0.0).slots.tolist() == [10, 11, 12, 13]


def test_of_more_than_a_tile_the_most_urgent_go_and_the_lower_slot_first() -> None:
    choice = ask([5.0, 3.0, 5.0, 1.0, 5.0, 5.0], now=0.0)
    assert choice.slots.tolist() == [13, 11, 10, 12]
    assert choice.deadline == 1.0


def test_a_step_that_is_owed_goes_at_once_and_alone() -> None:
    assert ask([5.0, -math.inf], now=0.0, since=0.0).slots.tolist() == [11]


@given(st.lists(st.floats(0, 20), max_size=9), st.floats(0, 20), st.floats(0, 20))
def test_a_choice_is_work_or_a_time_to_ask_again_at_which_there_is_work(
    deadlines: list[float], now: float, since: float
) -> None:
    choice = ask(deadlines, now=now, since=since)
    assert len(choice.slots) <= BATCH and choice.deadline == min(deadlines, default=math.inf)
    left = [d for slot, d in enumerate(deadlines, 10) if slot not in choice.slots]
    if len(choice.slots) < min(BATCH, len(deadlines)):
        assert all(d - NEAR > now for d in left), "a slot near its deadline does not wait"
    if not len(choice.slots) and deadlines:
        assert now < choice.wake <= min(since + COLLECT, min(deadlines) - NEAR)
        assert len(ask(deadlines, now=choice.wake, since=since).slots)
