from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.performance import (
    OFF,
    ON,
    PAUSE,
    SHIFT,
    SIZE,
    VELOCITY,
    Note,
    PerformanceCodec,
    decode_notes,
    encode_notes,
    midi_from_notes,
    read_notes,
    stretched,
    transposed,
)
from stream_rnn.errors import CheckpointError, DataError

CODEC = PerformanceCodec()


@st.composite
def performances(draw: st.DrawFn) -> list[Note]:
    """Notes on the 10 ms grid, whose keys are let go before they are struck again."""
    notes = []
    for pitch in draw(st.lists(st.integers(21, 108), min_size=1, max_size=6, unique=True)):
        now = 0
        for _ in range(draw(st.integers(1, 4))):
            start = now + draw(st.integers(0, 250))
            now = start + draw(st.integers(1, 250))
            velocity = draw(st.integers(0, 31)) * 4 + 2
            notes.append(Note(start * 0.01, now * 0.01, pitch, velocity))
    first = min(n.start for n in notes)
    moved = [Note(n.start - first, n.stop - first, n.pitch, n.velocity) for n in notes]
    return sorted(moved, key=lambda n: (round(n.start * 100), n.pitch))


def rounded(notes: list[Note]) -> list[tuple[int, int, int, int]]:
    return [(round(n.start * 100), round(n.stop * 100), n.pitch, n.velocity) for n in notes]


@given(performances())
def test_notes_come_back_from_their_symbols(notes: list[Note]) -> None:
    assert rounded(decode_notes(encode_notes(notes).tolist())) == rounded(notes)


@given(performances())
def test_notes_come_back_from_a_midi_file(
    tmp_path_factory: pytest.TempPathFactory, notes: list[Note]
) -> None:
    path = tmp_path_factory.mktemp("midi") / "x.mid"
    midi_from_notes(notes).save(path)
    assert rounded(read_notes(path)) == rounded(notes)


@given(st.lists(st.integers(0, SIZE - 1), max_size=80))
def test_any_symbols_make_notes_that_end_and_take_the_time_that_they_say(
    symbols: list[int],
) -> None:
    lasting = sum(CODEC.seconds(s) or 0.0 for s in symbols)
    notes = decode_notes(symbols)
    assert all(0 <= n.start < n.stop <= lasting + 1e-6 for n in notes)
    by_key: dict[int, float] = {}
    for note in notes:  # no key sounds twice at once
        assert note.start >= by_key.get(note.pitch, 0.0) - 1e-9
        by_key[note.pitch] = note.stop
    assert CODEC.unpack(CODEC.pack(np.array(symbols))).tolist() == symbols
    assert isinstance(CODEC.show(symbols), str)


@given(st.integers(0, SIZE - 1))
def test_an_event_that_was_sent_can_be_fed_again(symbol: int) -> None:
    event = CODEC.event(symbol)["event"]
    assert CODEC.parse([event]) == [symbol]


def test_what_each_symbol_says() -> None:
    events = [CODEC.event(s)["event"] for s in (0, ON, OFF, SHIFT, SHIFT + 99, VELOCITY + 16)]
    assert events == [
        {"end": 1}, {"on": 21}, {"off": 21}, {"shift": 0.01}, {"shift": 1.0}, {"velocity": 66}
    ]  # fmt: skip
    seconds = [CODEC.seconds(s) for s in (0, ON, OFF, SHIFT, SHIFT + 99, VELOCITY)]
    assert seconds == [PAUSE, 0.0, 0.0, pytest.approx(0.01), pytest.approx(1.0), 0.0]


def test_a_long_rest_takes_several_shifts() -> None:
    assert CODEC.parse([{"shift": 2.5}]) == [SHIFT + 99, SHIFT + 99, SHIFT + 49]


@pytest.mark.parametrize(
    "value",
    ["C4", [60], [{"on": 20}], [{"on": 60.0}], [{"on": True}], [{"shift": -1}], [{"shift": 61}],
     [{"velocity": 0}], [{"on": 60, "velocity": 3}], [{}], [None], [{"shift": float("nan")}]],
)  # fmt: skip
def test_what_is_no_event_is_refused(value: object) -> None:
    with pytest.raises(DataError, match="event"):
        CODEC.parse(value)


def test_the_pedal_holds_what_it_holds(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=500)  # a tick is a millisecond
    track = mido.MidiTrack()
    file.tracks.append(track)
    pedal = {"control": 64, "channel": 0}
    track += [
        mido.Message("note_on", note=60, velocity=70, time=1000),
        mido.Message("control_change", value=127, time=100, **pedal),
        mido.Message("note_off", note=60, time=100),
        mido.Message("note_on", note=64, velocity=30, time=300),
        mido.Message("note_on", note=60, velocity=90, time=100),
        mido.Message("note_off", note=64, time=100),
        mido.Message("control_change", value=0, time=500, **pedal),
        mido.Message("note_off", note=60, time=200),
        mido.Message("note_on", note=40, velocity=90, time=0, channel=9),
    ]
    file.save(tmp_path / "pedal.mid")
    assert rounded(read_notes(tmp_path / "pedal.mid")) == [
        (0, 60, 60, 70), (50, 120, 64, 30), (60, 140, 60, 90)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty, or cut short"),
        (b"MThd", "empty, or cut short"),
        (b"x" * 400, "MThd not found"),
    ],
)
def test_a_file_that_is_no_midi_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "x.mid").write_bytes(data)
    with pytest.raises(DataError, match=rf"x\.mid: not a readable MIDI file \({said}"):
        read_notes(tmp_path / "x.mid")


def test_a_midi_file_without_notes_is_refused(tmp_path: Path) -> None:
    midi_from_notes([]).save(tmp_path / "x.mid")
    with pytest.raises(DataError, match=r"x\.mid: no notes"):
        read_notes(tmp_path / "x.mid")


@given(performances(), st.integers(-11, 11))
def test_a_piece_is_moved_unless_a_note_would_leave_the_keyboard(
    notes: list[Note], semitones: int
) -> None:
    symbols = encode_notes(notes)
    moved = rounded(decode_notes(transposed(symbols, semitones).tolist()))
    fits = all(21 <= n.pitch + semitones <= 108 for n in notes)
    by = semitones if fits else 0
    assert moved == [(a, b, pitch + by, v) for a, b, pitch, v in rounded(notes)]


@given(performances(), st.floats(0.8, 1.25))
def test_a_stretched_piece_keeps_its_notes_and_no_error_adds_up(
    notes: list[Note], factor: float
) -> None:
    made = decode_notes(stretched(encode_notes(notes), factor).tolist())
    expected = {(n.pitch, n.velocity, round(round(n.start * 100) * factor)) for n in notes}
    assert {(n.pitch, n.velocity, round(n.start * 100)) for n in made} <= expected
    kept = [n for n in notes if round(n.start * 100 * factor) < round(n.stop * 100 * factor) - 1]
    assert len(made) >= len(kept)


def test_a_file_has_no_note_that_was_never_let_go(tmp_path: Path) -> None:
    symbols = CODEC.parse([{"on": 60}, {"on": 64}, {"shift": 1}, {"off": 64}, {"shift": 30}])
    CODEC.write_file(symbols, tmp_path / "x.mid", 120.0)
    assert rounded(read_notes(tmp_path / "x.mid")) == [(0, 500, 60, 64), (0, 100, 64, 64)]


def test_a_card_of_other_events_is_refused() -> None:
    with pytest.raises(CheckpointError, match="codec.events is 388; it must be 309"):
        PerformanceCodec.from_json({"domain": "performance", "events": 388})
