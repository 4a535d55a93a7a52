"""A session whose symbols spell notes keeps the notes' time and reports the notes."""

from __future__ import annotations

import pytest

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.melody import melody
from stream_rnn.sessions.control_log import ControlLog
from stream_rnn.sessions.controls import default_controls
from stream_rnn.sessions.flow import Timing
from stream_rnn.sessions.journal import Committed, Journal
from stream_rnn.sessions.session import Session
from stream_rnn.sound.symbols import SpeltNote
from stream_rnn.stage.events import symbol_event

TUNE = "M:4/4 K:Gmaj G 2 F > A (3 B c d | g 3 - g z | f 2 /2 f".split()
CODEC = AbcCodec(sorted({*TUNE}))
CARD = Card("m", "M", CODEC.to_json(), {}, defaults={"bpm": 120.0})
EIGHTH = 0.25  # seconds


def session() -> Session:
    log = ControlLog(default_controls(CARD, 1), CARD)
    made = Session("s", 1, CARD, CODEC, Timing(), 64, log, Journal(CODEC.width))
    made.start(0.0)
    made.move("play")
    return made


def play(s: Session, tokens: list[str]) -> list[Committed]:
    """What is committed when the engine draws some tokens."""
    first = s.position
    for position, symbol in enumerate(CODEC.encode(tokens), first):
        s.receive(s.generation, position, symbol, 0.0)
    return [s.commit(s.commit_time()) for _ in tokens]


def heard(committed: list[Committed]) -> list[tuple[int | None, float, float]]:
    """(pitch, when, how long in beats)"""
    return [(c.sound.pitch, c.due, c.sound.beats) for c in committed if c.sound]


def test_it_sounds_the_melody_in_its_own_time() -> None:
    now, wanted = 0.06, []
    for pitch, eighths in melody(TUNE)[:-1]:
        wanted.append((pitch, pytest.approx(now), pytest.approx(eighths / 2)))
        now += eighths * EIGHTH
    assert len(wanted) == 9
    assert heard(play(session(), TUNE)) == wanted


def test_a_message_says_the_note_its_seconds_and_where_it_is_written() -> None:
    s = session()
    told = [symbol_event(s, c) for c in play(s, TUNE[:5])]
    assert [e.sounds for e in told] == [[], [], [], [], [SpeltNote(67, 2 * EIGHTH, n=2)]]
    assert [e.text for e in told][2:] == ["G", "2", "F"]
    s.change({"bpm": 60.0}, "now", 0.0)
    assert symbol_event(s, play(s, TUNE[5:7])[1]).sounds == [
        SpeltNote(66, pytest.approx(1.5 * 2 * EIGHTH), n=4)
    ]


def test_what_viewers_are_told_again_is_what_they_were_told() -> None:
    s = session()
    s.feed(CODEC.encode(TUNE[:4]), 0.0)
    live = play(s, TUNE[4:])
    assert heard(live)[0][0] == 66  # the fed G is not heard, but its key is known
    for start in (0, 4, 9, len(TUNE) - 1):
        assert [c for c in s.since(start) if not c.fed] == [c for c in live if c.n >= start]


@pytest.mark.parametrize("to", range(3, len(TUNE)))
def test_after_a_rewind_it_reads_on_from_there(to: int) -> None:
    s = session()
    first = play(s, TUNE)
    s.rewind(to, 100.0)
    assert [c.sound for c in play(s, TUNE[to:])] == [c.sound for c in first[to:]]
    s.reset(200.0)
    assert [c.sound for c in play(s, TUNE)] == [c.sound for c in first]


def test_a_twin_knows_the_key() -> None:
    s = session()
    play(s, TUNE[:4])
    twin = Session("t", 2, CARD, CODEC, Timing(), 64, s.log.copy(4), s.journal.copy(4))
    twin.start(0.0)
    twin.move("play")
    assert heard(play(twin, TUNE[4:6] + ["A"])) == heard(play(s, TUNE[4:6] + ["A"]))
