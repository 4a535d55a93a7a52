import sys

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.wire import midi
from stream_rnn.wire.midi import (
    Aftertouch,
    ControlChange,
    KeyAftertouch,
    NoteOff,
    NoteOn,
    Program,
    Reader,
    Realtime,
    SongPosition,
    Wheel,
)

sevens = st.integers(0, 127)
channels = st.integers(0, 15)

messages = st.one_of(
    st.builds(
        lambda c, n, v: mido.Message("note_on", channel=c, note=n, velocity=v),
        channels, sevens, sevens,
    ),
    st.builds(lambda c, n: mido.Message("note_off", channel=c, note=n), channels, sevens),
    st.builds(
        lambda c, n, v: mido.Message("control_change", channel=c, control=n, value=v),
        channels, sevens, sevens,
    ),
    st.builds(lambda p: mido.Message("songpos", pos=p), st.integers(0, 16383)),
    st.sampled_from([mido.Message(k) for k in ("clock", "start", "continue", "stop")]),
    st.builds(
        lambda c, p: mido.Message("pitchwheel", channel=c, pitch=p),
        channels, st.integers(-8192, 8191),
    ),
    st.builds(lambda c, v: mido.Message("aftertouch", channel=c, value=v), channels, sevens),
    st.builds(
        lambda c, n, v: mido.Message("polytouch", channel=c, note=n, value=v),
        channels, sevens, sevens,
    ),
    st.builds(lambda c, p: mido.Message("program_change", channel=c, program=p), channels, sevens),
    st.builds(lambda data: mido.Message("sysex", data=data), st.lists(sevens, max_size=20)),
    st.sampled_from([mido.Message(k) for k in ("active_sensing", "reset", "tune_request")]),
)  # fmt: skip


def meant(message: mido.Message) -> list[midi.MidiEvent]:
    """The event that a message should become."""
    match message.type:
        case "note_on" if message.velocity:
            return [NoteOn(message.channel + 1, message.note, message.velocity)]
        case "note_on" | "note_off":
            return [NoteOff(message.channel + 1, message.note)]
        case "control_change":
            return [ControlChange(message.channel + 1, message.control, message.value)]
        case "pitchwheel":
            return [Wheel(message.channel + 1, message.pitch + 8192)]
        case "aftertouch":
            return [Aftertouch(message.channel + 1, message.value)]
        case "polytouch":
            return [KeyAftertouch(message.channel + 1, message.note, message.value)]
        case "program_change":
            return [Program(message.channel + 1, message.program)]
        case "songpos":
            return [SongPosition(message.pos)]
        case "clock" | "start" | "continue" | "stop":
            return [Realtime[message.type.upper()]]
    return []


@given(st.lists(messages, max_size=20), st.data())
def test_messages_come_out_as_they_went_in_however_they_are_cut(
    sent: list[mido.Message], data: st.DataObject
) -> None:
    stream = b"".join(bytes(m.bytes()) for m in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = Reader()
    events = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        events += reader.feed(stream[start:stop])
    assert events == [event for message in sent for event in meant(message)]


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_no_bytes_whatever_raise(chunks: list[bytes]) -> None:
    reader = Reader()
    for chunk in chunks:
        assert all(isinstance(e, midi.MidiEvent) for e in reader.feed(chunk))
    # After all that, a complete message is still read.
    assert reader.feed(b"\x90\x3c\x40")[-1] == NoteOn(1, 60, 64)


def test_a_pulse_in_the_middle_of_a_message_leaves_it_whole() -> None:
    assert Reader().feed(b"\x91\xf8\x3c\xfe\x40") == [Realtime.CLOCK, NoteOn(2, 60, 64)]


def test_a_system_exclusive_that_never_ends_takes_no_memory() -> None:
    reader = Reader()
    reader.feed(b"\xf0")
    for _ in range(100):
        assert reader.feed(b"\x01" * 10_000) == []
    assert sum(sys.getsizeof(v) for v in vars(reader._parser._tok).values()) < 10_000
    assert reader.feed(b"\xf8\xf7\x80\x3c\x00") == [Realtime.CLOCK, NoteOff(1, 60)]


@pytest.mark.parametrize("position", [0, 1, 127, 128, 16383])
def test_song_positions_there_and_back(position: int) -> None:
    assert Reader().feed(midi.song_position(position)) == [SongPosition(position)]
    assert midi.song_position(position + 16384) == midi.song_position(position)
