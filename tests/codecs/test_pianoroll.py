from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_rnn.codecs.pianoroll import (
    HIGHEST_PITCH,
    KEYS,
    LOWEST_PITCH,
    PianorollCodec,
    mask_to_pitches,
    midi_from_roll,
    pitches_to_mask,
    roll_from_midi,
)
from stream_rnn.errors import CheckpointError, DataError

codec = PianorollCodec()
rolls = arrays(np.uint8, st.tuples(st.integers(0, 24), st.just(KEYS)), elements=st.integers(0, 1))
one_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def written(folder: Path, *messages: mido.Message, ticks_per_beat: int = 480) -> Path:
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat, tracks=[mido.MidiTrack(messages)])
    file.save(folder / "made.mid")
    return folder / "made.mid"


def note(kind: str, pitch: int, time: int, *, channel: int = 0, velocity: int = 64) -> mido.Message:
    return mido.Message(kind, note=pitch, time=time, channel=channel, velocity=velocity)


@one_file
@given(rolls, st.integers(1, 24))
def test_a_roll_written_as_midi_is_read_back_without_its_last_silence(
    tmp_path: Path, roll: np.ndarray, steps_per_beat: int
) -> None:
    midi_from_roll(roll, steps_per_beat=steps_per_beat).save(tmp_path / "x.mid")
    sounding = np.flatnonzero(roll.any(axis=1))
    if not len(sounding):
        with pytest.raises(DataError, match="no notes"):
            roll_from_midi(tmp_path / "x.mid", steps_per_beat=steps_per_beat)
        return
    back = roll_from_midi(tmp_path / "x.mid", steps_per_beat=steps_per_beat)
    np.testing.assert_array_equal(back, roll[: sounding[-1] + 1])


@given(rolls)
def test_a_written_file_ends_every_note_it_begins(roll: np.ndarray) -> None:
    sounding: set[int] = set()
    for message in midi_from_roll(roll, steps_per_beat=4).tracks[0]:
        if message.type == "note_on":
            assert message.note not in sounding
            sounding.add(message.note)
        elif message.type == "note_off":
            sounding.remove(message.note)
    assert not sounding


@given(st.sets(st.integers(LOWEST_PITCH, HIGHEST_PITCH)))
def test_pitches_become_a_mask_and_come_back_in_order(pitches: set[int]) -> None:
    mask = pitches_to_mask(list(pitches))
    assert mask_to_pitches(mask) == sorted(pitches)
    assert codec.event(mask) == {"notes": sorted(pitches)}
    roll = codec.unpack(mask.to_bytes(codec.width, "little"))
    assert np.flatnonzero(roll[0]).tolist() == [p - LOWEST_PITCH for p in sorted(pitches)]


@given(rolls)
def test_packed_rolls_come_back_as_they_were(roll: np.ndarray) -> None:
    np.testing.assert_array_equal(codec.unpack(codec.pack(roll)), roll)


@one_file
@given(st.binary(max_size=80).map(lambda tail: b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk" + tail))
@example(b"")
@example(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\6\0\xff\x59\x02\x30\x00")  # 48 sharps
@example(b"MThd\0\0\0\6\0\1\0\1\xe7\x28MTrk\0\0\0\4\0\xff\x2f\0")  # time in SMPTE frames
@example(b"RIFF, but not MIDI")
def test_bytes_that_are_not_midi_are_refused_with_the_files_name(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "random.mid"
    path.write_bytes(data)
    try:
        roll_from_midi(path, steps_per_beat=4)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017


def test_a_file_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mid", tmp_path):
        with pytest.raises(DataError, match="not a readable MIDI file"):
            roll_from_midi(path, steps_per_beat=4)


def test_drums_and_what_is_off_the_piano_are_left_out(tmp_path: Path) -> None:
    drums = (note("note_on", 40, 0, channel=9), note("note_off", 40, 480, channel=9))
    beyond = (note("note_on", 20, 0), note("note_on", 109, 480))
    with pytest.raises(DataError, match="drums do not count"):
        roll_from_midi(written(tmp_path, *drums, *beyond), steps_per_beat=4)
    piano = (note("note_on", 60, 0), note("note_off", 60, 120))
    roll = roll_from_midi(written(tmp_path, *drums, *beyond, *piano), steps_per_beat=4)
    assert np.argwhere(roll).tolist() == [[8, 60 - LOWEST_PITCH]]


def test_notes_begin_at_the_nearest_frame_and_sound_for_one_at_least(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        note("note_on", 60, 50),  # nearest to frame 0 of 120 ticks
        note("note_on", 60, 5, velocity=0),  # an end too, and too short to be seen
        note("note_on", 62, 125),  # tick 180: half way between frames 1 and 2
        note("note_on", 62, 180),  # struck anew at tick 360, and never ended
        note("note_on", 64, 120, velocity=0),  # was not sounding
    )
    roll = roll_from_midi(path, steps_per_beat=4)
    frames = [mask_to_pitches(int.from_bytes(codec.pack(row), "little")) for row in roll]
    assert frames == [[60], [], [62], [62]]


def test_a_file_of_a_million_frames_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, note("note_on", 60, 0), note("note_off", 60, 2**27), ticks_per_beat=96)
    with pytest.raises(DataError, match="frames; at most 1000000"):
        roll_from_midi(path, steps_per_beat=4)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("C major", "a list of frames"),
        ([60], "frame 0 must be a list of MIDI pitches"),
        ([[60], [60, 20]], "frame 1 has 20: pitches are whole numbers 21 to 108"),
        ([[], [], [109]], "frame 2 has 109"),
        ([[60.0]], "frame 0 has 60.0"),
        ([[True]], "frame 0 has True"),
        ([["c"]], "frame 0 has 'c'"),
    ],
)
def test_a_bad_frame_is_named(value: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        codec.parse(value)


def test_good_frames_are_masks() -> None:
    assert codec.parse([[], [21], [108, 21, 21]]) == [0, 1, 1 | 1 << 87]


def test_the_codec_is_remade_from_its_json() -> None:
    assert PianorollCodec.from_json(PianorollCodec(8).to_json()).steps_per_beat == 8
    with pytest.raises(CheckpointError, match="steps_per_beat"):
        PianorollCodec.from_json({})
    with pytest.raises(CheckpointError, match="is 0; it must be a whole number from 1 to 96"):
        PianorollCodec(0)
