from __future__ import annotations

from stream_rnn.errors import ProtocolError
from stream_rnn.sound.voice import Note
from stream_rnn.wire import events, osc
from stream_rnn.wire.osc_answers import answers, note_messages, session_messages


def test_answers_name_control_value_and_position() -> None:
    event = events.Controlled(
        "main", position=7, changed=["artist", "temperature"],
        controls={"temperature": 0.5, "artist": {"Ada": 0.25, "Bo": 0.75}, "rate": 10.0},
    )  # fmt: skip
    assert answers(event) == [
        ("/rnn/main/controlled", ("artist", "Ada=0.25 Bo=0.75", 7)),
        ("/rnn/main/controlled", ("temperature", 0.5, 7)),
    ]
    error = events.error_event(ProtocolError("bad_value", "no"), id="/rnn/main/x")
    assert answers(error) == [("/rnn/error", ("bad_value", "no", "/rnn/main/x"))]
    full = events.error_event(ProtocolError("too_many_sessions", "no", retry_after=2.5), id="/x")
    assert answers(full) == [("/rnn/error", ("too_many_sessions", "no", "/x", 2.5))]
    led = events.Led("main", position=8, player=0, gesture=3)
    assert answers(led) == [("/rnn/main/led", (0, 3, 8))]
    given_back = events.Led("main", position=8, player=2, gesture=None)
    assert answers(given_back) == [("/rnn/main/led", (2, -1, 8))]
    learned = events.Learned("rate", cc=74, channel=1)
    assert answers(learned) == [("/rnn/midi/learned", ("rate", 74, 1))]
    pad = events.Learned("play", number=36, channel=10, kind="note")
    assert answers(pad) == [("/rnn/midi/learned", ("play", 36, 10, "note"))]
    assert answers(events.Pong(t0=7, t1=1.0, t2=1.0)) == [("/rnn/pong", (7,))]


def test_what_is_opened_says_how_it_stands() -> None:
    opened = events.Opened(
        "main", model="verse", position=7, seed=2**53 - 1, playing=True, controls={}, epoch=0
    )  # fmt: skip
    standing = ("verse", 7, "9007199254740991", 1)
    assert answers(opened) == [("/rnn/main/opened", standing)]
    assert session_messages([opened]) == [("/rnn/session", ("main", *standing))]
    gap = events.Gap("main", after=3, before=9)
    assert answers(gap) == [("/rnn/main/gap", (3, 9))]


def test_an_error_fits_a_datagram_whatever_it_quotes() -> None:
    long = "\N{MUSICAL SYMBOL G CLEF}" * 16000
    ((address, arguments),) = answers(events.error_event(ProtocolError("bad_value", long), id=long))
    assert len(osc.message_bytes(address, *arguments)) < 1200
    assert all(a.endswith("...") and a[0] == long[0] for a in arguments[1:])


def test_notes_say_how_long_they_last_where_they_begin() -> None:
    assert note_messages("s", [Note(60, 0), Note(64, 90)], 0.25) == [
        ("/rnn/s/note", (60, 0, 0.0)),
        ("/rnn/s/note", (64, 90, 0.25)),
    ]
