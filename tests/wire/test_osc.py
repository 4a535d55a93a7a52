from __future__ import annotations

import struct
import time
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pythonosc.osc_packet import OscPacket

from stream_rnn.errors import ProtocolError
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc
from stream_rnn.wire.notes import Note

SESSIONS = ["main", "main2", "other"]
REAL = [
    osc.message_bytes("/rnn/main/temperature", 0.5),
    osc.message_bytes("/rnn/main/artist", "Ada", 2.0, "Bo", 1),
    osc.bundle_bytes(2e9, [("/rnn/main/feed", ("a b",)), ("/rnn/main/step", (1,))]),
]


def control(controls: dict[str, object], at: Literal["now", "bar"] = "now") -> wire.Control:
    return wire.Control(session="main", controls=controls, at=at)


def asked(address: str, *arguments: object) -> list[osc.Request]:
    """Through the bytes, as from a real program."""
    (timed,) = osc.parse_packet(osc.message_bytes(address, *arguments))
    return osc.requests(timed.address, timed.arguments, SESSIONS)


@given(
    st.lists(
        st.integers(-(2**31), 2**31 - 1)
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.binary(min_size=1),
        max_size=5,
    )
)
def test_messages_come_back_as_they_were_sent(arguments: list[object]) -> None:
    arguments = [a.replace("\0", "") if isinstance(a, str) else a for a in arguments]
    (timed,) = osc.parse_packet(osc.message_bytes("/rnn/main/x", *arguments))
    assert timed == osc.Timed(None, "/rnn/main/x", tuple(arguments))


def test_a_bundle_carries_its_time() -> None:
    later = time.time() + 5
    data = osc.bundle_bytes(later, [("/a", (1,)), ("/b", ("x", 0.5))])
    first, second = osc.parse_packet(data)
    assert first.time == pytest.approx(later, abs=1e-3) == second.time
    assert (first.address, second.arguments) == ("/a", ("x", 0.5))


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else(data: bytes) -> None:
    try:
        osc.parse_packet(data)
    except ProtocolError as error:
        assert error.code == "bad_packet" and str(error)


@given(st.sampled_from(REAL), st.data())
def test_damaged_packets_are_refused_or_still_osc(packet: bytes, data: st.DataObject) -> None:
    damaged = bytearray(packet)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    try:
        for timed in osc.parse_packet(bytes(damaged)):
            osc.requests(timed.address, timed.arguments, SESSIONS)
    except ProtocolError as error:
        assert str(error)


@pytest.mark.parametrize("size", [-4, -(2**31), 0, 2**31 - 1, 8])
def test_bundle_elements_of_a_false_size_are_refused(size: int) -> None:
    with pytest.raises(ProtocolError, match=f"{size} bytes"):
        osc.parse_packet(b"#bundle\0" + bytes(8) + struct.pack(">i", size) + b"/a\0\0")


def test_bundles_within_bundles_end_somewhere() -> None:
    data = osc.message_bytes("/a")
    for _ in range(6):
        data = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", len(data)) + data
    with pytest.raises(ProtocolError, match="deep"):
        osc.parse_packet(data)


@pytest.mark.parametrize(
    ("address", "arguments", "expected"),
    [
        ("/rnn/new/open", ("lyrics",), wire.Open(model="lyrics", session="new")),
        ("/rnn/main/temperature", (0.5,), control({"temperature": 0.5})),
        ("/rnn/main/rate", (12,), control({"rate": 12})),
        ("/rnn/main/temperature/norm", (0.25,),
         control({"temperature": 0.5})),
        ("/rnn/main/bpm", (90.0, "bar"),
         control({"bpm": 90.0}, at="bar")),
        ("/rnn/main/artist", ("Ada",), control({"artist": {"Ada": 1.0}})),
        ("/rnn/main/artist", ("Ada", 2.0, "Bo", 1),
         control({"artist": {"Ada": 2.0, "Bo": 1}})),
        ("/rnn/main/pitches", ("D dorian",),
         control({"pitches": "D dorian"})),
        ("/rnn/main/pitches", (60, 64), control({"pitches": [60, 64]})),
        ("/rnn/main/pitches", (), control({"pitches": None})),
        ("/rnn/main/feed", ("to be",), wire.Feed(session="main", symbols="to be")),
        ("/rnn/main/feed", (60, 64), wire.Feed(session="main", symbols=[[60, 64]])),
        ("/rnn/main/step", (), wire.Step(session="main", count=1)),
        ("/rnn/main/step", (3.0,), wire.Step(session="main", count=3)),
        ("/rnn/main/rewind", (40,), wire.Rewind(session="main", to=40)),
        ("/rnn/main/fork", ("twin",), wire.Fork(session="main", as_="twin")),
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
    assert asked("/rnn/subscribe", "main") == [osc.Subscribe("main")]
    assert asked("/rnn/subscribe", "main", 9000) == [osc.Subscribe("main", 9000)]
    assert asked("/rnn/unsubscribe", "main") == [osc.Unsubscribe("main")]
    assert asked("/rnn/panic") == [osc.Panic()]
    assert asked("/rnn/models") == [osc.ListModels()]


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
        ("/rnn/main/temperature", ("hot",), "bad_value"),
        ("/rnn/main/temperature", (), "bad_value"),
        ("/rnn/main/temperature/norm", (1.5,), "bad_value"),
        ("/rnn/main/artist", ("Ada", 1.0, "Bo"), "bad_value"),
        ("/rnn/main/step", (1.5,), "bad_value"),
        ("/rnn/main/rewind", (-1,), "bad_message"),
        ("/rnn/subscribe", (), "bad_value"),
        ("/rnn/z*/play", (), "unknown_session"),
        ("/rnn/[z-a]/play", (), "bad_pattern"),
        ("/rnn/*a*a*a*a*a*/play", (), "bad_pattern"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(
    address: str, arguments: tuple[object, ...], code: str
) -> None:
    with pytest.raises(ProtocolError) as error:
        asked(address, *arguments)
    assert error.value.code == code and error.value.args[0].isascii()


@example("[?--]")
@example("[--!]")
@example("[!]")
@given(st.text(alphabet="*?[]{}!,-ab", min_size=1, max_size=40))
def test_any_pattern_is_matched_or_refused_at_once(pattern: str) -> None:
    try:
        assert set(osc.matching(pattern, ["ab", "b" * 64])) <= {"ab", "b" * 64, pattern}
    except ProtocolError as error:
        assert error.code in ("bad_pattern", "unknown_session")


def test_answers_name_control_value_and_position() -> None:
    event = wire.event(
        "controlled", session="main", position=7, changed=["artist", "temperature"],
        controls={"temperature": 0.5, "artist": {"Ada": 0.25, "Bo": 0.75}, "rate": 10.0},
    )  # fmt: skip
    assert osc.answers(event) == [
        ("/rnn/main/controlled", ("artist", "Ada=0.25 Bo=0.75", 7)),
        ("/rnn/main/controlled", ("temperature", 0.5, 7)),
    ]
    error = wire.error_event(ProtocolError("bad_value", "no"), id="/rnn/main/x")
    assert osc.answers(error) == [("/rnn/error", ("bad_value", "no", "/rnn/main/x"))]


def test_notes_say_how_long_they_last_where_they_begin() -> None:
    assert osc.note_messages("s", [Note(60, 0), Note(64, 90)], 0.25) == [
        ("/rnn/s/note", (60, 0, 0.0)),
        ("/rnn/s/note", (64, 90, 0.25)),
    ]


def test_large_numbers_are_sent_as_floats_rather_than_refused() -> None:
    (timed,) = OscPacket(osc.message_bytes("/a", 2**53 - 1)).messages
    assert timed.message.params == [pytest.approx(2**53)]
