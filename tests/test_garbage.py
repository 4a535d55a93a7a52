from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from stream_rnn.garbage import BOUNDS, LONG, MIDDLE, MUCH, YOUNG, Garbage


class Node:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    watch = Garbage()
    watch.begin()
    yield watch
    watch.end()


def collections(garbage: Garbage) -> int:
    return sum(garbage.pauses)


def test_new_circles_are_collected_soon(garbage: Garbage) -> None:
    gone = [weakref.ref(Node()) for _ in range(3 * YOUNG)]
    assert sum(ref() is None for ref in gone) > YOUNG


def test_what_stays_is_looked_at_a_few_times_and_never_again(garbage: Garbage) -> None:
    kept = [[i] for i in range(20 * YOUNG * (MIDDLE + 1))]
    assert len(gc.get_objects(2)) < 100
    assert gc.get_freeze_count() > len(kept) - YOUNG * (MIDDLE + 2)
    looks = collections(garbage)
    assert 20 <= looks and garbage.total > 0
    del kept
    gc.collect()
    assert collections(garbage) == looks + 1


def test_frozen_circles_are_collected_when_there_is_time(garbage: Garbage) -> None:
    nodes = [Node() for _ in range(YOUNG)]
    gone = weakref.ref(nodes[0])
    while garbage._frozen < MUCH:
        gc.collect(1)
    nodes.clear()
    garbage.rest(LONG / 2)
    assert gone() is not None
    garbage.rest(LONG)
    assert gone() is None and gc.get_freeze_count() > 0
    looks = collections(garbage)
    garbage.rest(LONG)
    assert collections(garbage) == looks, "not again before much is frozen"


def test_each_pause_is_counted_by_its_length() -> None:
    now = 0.0

    def clock() -> float:
        return now

    garbage = Garbage(clock)
    for length in (0.00005, 0.0001, 0.0015, 9.0):
        garbage._watch("start", {"generation": 0})
        now += length
        garbage._watch("stop", {"generation": 0})
        now += 1.0
    counts = dict(zip((*BOUNDS, "more"), garbage.pauses, strict=True))
    assert {bound: n for bound, n in counts.items() if n} == {0.0001: 2, 0.002: 1, "more": 1}
    assert garbage.total == pytest.approx(9.00165)


def test_at_the_end_all_is_as_before() -> None:
    before = gc.get_threshold(), list(gc.callbacks), gc.get_freeze_count()
    garbage = Garbage()
    garbage.end()
    garbage.begin()
    assert gc.get_threshold()[:2] == (YOUNG, MIDDLE)
    garbage.end()
    assert (gc.get_threshold(), list(gc.callbacks), gc.get_freeze_count()) == before
