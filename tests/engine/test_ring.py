from __future__ import annotations

import numpy as np

from stream_rnn.engine.ring import Ring


def filled(ring: Ring, slot: int, stop: int) -> None:
    for position in range(stop):
        ring.put(np.array([ring.place(slot, position)]), np.array([position]))


def test_a_ring_holds_the_latest_states_and_says_which() -> None:
    ring = Ring(2, 4)
    filled(ring, 1, 10)
    assert [n for n in range(12) if ring.holds(1, n)] == [6, 7, 8, 9]
    assert not any(ring.holds(0, n) for n in range(12))


def test_going_back_twice_does_not_find_what_the_first_future_overwrote() -> None:
    ring = Ring(1, 4)
    filled(ring, 0, 10)
    ring.forget_after(0, 7)
    assert [n for n in range(12) if ring.holds(0, n)] == [6, 7]
    ring.restart(0, 5)
    assert [n for n in range(12) if ring.holds(0, n)] == [5]
