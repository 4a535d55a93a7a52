"""What a store is given of a session, and what comes of it."""

import pytest
from support import make_text_model

from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.control_log import ControlLog
from stream_rnn.sessions.controls import default_controls
from stream_rnn.sessions.epochs import LEAP, Epochs
from stream_rnn.sessions.flow import Timing
from stream_rnn.sessions.journal import Journal
from stream_rnn.sessions.notes import (
    BLOCK,
    Mark,
    Record,
    Removed,
    frame,
    note_bytes,
    notes_in,
    unframe,
)
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.sessions.store import Kept, Noted


@pytest.fixture
def session(tmp_path):  # type: ignore[no-untyped-def]
    card = make_text_model(tmp_path / "verse")
    codec = card.make_codec()
    log = ControlLog(default_controls(card, 1), card)
    return Session("s", 1, card, codec, Timing(), 32, log, Journal(codec.width))


def kept_of(*records: Record) -> Kept:
    """What a store has after some records, of one session, by the rules of `Record`."""
    lines, blocks, states = {}, {}, {}
    for record in records:
        lines = {p: v for p, v in lines.items() if record.head.log_first <= p < record.low}
        blocks = {p: v for p, v in blocks.items() if p < record.cut}
        states = {p: v for p, v in states.items() if p not in record.gone}
        lines |= {line.position: line for line in record.lines}
        blocks |= {block.position: block for block in record.blocks}
        states |= dict(record.states)
    head = records[-1].head
    return Kept(7, head, list(lines.values()), list(blocks.values()), states)


def assert_same(kept: Kept, session: Session) -> None:
    assert kept.fault() is None
    journal = kept.journal(Journal(session.codec.width), 0.0)
    assert list(journal.since(journal.first)) == list(session.journal.since(session.journal.first))
    assert (journal.first, journal.position) == (session.journal.first, session.position)
    assert kept.log(session.card).since(0) == session.log.since(0)
    assert kept.epochs().parts == session.epochs.parts


def play(session: Session, count: int) -> None:
    """Commits symbols."""
    for _ in range(count):
        session.receive(session.generation, session.position + session.computed, 1, 0.0)
        session.commit(0.0)


def test_a_record_holds_only_what_has_changed(session: Session) -> None:
    noted = Noted(7)
    play(session, 3 * BLOCK)
    records = [noted.record(session, 1)]
    assert records[0].whole and len(records[0].blocks) == 3 and not noted.behind(session)
    play(session, 5)
    session.change({"temperature": 0.5}, "now", 0.0)
    assert noted.behind(session)
    records.append(noted.record(session, 1))
    assert not records[1].whole and len(records[1].blocks) == len(records[1].lines) == 1
    assert_same(kept_of(*records), session)


def test_the_past_that_a_rewind_gives_up_goes_from_the_store_too(session: Session) -> None:
    noted, records = Noted(7), []
    play(session, 100)
    session.change({"temperature": 0.5}, "now", 0.0)
    play(session, 100)
    session.journal.keep_snapshot(150, b"old")
    records.append(noted.record(session, 1))
    session.rewind(90, 0.0)
    play(session, 150)  # beyond where it was, and in another past
    session.journal.keep_snapshot(150, b"new")
    records.append(noted.record(session, 1))
    kept = kept_of(*records)
    assert_same(kept, session)
    assert kept.states == {150: b"new"} and len(kept.lines) == 1
    session.reset(0.0)
    records.append(noted.record(session, 1))
    assert_same(kept_of(*records), session)
    assert kept_of(*records).states == {}


def test_a_past_that_lost_its_beginning(session: Session) -> None:
    noted = Noted(7)
    play(session, 200)
    session.journal.keep_snapshot(150, b"state")
    records = [noted.record(session, 1)]
    session.journal.shorten(60)
    assert noted.behind(session) and session.journal.first == 140
    records.append(noted.record(session, 1))
    assert_same(kept_of(*records), session)


def test_what_is_missing_is_noticed(session: Session) -> None:
    play(session, 200)
    session.change({"temperature": 0.5}, "now", 0.0)
    record = Noted(7).record(session, 1)
    for part in ("blocks", "lines"):
        kept = kept_of(record)
        assert kept.fault() is None
        getattr(kept, part).pop(0)
        assert "missing" in (kept.fault() or "")


def test_where_later_changes_are_lost_another_past_begins(session: Session) -> None:
    play(session, 50)
    session.rewind(20, 0.0)
    play(session, 30)
    kept = kept_of(Noted(7).record(session, 1))
    kept.newest = 2
    assert kept.unsure and kept.noted().whole and kept.noted().seq == 2
    epochs = kept.epochs()
    assert epochs.now == 1 + LEAP
    assert epochs.parting(0) == 20 and epochs.parting(1) == 50
    assert epochs.parting(2) == epochs.parting(LEAP) == 0  # they may have parted anywhere
    again = Epochs.of(epochs.now, *epochs.parts)
    assert again.parting(2) == 0 and again.parting(1) == 50


def test_it_remembers_what_it_was_doing(session: Session) -> None:
    session.move("play")
    noted = Noted(7)
    kept = kept_of(noted.record(session, 1))
    assert kept.status is Status.PLAYING and not kept.noted().behind(session)
    session.move("lose_engine")
    assert not noted.behind(session)  # it would play
    session.move("pause")
    assert noted.behind(session) and kept_of(noted.record(session, 1)).status is Status.PAUSED


def test_while_it_catches_up_symbols_are_wanted_at_once_and_time_begins_after(
    session: Session,
) -> None:
    session.heard = 5
    assert session.catches_up and session.credit(10.0).due == 10.0
    for n in range(6):
        session.receive(session.generation, n, 1, 10.0)
    assert session.commit_time() < 0
    for _ in range(5):
        session.commit(10.0)
    assert not session.catches_up and session.commit_time() == float("inf")
    session.move("play")
    assert 10.0 < session.commit_time() < 10.1
    with pytest.raises(ProtocolError):
        session.rewind(6, 10.0)


def test_notes_there_and_back_and_cut_anywhere(session: Session) -> None:
    play(session, 70)
    session.change({"artist": session.card.artists[0], "top_k": 3}, "bar", 0.0)
    notes = [Noted(7).record(session, 1), Mark(7, 1, 0, 71), Removed(7)]
    data = b"".join(map(note_bytes, notes))
    assert list(notes_in(data)) == notes
    ends = [len(b"".join(map(note_bytes, notes[:n]))) for n in range(4)]
    for cut in range(len(data)):
        assert list(notes_in(data[:cut])) == notes[: sum(end <= cut for end in ends) - 1]
    assert list(notes_in(b"\0" * 64)) == []  # what a power cut may leave


def test_a_frame_that_is_damaged_is_none() -> None:
    assert unframe(frame(b"abc")) == b"abc"
    for at in range(len(frame(b"abc"))):
        bad = bytearray(frame(b"abc"))
        bad[at] ^= 1
        assert unframe(bytes(bad)) is None
