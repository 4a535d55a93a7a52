from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.bench.matching import PATIENCE, align

DUE = [1.0, 1.125, 1.5, 4.0]


def test_each_in_its_turn() -> None:
    came = [1.001, 1.126, 1.501, 4.001]
    assert align(DUE, came) == list(zip(DUE, came, strict=True))
    # The machine stood still: a note came after the next one was due, and is still the same note.
    came = [1.3, 1.3, 1.6, 4.0]
    assert align(DUE, came) == list(zip(DUE, came, strict=True))


@pytest.mark.parametrize("lost", range(4))
def test_one_that_was_lost_is_not_taken_for_its_neighbour(lost: int) -> None:
    came = [moment + 0.001 for moment in DUE]
    expected: list[tuple[float, float | None]] = list(zip(DUE, came, strict=True))
    expected[lost] = DUE[lost], None
    assert align(DUE, came[:lost] + came[lost + 1 :]) == expected


def test_one_that_nobody_sent() -> None:
    came = [1.001, 1.126, 1.501, 2.7, 4.001]
    assert (None, 2.7) in align(DUE, came) and len(align(DUE, came)) == 5
    # As many came as were due, but one was lost and another was unexpected.
    assert set(align([1.0, 2.0], [1.0, 3.5])) == {(1.0, 1.0), (2.0, None), (None, 3.5)}
    assert align([], [1.0]) == [(None, 1.0)]


moments = st.lists(st.floats(0, 20, allow_nan=False), max_size=12).map(sorted)


@given(moments, moments)
def test_nothing_is_forgotten_or_told_twice(due: list[float], came: list[float]) -> None:
    pairs = align(due, came)
    assert [d for d, _ in pairs if d is not None] == due
    assert [c for _, c in pairs if c is not None] == came
    assert all(abs(c - d) <= PATIENCE for d, c in pairs if None not in (d, c))  # type: ignore[operator]
