"""Waiting messages and sounding notes."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.midi.player import Player

ON, OFF = bytes((0x90, 60, 80)), bytes((0x80, 60, 0))

streams = st.lists(
    st.tuples(st.integers(0, 2), st.integers(60, 62), st.integers(1, 5), st.integers(1, 5)),
    max_size=30,
)  # port, pitch, begins, lasts


def sounding_after(messages: list[tuple[int, bytes]]) -> Counter[tuple[int, int]]:
    """The keys that sound after these messages, by port; no key may begin twice."""
    sounding: Counter[tuple[int, int]] = Counter()
    for port, data in messages:
        if data[0] == 0x90:
            assert not sounding[port, data[1]], "struck again without having been ended"
            sounding[port, data[1]] += 1
        elif data[0] == 0x80:
            sounding[port, data[1]] = 0
    return +sounding


def test_messages_come_at_their_moment_and_in_order() -> None:
    player = Player(1)
    player.push(2.0, 0, OFF)
    player.push(1.0, 0, ON)
    player.push(2.0, 0, ON)
    assert player.first() == 1.0
    assert player.due(0.99) == []
    assert player.due(1.5) == [(1.0, 0, ON)]
    assert [data for _, _, data in player.due(2.0)] == [OFF, ON]


@given(streams)
def test_streams_that_share_keys_leave_nothing_sounding(
    streams: list[tuple[int, int, int, int]],
) -> None:
    player = Player(3)
    for port, pitch, begins, lasts in streams:
        player.push(begins, port, bytes((0x90, pitch, 80)))
        player.push(begins + lasts, port, bytes((0x80, pitch, 0)))
    sent = [(port, data) for _, port, data in player.due(100.0)]
    assert not sounding_after(sent)
    assert sum(d[0] == 0x90 for _, d in sent) == sum(d[0] == 0x80 for _, d in sent) == len(streams)


@given(streams, st.integers(0, 10))
def test_silence_ends_what_sounds_and_forgets_what_waits(
    streams: list[tuple[int, int, int, int]], moment: int
) -> None:
    player = Player(3)
    for port, pitch, begins, lasts in streams:
        player.push(begins, port, bytes((0x90, pitch, 80)))
        player.push(begins + lasts, port, bytes((0x80, pitch, 0)))
    sent = [(port, data) for _, port, data in player.due(moment)]
    sent += player.end_notes()
    assert not sounding_after(sent)
    assert player.due(100.0) == []


def test_a_key_of_two_streams_ends_with_the_last() -> None:
    player = Player(1)
    for moment, data in ((1, ON), (2, ON), (3, OFF), (4, OFF)):
        player.push(moment, 0, data)
    sent = [(moment, data) for moment, _, data in player.due(9.0)]
    assert sent == [(1, ON), (2, OFF), (2, ON), (4, OFF)]


def test_what_a_port_was_left_with_ends_when_it_is_back() -> None:
    player = Player(1)
    player.push(1.0, 0, ON)
    player.due(1.0)
    player.lose(0)
    player.push(2.0, 0, OFF)
    player.push(3.0, 0, bytes((0x90, 64, 80)))
    assert player.due(3.0) == [], "there is nowhere to send to"
    assert player.find(0) == [OFF, bytes((0xB0, 123, 0))]
    assert player.find(0) == []
    player.push(4.0, 0, ON)
    assert player.due(4.0) == [(4.0, 0, ON)]


def test_a_cord_that_is_put_in_again_brings_the_ends_that_were_missed() -> None:
    player, held = Player(1), bytes((0x90, 64, 80))
    player.push(1.0, 0, ON)
    player.push(1.0, 0, held)
    player.due(1.0)
    assert player.plug(0, "synth") is None, "it was never taken out"
    player.unplug(0, "synth", 1.5)
    player.push(2.0, 0, OFF)
    assert player.due(2.0) == [(2.0, 0, OFF)], "others may hear the port"
    assert player.plug(0, "other") is None
    assert player.plug(0, "synth") == [OFF], "and what is held sounds on"
    assert player.plug(0, "synth") is None


def test_with_nothing_held_the_channel_is_silenced_too() -> None:
    player = Player(1)
    player.push(1.0, 0, ON)
    player.push(1.2, 0, OFF)
    player.due(1.2)
    player.unplug(0, "synth", 1.3)  # the notice is a little late: the end may have been missed
    assert player.plug(0, "synth") == [OFF, bytes((0xB0, 123, 0))]
    player.unplug(0, "synth", 9.0)
    assert player.plug(0, "synth") == []


def test_what_a_cord_left_sounding_ends_when_the_port_itself_is_back() -> None:
    player = Player(1)
    player.push(1.0, 0, ON)
    player.push(2.0, 0, OFF)
    player.due(1.0)
    player.unplug(0, "synth", 1.5)
    player.due(2.0)
    player.lose(0)
    assert player.find(0) == [OFF, bytes((0xB0, 123, 0))]


def test_an_end_that_is_sent_again_ends_nothing_new() -> None:
    player = Player(1)
    ends = [OFF, bytes((0x80, 64, 0)), bytes((0xB0, 123, 0)), bytes((0xB1, 123, 0))]
    assert player.harmless(0, ends) == ends
    player.push(1.0, 0, ON)
    player.due(1.0)
    assert player.harmless(0, ends) == [ends[1], ends[3]]
