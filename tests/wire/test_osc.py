from __future__ import annotations

import math
import struct
import time

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
