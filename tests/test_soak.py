"""The soak's arithmetic."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from tests.soak import HEAD, Line, shown, slope, verdict


def test_a_slope_and_its_error() -> None:
    steep, error = slope([(x, 3.0 + 2.0 * x) for x in range(10)])
    assert steep == pytest.approx(2.0) and error == pytest.approx(0.0, abs=1e-9)
    steep, error = slope([(0, 0.0), (1, 1.0), (2, 0.0), (3, 1.0)])
    assert (steep, error) == (pytest.approx(0.2), pytest.approx(math.sqrt(0.8 / 2 / 5)))
    assert math.isnan(slope([(1, 1.0)])[0]) and math.isnan(slope([(1, 1.0), (2, 2.0)])[1])


def lines(grows: float) -> list[Line]:
    """An hour in which the gateway grows, by so many megabytes a minute, after a start."""
    return [
        Line(m, 60.0 + min(m, 10) + grows * max(0, m - 10), 300.0, Counter(playing=3), Counter())
        for m in range(1, 61)
    ]


def test_what_is_said_of_an_hour_leaves_out_its_beginning() -> None:
    assert "gateway: +0.00 ± 0.00 MB an hour" in verdict(lines(0.0), 10)
    assert "gateway: +30.00 ± 0.00 MB an hour from minute 11.0 to 60.0" in verdict(lines(0.5), 10)
    assert "gateway: +0.00" not in verdict(lines(0.0), 0)
    assert "no slope" in verdict(lines(0.0), 59)


def test_a_line_stands_under_its_head() -> None:
    assert len(shown(lines(0.0)[0])) == len(HEAD)
