from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions import control_log
from stream_rnn.sessions.control_log import ControlLog
from stream_rnn.sessions.controls import default_controls, merge_controls

CARD = Card("m", "M", TextCodec("ab").to_json(), {})
START = default_controls(CARD, 1)

changes = st.one_of(
    st.fixed_dictionaries({"temperature": st.integers(0, 9)}),
    st.fixed_dictionaries({"rate": st.integers(1, 9)}),
    st.fixed_dictionaries({"bpm": st.integers(15, 90)}),
    st.fixed_dictionaries({"top_k": st.integers(0, 9), "seed": st.integers(0, 9)}),
)
entries = st.lists(st.tuples(st.integers(0, 12), changes), max_size=12)


@given(entries, st.integers(0, 13))
def test_what_is_in_force_is_every_change_up_to_there_whatever_order_they_came_in(
    entries: list[tuple[int, dict[str, Any]]], position: int
) -> None:
    log = ControlLog(START, CARD)
    for where, change in entries:
        assert log.add(where, change) == log.at(where)
    expected = START
    for where, change in sorted(entries, key=lambda e: e[0]):
        if where <= position:
            expected = merge_controls(expected, change, CARD)
    assert log.at(position) == expected


def test_a_tempo_asked_for_twice_at_one_bar_is_the_later_one() -> None:
    log = ControlLog(START, CARD)
    log.add(16, {"rate": 10})
    log.add(16, {"bpm": 60})
    log.add(3, {"temperature": 0.5})  # replays what comes later
    assert (log.at(16).rate, log.at(16).bpm, log.at(16).temperature) == (4.0, 60.0, 0.5)


def test_a_bad_change_leaves_the_log_as_it_was() -> None:
    log = ControlLog(START, CARD)
    log.add(5, {"temperature": 2})
    before = log.schedule(0)
    for where in (3, 5, 9):
        with pytest.raises(ProtocolError):
            log.add(where, {"top_k": 3, "temperature": -1})
    assert log.schedule(0) == before


def test_a_schedule_is_what_holds_now_and_what_comes_after() -> None:
    log = ControlLog(START, CARD)
    log.add(4, {"temperature": 4})
    log.add(8, {"temperature": 8})
    assert [(n, c.temperature) for n, c in log.schedule(6)] == [(6, 4.0), (8, 8.0)]
    assert [(n, c.temperature) for n, c in log.schedule(8)] == [(8, 8.0)]


def test_truncating_forgets_what_comes_after_and_copying_leaves_the_original() -> None:
    log = ControlLog(START, CARD)
    log.add(4, {"temperature": 4})
    log.add(8, {"temperature": 8})
    twin = log.copy(7)
    twin.add(5, {"top_k": 5})
    assert twin.at(99).temperature == 4
    assert log.at(99) == log.at(8)
    assert log.at(8).top_k == 0
    log.truncate(4)
    assert log.at(99).temperature == 4
    log.truncate(3)
    assert log.at(99) == START


def test_the_oldest_changes_are_let_go_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_log, "LIMIT", 10)
    log = ControlLog(START, CARD)
    for n in range(1, 30):
        log.add(n, {"seed": n})
    assert log.first == 20
    assert [log.at(n).seed for n in range(20, 30)] == list(range(20, 30))


BLENDED = Card(
    "m", "M", TextCodec("ab").to_json(), {}, artists=tuple(f"artist {n}" for n in range(100))
)


def blend(n: int) -> dict[str, float]:
    return {artist: 1.0 + i / n for i, artist in enumerate(BLENDED.artists)}


def test_blends_of_many_artists_have_a_bound_by_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_log, "MOST", 300_000)
    monkeypatch.setattr(control_log, "FEW", 20)
    log = ControlLog(default_controls(BLENDED, 1), BLENDED)
    for n in range(1, 200):
        log.add(n, {"artist": blend(n)})
    assert 40 < len(log) < 70 and log.size <= 300_000
    log.shorten(0)
    assert len(log) == 20 and log.at(199).artist == log.at(999).artist


@given(entries, st.integers(0, 13))
def test_the_size_is_that_of_all_entries(
    entries: list[tuple[int, dict[str, Any]]], position: int
) -> None:
    log = ControlLog(START, CARD)
    for where, change in entries:
        log.change(where, change, min(where, position))
    for one in (log, log.copy(position)):
        assert one.size == control_log.ENTRY * len(one)
    log.forget(position)
    assert log.size == control_log.ENTRY * len(log)
    log.truncate(position)
    assert log.size == control_log.ENTRY * len(log)


def test_what_was_said_at_length_is_kept_as_it_was_understood() -> None:
    log = ControlLog(default_controls(BLENDED, 1), BLENDED)
    log.add(3, {"artist": "artist 7"})
    log.add(5, {"artist": {**dict.fromkeys(BLENDED.artists, 0), "artist 8": 3}})
    assert [entry.changes for entry in log.after(0)] == [
        {"artist": {"artist 7": 1.0}}, {"artist": {"artist 8": 1.0}},
    ]  # fmt: skip


@given(st.dictionaries(st.sampled_from(BLENDED.artists), st.floats(0.1, 9), min_size=1))
def test_a_blend_said_again_as_it_is_told_is_the_same(weights: dict[str, float]) -> None:
    once = merge_controls(default_controls(BLENDED, 1), {"artist": weights}, BLENDED)
    assert merge_controls(once, {"artist": once.artist}, BLENDED) == once
