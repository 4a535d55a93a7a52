from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.sessions import journal as journal_module
from stream_rnn.sessions.journal import APART, SNAPSHOTS, Committed, Journal

symbols = st.lists(st.tuples(st.integers(0, 2**88 - 1), st.floats(0, 1e9), st.booleans()))


@pytest.fixture(scope="module", autouse=True)
def every_state_is_kept() -> Iterator[None]:
    """As if all came from positions that are multiples of `APART`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "APART", 1)
        yield


def filled(count: int, *, limit: int = 1000) -> Journal:
    journal = Journal(4, limit)
    for n in range(count):
        journal.append(n, n / 10, fed=n % 2 == 0)
    return journal


@given(symbols)
def test_what_is_committed_is_read_back(entries: list[tuple[int, float, bool]]) -> None:
    journal = Journal(11)
    for symbol, due, fed in entries:
        journal.append(symbol, due, fed=fed)
    assert journal.position == len(entries)
    expected = [Committed(n, s, due, fed) for n, (s, due, fed) in enumerate(entries)]
    assert list(journal.since(0)) == expected
    whole = b"".join(s.to_bytes(11, "little") for s, _, _ in entries)
    assert journal.packed(0, len(entries)) == whole


def test_a_position_that_is_not_there_is_an_index_error() -> None:
    journal = filled(3)
    assert journal[2] == Committed(2, 2, 0.2, True)
    for n in (-1, 3):
        with pytest.raises(IndexError):
            journal[n]


def test_reading_goes_on_while_symbols_are_added_and_stops_at_the_end() -> None:
    journal = filled(2)
    reading = journal.since(1)
    assert next(reading).n == 1
    journal.append(7, 0.0, fed=False)
    assert [c.symbol for c in reading] == [7]
    assert list(journal.since(99)) == []


@given(st.integers(1, 40), st.integers(0, 200))
def test_the_oldest_are_let_go_but_never_more_than_the_limit_allows(limit: int, count: int) -> None:
    journal = filled(count, limit=limit)
    kept = [c.n for c in journal.since(journal.first)]
    assert kept == list(range(journal.first, count))
    assert min(count, limit) <= len(kept) <= limit + limit // 4
    assert journal.packed(journal.first, count) == b"".join(n.to_bytes(4, "little") for n in kept)


def test_truncating_forgets_symbols_and_states_from_there_on() -> None:
    journal = filled(10)
    for n in (3, 6, 9):
        journal.keep_snapshot(n, b"%d" % n)
    journal.truncate(6)
    assert journal.position == 6
    assert journal.snapshot_before(99) == (6, b"6")
    journal.append(66, 9.9, fed=False)
    assert journal[6] == Committed(6, 66, 9.9, False)


def test_a_copy_shares_the_past_and_nothing_else() -> None:
    journal = filled(10)
    journal.keep_snapshot(4, b"4")
    journal.keep_snapshot(8, b"8")
    twin = journal.copy(5)
    twin.append(99, 0.0, fed=False)
    twin.keep_snapshot(6, b"6")
    assert [c.symbol for c in twin.since(0)] == [0, 1, 2, 3, 4, 99]
    assert twin.snapshot_before(9) == (6, b"6")
    assert journal.position == 10
    assert journal.snapshot_before(7) == (4, b"4")


def test_the_latest_state_at_or_before_a_position_is_found() -> None:
    journal = filled(20)
    assert journal.snapshot_before(20) is None
    for n in (5, 10):
        journal.keep_snapshot(n, b"%d" % n)
    journal.keep_snapshot(7, b"late")  # not newer, so not needed
    found = [journal.snapshot_before(n) for n in (4, 5, 9, 10, 20)]
    assert found == [None, (5, b"5"), (5, b"5"), (10, b"10"), (10, b"10")]


def test_states_are_thinned_out_with_age_so_that_one_is_near_wherever_one_goes_back_to() -> None:
    journal, newest = filled(1), 30 * SNAPSHOTS
    for n in range(1, newest + 1):
        journal.keep_snapshot(n, b"")
    kept = sorted({s[0] for n in range(newest + 1) if (s := journal.snapshot_before(n))})
    assert len(kept) == SNAPSHOTS
    assert (kept[0], kept[-1]) == (1, newest)
    for before, after in pairwise(kept):
        assert after - before <= 1 + (newest - before) / 4


def test_one_can_go_back_to_the_beginning_until_that_is_let_go() -> None:
    journal = Journal(1, limit=8)
    for n in range(10):
        journal.append(0, 0.0, fed=False)
        journal.keep_snapshot(n + 1, b"%d" % n)
    assert journal.earliest() == 0
    journal.append(0, 0.0, fed=False)  # the eleventh: beyond 8 + 8 // 4
    assert journal.first == 3
    # The symbol before a state must be there too, since the network reads it.
    assert journal.earliest() == 4
    assert journal.packed(journal.earliest() - 1, journal.earliest()) == b"\0"


def test_a_velocity_is_kept_with_each_symbol_until_another_is_set() -> None:
    journal = Journal(1, limit=8)
    for n in range(8):
        journal.append(n, 0.0, fed=False, velocity={2: 30, 5: 90}.get(n))
    assert [c.velocity for c in journal.since(0)] == [0, 0, 30, 30, 30, 90, 90, 90]
    twin = journal.copy(5)
    journal.truncate(2)
    assert (journal.velocity, twin.velocity) == (0, 30)
    for _ in range(6):
        twin.append(0, 0.0, fed=True)
    assert twin.first == 3 and [c.velocity for c in twin.since(3)] == [30] * 8


@pytest.mark.parametrize("most", [1, 2, 5])
def test_of_few_states_the_newest_is_one(most: int) -> None:
    journal = filled(20)
    for n in range(1, 20):
        journal.keep_snapshot(n, b"%05d" % n)
    journal.thin_states(most)
    assert (journal.states, journal.states_size) == (most, 5 * most)
    assert journal.snapshot_before(20) == (19, b"00019")


def test_what_is_shortened_can_still_be_gone_on_with() -> None:
    journal = filled(100)
    journal.shorten(10)
    assert journal.first == 0  # without a state nothing can be let go
    journal.keep_snapshot(60, b"60")
    journal.shorten(10)
    assert (journal.first, journal.position, journal.earliest()) == (59, 100, 60)
    journal.keep_snapshot(98, b"98")
    journal.shorten(10)
    assert (journal.first, journal[99].symbol, journal.packed(97, 98)) == (90, 99, b"a\0\0\0")


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 255), st.sampled_from([None, 0, 30, 90])))),
    st.integers(4, 50),
)
def test_many_at_once_are_the_same_as_one_by_one(
    feeds: list[list[tuple[int, int | None]]], limit: int
) -> None:
    single, many = Journal(2, limit), Journal(2, limit)
    for number, feed in enumerate(feeds):
        for symbol, velocity in feed:
            single.append(symbol, float(number), fed=True, velocity=velocity)
        many.extend([symbol for symbol, _ in feed], float(number), [loud for _, loud in feed])
    assert single.position == many.position
    start = max(single.first, many.first)
    assert list(many.since(start)) == list(single.since(start))
    assert len(many) <= limit + limit // 4


def test_of_states_that_come_often_the_newest_is_kept_and_one_in_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal_module, "APART", APART)
    journal = filled(1000)
    for n in range(64, 900, 64):
        journal.keep_snapshot(n, b"%d" % n)
        assert journal.snapshot_before(1000) == (n, b"%d" % n)
    journal.keep_snapshot(900, b"900")
    assert [journal.snapshot_before(n) for n in (255, 511, 767, 899)] == [
        None, (256, b"256"), (512, b"512"), (768, b"768"),
    ]  # fmt: skip
