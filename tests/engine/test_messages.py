import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.engine import messages
from stream_rnn.engine.messages import Settings, decode_commands, decode_events, encode
from stream_rnn.pipe import FrameReader, frame

whole = st.integers(-(2**63), 2**63 - 1)
control_settings = st.builds(
    Settings,
    temperature=st.floats(0, 100),
    top_k=st.integers(0, 4096),
    top_p=st.floats(0, 1),
    density=st.floats(-20, 20),
    seed=st.integers(0, 2**53 - 1),
    artists=st.lists(st.floats(0, 1), max_size=4).map(tuple),
    allowed=st.binary(max_size=11),
)
commands = st.one_of(
    st.builds(messages.Open, whole, st.text()),
    st.builds(
        messages.Plan,
        whole,
        whole,
        whole,
        st.lists(st.tuples(whole, control_settings), max_size=3).map(tuple),
        st.binary(),
        st.binary(),
        st.binary(),
    ),
    st.builds(messages.Credits, *[st.binary()] * 5),
    st.builds(messages.Close, whole),
)
events = st.one_of(
    st.builds(messages.Ready, st.text(), whole),
    st.builds(messages.Batch, *[st.binary()] * 4),
    st.builds(messages.Snapshot, whole, whole, whole, st.binary()),
    st.builds(messages.Failed, st.text()),
)


def bodies(data: bytes, *cuts: int) -> list[bytes]:
    """The bodies that a reader finds in bytes that arrive in pieces."""
    reader, found = FrameReader(), []
    places = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    for start, stop in zip(places, places[1:], strict=False):
        found += reader.feed(data[start:stop])
    return found


@given(st.lists(commands, max_size=3), st.lists(commands, max_size=3), st.lists(st.integers(0)))
def test_commands_come_through_a_pipe_in_whatever_pieces(
    first: list[messages.Command], second: list[messages.Command], cuts: list[int]
) -> None:
    one, two = bodies(frame(encode(first)) + frame(encode(second)), *cuts)
    assert decode_commands(one) == tuple(first)
    assert decode_commands(two) == tuple(second)


@given(st.lists(events, max_size=4))
def test_events_come_through_a_pipe_byte_by_byte(sent: list[messages.EngineEvent]) -> None:
    data = frame(encode(sent))
    (body,) = bodies(data, *range(len(data)))
    assert decode_events(body) == tuple(sent)


@given(st.lists(events, min_size=1, max_size=2), st.data())
def test_an_incomplete_frame_waits(sent: list[messages.EngineEvent], data: st.DataObject) -> None:
    whole_frame = frame(encode(sent))
    cut = data.draw(st.integers(0, len(whole_frame) - 1))
    assert bodies(whole_frame[:cut]) == []


def test_a_length_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="a frame of 4294967295 bytes"):
        bodies(b"\xff\xff\xff\xff")


def test_commands_are_not_events() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_events(bodies(frame(encode([messages.Open(1, "m")])))[0])
