"""What `conftest.py` says to Hypothesis holds in the files that are read after it."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "same")
tried: list[int] = []


@given(st.integers())
def test_some_examples_are_tried(number: int) -> None:
    tried.append(number)


def test_as_many_as_the_profile_says_without_a_deadline() -> None:
    profile = settings.get_profile(PROFILE)
    assert profile.deadline is None and profile.derandomize == (PROFILE != "search")
    assert len(tried) in (0, profile.max_examples), "0: where this test runs alone"
