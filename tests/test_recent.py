from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.recent import Recent


@given(st.lists(st.tuples(st.integers(0, 9), st.integers())), st.integers(1, 5))
def test_the_entries_set_last_are_kept_in_their_order(
    entries: list[tuple[int, int]], most: int
) -> None:
    recent: Recent[int, int] = Recent(most)
    for key, value in entries:
        recent[key] = value
    last = {key: place for place, (key, _) in enumerate(entries)}
    kept = sorted(last, key=last.__getitem__)[-most:]
    assert list(recent.items()) == [(key, entries[last[key]][1]) for key in kept]
