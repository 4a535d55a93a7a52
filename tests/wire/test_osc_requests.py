from __future__ import annotations

import contextlib
import time
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_rnn.control_table import TABLE
from stream_rnn.errors import ProtocolError
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc
from stream_rnn.wire.osc_patterns import matching
from stream_rnn.wire.osc_requests import (
    Ask,
    Feedback,
    Forget,
    Learn,
    Plain,
    Pong,
    Request,
    Subscribe,
    Token,
    Unsubscribe,
    requests,
)

SESSIONS = ["main", "main2", "other"]


def control(controls: dict[str, object], at: Literal["now", "bar"] = "now") -> wire.Control:
    return wire.Control(session="main", controls=controls, at=at)


def asked(address: str, *arguments: object) -> list[Request]:
    """Encodes a message and reads it back, as if a real program had sent it."""
    (timed,) = osc.parse_packet(osc.message_bytes(address, *arguments))
    return requests(timed.address, timed.arguments, SESSIONS)


@pytest.mark.parametrize(
    ("address", "arguments", "expected"),
    [
        ("/rnn/new/open", ("lyrics",), wire.Open(model="lyrics", session="new")),
        ("/rnn/new/open", ("lyrics", 7), wire.Open(model="lyrics", session="new", seed=7)),
        ("/rnn/new/open", ("lyrics", 7, "paused"),
         wire.Open(model="lyrics", session="new", seed=7, play=False)),
        ("/rnn/new/open", ("paused", "paused"),
         wire.Open(model="paused", session="new", play=False)),
        ("/rnn/new/open", ("paused",), wire.Open(model="paused", session="new")),
        ("/rnn/new/open",
         ("lyrics", 7, "rate", 12, "artist", "Ada=0.5 Bo=1", "prime", "O my", "paused"),
         wire.Open(model="lyrics", session="new", seed=7, prime="O my", play=False,
                   controls={"rate": 12, "artist": {"Ada": 0.5, "Bo": 1.0}})),
        ("/rnn/new/open", ("lyrics", "seed", "9007199254740991", "artist", "Ada"),
         wire.Open(model="lyrics", session="new", seed=2**53 - 1,
                   controls={"artist": {"Ada": 1.0}})),
        ("/rnn/main/temperature", (0.5,), control({"temperature": 0.5})),
        ("/rnn/main/rate", (12,), control({"rate": 12})),
        ("/rnn/main/temperature/norm", (0.25,),
         control({"temperature": 0.5})),
        ("/rnn/main/bpm", (90.0, "bar"),
         control({"bpm": 90.0}, at="bar")),
        ("/rnn/main/touch", (0.25, 1.0, 1), wire.Touch(session="main", x=0.25, y=1.0)),
        ("/rnn/main/touch", (0, 0.5, 0, 2),
         wire.Touch(session="main", x=0, y=0.5, down=0, player=2)),
        ("/rnn/main/lead", (6,), wire.Lead(session="main", gesture=6)),
        ("/rnn/main/lead", (6.0, 2), wire.Lead(session="main", gesture=6, player=2)),
        ("/rnn/main/lead", (-1,), wire.Lead(session="main", gesture=None)),
        ("/rnn/main/sync", ("link",), control({"sync": "link"})),
        ("/rnn/main/artist", ("Ada",), control({"artist": {"Ada": 1.0}})),
        ("/rnn/main/artist", ("Ada", 2.0, "Bo", 1),
         control({"artist": {"Ada": 2.0, "Bo": 1}})),
        ("/rnn/main/pitches", ("D dorian",),
         control({"pitches": "D dorian"})),
        ("/rnn/main/pitches", (60, 64), control({"pitches": [60, 64]})),
        ("/rnn/main/pitches", (), control({"pitches": None})),
        ("/rnn/main/feed", ("to be",), wire.Feed(session="main", symbols="to be")),
        ("/rnn/main/feed", (60, 64), wire.Feed(session="main", symbols=[[60, 64]])),
        (
            "/rnn/main/feed",
            ("on", 60, "shift", 0.5, "off", 60),
            wire.Feed(session="main", symbols=[{"on": 60}, {"shift": 0.5}, {"off": 60}]),
        ),
        ("/rnn/main/feed/in_time", (60, 64),
         wire.Feed(session="main", symbols=[[60, 64]], in_time=True)),
        ("/rnn/main/artist", ("Joe=e",), control({"artist": {"Joe=e": 1.0}})),
        ("/rnn/main/artist", ("=1",), control({"artist": {"=1": 1.0}})),
        ("/rnn/main/artist", ("Ada=1 Bo",), control({"artist": {"Ada=1 Bo": 1.0}})),
        ("/rnn/main/artist", (" Emily Dickinson=0.25  Bo=.75 ",),
         control({"artist": {"Emily Dickinson": 0.25, "Bo": 0.75}})),
        ("/rnn/main/pitches", ("60 64",), control({"pitches": [60, 64]})),
        ("/rnn/main/pitches", ("60-64",), control({"pitches": "60-64"})),
        ("/rnn/main/seed", (7.0,), control({"seed": 7})),
        ("/rnn/main/rewind", (0,), wire.Rewind(session="main", to=0)),
        ("/rnn/main/step", (), wire.Step(session="main", count=1)),
        ("/rnn/main/step", (3.0,), wire.Step(session="main", count=3)),
        ("/rnn/main/rewind", (40,), wire.Rewind(session="main", to=40)),
        ("/rnn/main/fork", ("twin",), wire.Fork(session="main", as_="twin")),
        ("/rnn/main/fork", ("twin", 40), wire.Fork(session="main", as_="twin", at=40)),
        ("/rnn/main/play", (), wire.Play(session="main")),
        ("/rnn/main/play", (1,), wire.Play(session="main")),
    ],
)  # fmt: skip
def test_addresses_ask_what_they_say(
    address: str, arguments: tuple[object, ...], expected: wire.Message
) -> None:
    (request,) = asked(address, *arguments)
    assert request == type(expected)(**{
        **{f: getattr(expected, f) for f in expected.__struct_fields__}, "id": address
    })  # fmt: skip


def test_the_addresses_without_a_session() -> None:
    assert asked("/rnn/subscribe", "main") == [Subscribe("main")]
    assert asked("/rnn/subscribe", "main", 9000) == [Subscribe("main", 9000)]
    assert asked("/rnn/subscribe", "main", 9000, 40) == [Subscribe("main", 9000, 40)]
    assert asked("/rnn/subscribe", "main", 0, -1) == [Subscribe("main", None, -1)]
    assert asked("/rnn/unsubscribe", "main") == [Unsubscribe("main")]
    assert asked("/rnn/unsubscribe", "main", 0) == [Unsubscribe("main")]
    assert asked("/rnn/sessions") == [Plain.SESSIONS]
    assert asked("/rnn/models", 1) == asked("/rnn/models", "?") == [Plain.MODELS]
    assert asked("/rnn/panic", 0) == [Plain.PANIC], "whatever its arguments"
    assert asked("/rnn/panic") == [Plain.PANIC]
    assert asked("/rnn/models") == [Plain.MODELS]
    assert asked("/rnn/midi/learn", "temperature") == [Learn("temperature")]
    assert asked("/rnn/midi/learn", "temperature", "main") == [Learn("temperature", "main")]
    assert asked("/rnn/midi/learn", "play", "main") == [Learn("play", "main")]
    assert asked("/rnn/midi/learn", "bpm", "low", 60, "high", 90.5) == [
        Learn("bpm", "*", (("low", 60), ("high", 90.5)))
    ]
    assert asked("/rnn/midi/learn", "bpm", "main", "pickup", 0) == [
        Learn("bpm", "main", (("pickup", 0),))
    ]
    assert asked("/rnn/midi/forget") == [Forget()]
    assert asked("/rnn/midi/forget", "rate") == [Forget("rate")]
    assert asked("/rnn/ping") == [wire.Ping(t0=0)]
    assert asked("/rnn/ping", 7) == [wire.Ping(t0=7)]
    assert asked("/rnn/pong", 7) == [Pong(7)]
    assert asked("/rnn/token", "open sesame") == [Token("open sesame")]
    assert asked("/rnn/feedback") == asked("/rnn/feedback", 0) == [Feedback()]
    assert asked("/rnn/feedback", 9000) == [Feedback(9000)]
    assert asked("/rnn/feedback", "off") == [Feedback(on=False)]
    assert asked("/rnn/feedback", 9000, "off") == [Feedback(9000, on=False)]


def test_a_control_without_arguments_is_asked_for() -> None:
    assert asked("/rnn/main/temperature") == [Ask("main", "temperature")]
    assert asked("/rnn/main*/bpm/norm") == [Ask("main", "bpm/norm"), Ask("main2", "bpm/norm")]
    assert asked("/rnn/main/artist") == [Ask("main", "artist")]


@pytest.mark.parametrize("zero", [0, 0.0, False])
@pytest.mark.parametrize("action", ["main/play", "main/pause", "*/reset", "main/close", "main/step",
                                    "models", "sessions"])  # fmt: skip
def test_a_button_that_is_let_go_asks_for_nothing(action: str, zero: object) -> None:
    assert requests(f"/rnn/{action}", (zero,), SESSIONS) == []
    assert len(requests(f"/rnn/{action}", (1.0,), SESSIONS)) >= 1, "and pressed it does"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "address",
    ["/rnn/main/step", "/rnn/main/rewind", "/rnn/main/temperature", "/rnn/ping", "/rnn/main/reset"],
)
def test_numbers_that_are_none_are_refused(address: str, number: float) -> None:
    with pytest.raises(ProtocolError, match="infinite or NaN") as error:
        asked(address, number)
    assert error.value.code == "bad_value"


@pytest.mark.parametrize("text", ["a", " ", "=", "a=", "a=1 ", "1 ", "1  x", "{", "9"])
def test_whatever_is_long_is_read_at_once(text: str) -> None:
    long = text * (60_000 // len(text))
    begin = time.perf_counter()
    for action in (*TABLE, "open", "feed", "prime", "fork", "step", "lead", long):
        with contextlib.suppress(ProtocolError):
            requests(f"/rnn/main/{action}", (long,), SESSIONS)
    assert time.perf_counter() - begin < 2.0  # with backtracking it would take minutes


def test_prime_begins_anew() -> None:
    reset, feed = asked("/rnn/main/prime", "O my")
    assert isinstance(reset, wire.Reset) and isinstance(feed, wire.Feed)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", SESSIONS), ("main?", ["main2"]), ("m*", ["main", "main2"]),
        ("{main,other}", ["main", "other"]), ("[a-n]*", ["main", "main2"]),
        ("[!m]*", ["other"]), ("main", ["main"]),
    ],
)  # fmt: skip
def test_patterns_reach_every_session_they_match(pattern: str, names: list[str]) -> None:
    requests = asked(f"/rnn/{pattern}/temperature", 0.9)
    assert [r.session for r in requests if isinstance(r, wire.Control)] == names


@pytest.mark.parametrize(
    ("address", "arguments", "code"),
    [
        ("/nothing", (), "unknown_address"),
        ("/rnn/main/loudness", (1.0,), "unknown_address"),
        ("/rnn/main/velocity/norm", (0.5,), "unknown_address"),
        ("/rnn/main/velocity/norm", (), "unknown_address"),
        ("/rnn/main/pitches/norm", (), "unknown_address"),
        ("/rnn/pong", (), "bad_value"),
        ("/rnn/pong", (1.5,), "bad_value"),
        ("/rnn/token", (), "bad_value"),
        ("/rnn/token", (1,), "bad_value"),
        ("/rnn/feedback", (65536,), "bad_value"),
        ("/rnn/feedback", ("on",), "bad_value"),
        ("/rnn/main/temperature", ("hot",), "bad_value"),
        ("/rnn/main/temperature/norm", (1.5,), "bad_value"),
        ("/rnn/main/artist", ("Ada", 1.0, "Bo"), "bad_value"),
        ("/rnn/main/step", (1.5,), "bad_value"),
        ("/rnn/main/rewind", (-1,), "bad_message"),
        *(("/rnn/main/lead", wrong, "bad_value")
          for wrong in ((), (-2,), (1.5,), ("FT",), (1, "a"), (1, 2, 3), (float("inf"),))),
        ("/rnn/main/lead", (1, -1), "bad_message"),
        *(("/rnn/main/touch", wrong, "bad_value")
          for wrong in ((), (0.5, 0.5), (0.5, 0.5, 2), (0.5, 0.5, 1, "a"), (0.5, 0.5, 1, 1, 1))),
        ("/rnn/main/touch", (0.5, 1.5, 1), "bad_message"),
        ("/rnn/subscribe", (), "bad_value"),
        ("/rnn/ping", ("x",), "bad_value"),
        ("/rnn/ping", (True,), "bad_value"),
        ("/rnn/reply", (True,), "bad_value"),
        ("/rnn/subscribe", ("main", True), "bad_value"),
        ("/rnn/subscribe", ("main", 9000, "all"), "bad_value"),
        ("/rnn/subscribe", ("main", 65536, 1), "bad_value"),
        ("/rnn/main/step", (True,), "bad_value"),
        ("/rnn/main/temperature", (True,), "bad_value"),
        ("/rnn/main/seed", ("seven",), "bad_value"),
        ("/rnn/main/feed/late", ("a",), "unknown_address"),
        ("/rnn/main/open", ("lyrics", True), "bad_value"),
        ("/rnn/main/open", ("lyrics", "rate"), "bad_value"),
        ("/rnn/main/open", ("lyrics", "rate", "loud"), "bad_value"),
        ("/rnn/main/open", ("lyrics", "loudness", 1), "bad_value"),
        ("/rnn/midi/learn", (), "bad_value"),
        ("/rnn/midi/learn", ("bpm", 3), "bad_value"),
        ("/rnn/midi/learn", ("bpm", 3, 4), "bad_value"),
        ("/rnn/midi/forget", (1,), "bad_value"),
        ("/rnn/main/sync", (1,), "bad_value"),
        ("/rnn/main/open", (), "bad_value"),
        ("/rnn/main/open", ("lyrics", "loud"), "bad_value"),
        ("/rnn/main/open", ("lyrics", -1), "bad_message"),
        ("/rnn/main/fork", (1,), "bad_value"),
        ("/rnn/main/fork", ("twin", -1), "bad_message"),
        ("/rnn/z*/play", (), "unknown_session"),
        ("/rnn/[z-a]/play", (), "bad_pattern"),
        ("/rnn/*a*a*a*a*a*/play", (), "bad_pattern"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(
    address: str, arguments: tuple[object, ...], code: str
) -> None:
    with pytest.raises(ProtocolError) as error:
        requests(address, arguments, SESSIONS)
    assert error.value.code == code and error.value.args[0].isascii()


@example("[?--]")
@example("[--!]")
@example("[!]")
@given(st.text(alphabet="*?[]{}!,-ab", min_size=1, max_size=40))
def test_any_pattern_is_matched_or_refused_at_once(pattern: str) -> None:
    try:
        assert set(matching(pattern, ["ab", "b" * 64])) <= {"ab", "b" * 64, pattern}
    except ProtocolError as error:
        assert error.code in ("bad_pattern", "unknown_session")
