from __future__ import annotations

import numpy as np

from stream_rnn.engine.rollback import RollbackWindow


def filled(rollback: RollbackWindow, slot: int, stop: int) -> None:
    for position in range(stop):
        rollback.put(np.array([rollback.place(slot, position)]), np.array([position]))


def test_a_rollback_window_holds_the_latest_states_and_says_which() -> None:
    rollback = RollbackWindow(2, 4)
    filled(rollback, 1, 10)
    assert [n for n in range(12) if rollback.holds(1, n)] == [6, 7, 8, 9]
    assert not any(rollback.holds(0, n) for n in range(12))


def test_going_back_twice_does_not_find_what_the_first_future_overwrote() -> None:
    rollback = RollbackWindow(1, 4)
    filled(rollback, 0, 10)
    rollback.forget_after(0, 7)
    assert [n for n in range(12) if rollback.holds(0, n)] == [6, 7]
    rollback.restart(0, 5)
    assert [n for n in range(12) if rollback.holds(0, n)] == [5]
