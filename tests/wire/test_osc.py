from __future__ import annotations

import math
import struct
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_packet import OscPacket

from stream_rnn.errors import ProtocolError
from stream_rnn.wire import osc
from stream_rnn.wire.osc_requests import requests

REAL = [
    osc.message_bytes("/rnn/main/temperature", 0.5),
    osc.message_bytes("/rnn/main/artist", "Ada", 2.0, "Bo", 1),
    osc.bundle_bytes(2e9, [("/rnn/main/feed", ("a b",)), ("/rnn/main/step", (1,))]),
]


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
            requests(timed.address, timed.arguments, ["main", "other"])
    except ProtocolError as error:
        assert str(error)


def padded(text: bytes) -> bytes:
    return text + bytes(4 - len(text) % 4)


def message(tags: str, data: bytes, address: bytes = b"/a") -> bytes:
    """The bytes of a message as another program might write them."""
    return padded(address) + padded(tags.encode()) + data


def one(packet: bytes) -> tuple[object, ...]:
    (timed,) = osc.parse_packet(packet)
    return timed.arguments


@pytest.mark.parametrize(
    ("packet", "arguments"),
    [
        (padded(b"/a"), ()),  # without type tags, as before OSC 1.0
        (message(",", b""), ()),
        (message(",I", b""), ()),
        (message(",If", struct.pack(">f", 0.5)), (0.5,)),
        (message(",S", padded(b"abc")), ("abc",)),
        (message(",c", struct.pack(">i", ord("x"))), ("x",)),
        (message(",c", struct.pack(">i", 0x1F600)), ("\N{GRINNING FACE}",)),
        (message(",[i[f]]i", struct.pack(">ifi", 1, 0.5, 2)), (1, 0.5, 2)),
        (message(",[]", b""), ()),
        (message(",TFN", b""), (True, False, None)),
        (message(",hd", struct.pack(">qd", -(2**63), 0.25)), (-(2**63), 0.25)),
        (message(",t", struct.pack(">Q", (osc.NTP_TO_UNIX + 7) << 32)), (7.0,)),
        (message(",s", padded("naïve".encode())), ("naïve",)),
        (message(",s", padded("naïve".encode("latin-1"))), ("naïve",)),
        (message(",b", struct.pack(">i", 3) + b"abc\0"), (b"abc",)),
    ],
)
def test_what_has_a_meaning_is_read(packet: bytes, arguments: tuple[object, ...]) -> None:
    assert one(packet) == arguments


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        (padded(b"/a") + struct.pack(">f", 0.5), "without type tags"),
        (message(",r", b"\xff\0\0\xff"), "colours"),
        (message(",m", b"\0\x90\x40\x7f"), "MIDI messages"),
        (message(",x", b""), "type 'x' are not read; send i, f or s"),
        (message(",[i", struct.pack(">i", 1)), "do not match"),
        (message(",i]", struct.pack(">i", 1)), "do not match"),
        (message(",c", struct.pack(">i", 0xD800)), "no character 55296"),
        (message(",c", struct.pack(">i", -1)), "no character -1"),
        (message(",i", b""), "cut short"),
        (message(",d", bytes(4)), "cut short"),
        (message(",i", bytes(8)), "4 bytes too many"),
        (message(",s", b"abcd"), "without a zero at its end"),
        (message(",s", b"ab\0x"), "not padded with zeros"),
        (message(",b", struct.pack(">i", -1)), "a blob of -1 bytes"),
        (message(",b", struct.pack(">i", 9)), "a blob of 9 bytes"),
        (padded(b"a"), "begins with /"),
        (b"/ab\0,", "a multiple of 4 bytes, not 5"),
    ],
)
def test_what_has_none_is_refused_and_its_bundle_is_done(packet: bytes, told: str) -> None:
    with pytest.raises(ProtocolError, match=told):
        osc.parse_packet(packet)
    good = osc.message_bytes("/b", 1)
    inside = b"".join(struct.pack(">i", len(e)) + e for e in (good, packet, good))
    first, fault, last = osc.read_packet(b"#bundle\0" + bytes(7) + b"\1" + inside)
    assert first == last == osc.Timed(None, "/b", (1,))
    assert isinstance(fault, osc.Fault) and told in str(fault.error)


TAGGED = (
    st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1))
    | st.tuples(st.just("h"), st.integers(-(2**63), 2**63 - 1))
    | st.tuples(st.just("f"), st.floats(width=32, allow_nan=False))
    | st.tuples(st.just("d"), st.floats(allow_nan=False))
    | st.tuples(st.sampled_from("sS"), st.text(st.characters(exclude_categories=["Cs"],
                                                           exclude_characters="\0")))
    | st.tuples(st.just("c"), st.characters(exclude_categories=["Cs"]))
    | st.tuples(st.just("b"), st.binary())
    | st.sampled_from([("T", True), ("F", False), ("N", None)])
)  # fmt: skip


def packed(tag: str, value: Any) -> bytes:
    if tag in "sS":
        return padded(value.encode())
    if tag == "b":
        return struct.pack(">i", len(value)) + value + bytes(-len(value) % 4)
    if tag == "c":
        return struct.pack(">i", ord(value))
    return b"" if tag in "TFN" else struct.pack(">" + {"h": "q"}.get(tag, tag), value)


@given(st.lists(TAGGED, max_size=6), st.booleans())
def test_values_of_every_type_are_read_as_they_were_written(
    values: list[tuple[str, object]], array: bool
) -> None:
    tags = "".join(tag for tag, _ in values)
    data = b"".join(packed(*v) for v in values)
    assert one(message(f",[{tags}]" if array else f",{tags}", data)) == tuple(v for _, v in values)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_whatever_stands_in_a_bundle_each_element_has_its_own_fate(elements: list[bytes]) -> None:
    elements = [e for e in elements if not e.startswith(b"#bundle")]
    inside = b"".join(struct.pack(">i", len(e)) + e for e in elements)
    read = osc.read_packet(b"#bundle\0" + bytes(8) + inside)
    assert len(read) == len(elements)
    for message, element in zip(read, elements, strict=True):
        alone = osc.read_packet(element)[0]
        assert type(message) is type(alone) and message.address == alone.address


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


def test_large_numbers_are_sent_as_floats_rather_than_refused() -> None:
    (timed,) = OscPacket(osc.message_bytes("/a", 2**53 - 1)).messages
    assert timed.message.params == [pytest.approx(2**53)]


def test_what_four_bytes_cannot_carry_is_sent_as_near_as_may_be() -> None:
    (timed,) = osc.parse_packet(osc.message_bytes("/a", 1e300, -1e39, True, 2.0**127))
    assert timed.arguments == (math.inf, -math.inf, 1, 2.0**127)
