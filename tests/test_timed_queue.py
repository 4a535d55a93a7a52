import math
import random

import pytest

from stream_rnn.timed_queue import TimedQueue


def test_by_their_times_and_of_one_time_as_they_came() -> None:
    queue: TimedQueue[tuple[float, int]] = TimedQueue()
    dice, items = random.Random(3), []
    for number in range(500):
        time = float(dice.randrange(20))
        items.append((time, number))
        queue.push(time, (time, number))
    assert len(queue) == 500 and queue.first() == 0.0 and queue.peek() == min(items)
    assert [item for _, item in queue.due(9.0)] == sorted(i for i in items if i[0] <= 9.0)
    assert queue.pop() == (10.0, min(i for i in items if i[0] == 10.0))
    queue.clear()
    assert not queue and queue.first() == math.inf
    with pytest.raises(IndexError):
        queue.pop()


def test_what_is_pushed_while_others_are_taken_has_its_turn() -> None:
    queue: TimedQueue[str] = TimedQueue()
    queue.push(1.0, "a")
    taken = []
    for _, item in queue.due(2.0):
        taken.append(item)
        if item == "a":
            queue.push(1.5, "b")
            queue.push(2.5, "later")
    assert taken == ["a", "b"] and queue.first() == 2.5


def test_for_ever_ends_where_nothing_waits() -> None:
    queue: TimedQueue[str] = TimedQueue()
    assert list(queue.due(math.inf)) == []
    queue.push(3.0, "a")
    assert list(queue.due(math.inf)) == [(3.0, "a")]
