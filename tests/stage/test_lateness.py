from __future__ import annotations

import itertools
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.stage import lateness
from stream_rnn.stage.lateness import BOUNDS, Lateness

SECONDS = st.one_of(st.floats(-1.0, 2.0), st.sampled_from(BOUNDS))


@pytest.mark.parametrize("at_once", [3, 4096])
@given(late=st.lists(SECONDS, max_size=40))
def test_each_is_counted_within_its_bounds(late: list[float], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lateness, "AT_ONCE", at_once)
        found = Lateness()
        for seconds in late[:20]:
            found.add(seconds)
        assert sum(found.counts) == len(late[:20])  # as when it is asked for now and then
        for seconds in late[20:]:
            found.add(seconds)
        ordered = sorted(late)
        within = list(itertools.accumulate(found.counts))
        assert within == [*(bisect_right(ordered, b) for b in BOUNDS), len(late)]
        assert found.total == pytest.approx(sum(late))
