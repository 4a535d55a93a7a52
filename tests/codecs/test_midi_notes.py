"""Notes of MIDI files, compared with those of pretty_midi, and the readers that use them."""

from collections import defaultdict
from pathlib import Path

import mido
import pretty_midi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_rnn.codecs.midi_notes import MidiNote, one_keyboard, read_midi
from stream_rnn.codecs.performance import decode_notes, encode_notes, read_notes
from stream_rnn.codecs.pianoroll import PianorollCodec, mask_to_pitches, roll_from_midi
from stream_rnn.errors import DataError

TICKS = 480
# All examples of a test share one file.
one_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

Strike = tuple[int, int, int, int, int]  # track, channel, pitch, start, stop


@st.composite
def meetings(draw: st.DrawFn) -> list[tuple[int, int, int, int, str]]:
    """`(tick, track, channel, pitch, kind)` of notes that meet and overlap, shuffled within a tick.

    Each key is struck at most once in a tick, and each note lasts at least a tick.
    """
    events = []
    for track in range(draw(st.integers(1, 3))):
        for channel, pitch in draw(
            st.sets(st.tuples(st.sampled_from((0, 1, 9)), st.sampled_from((60, 61))), max_size=3)
        ):
            starts = draw(st.sets(st.integers(0, 12), max_size=5))
            for start in starts:
                length = draw(st.integers(1, 6))
                events.append((start, track, channel, pitch, "note_on"))
                events.append((start + length, track, channel, pitch, "note_off"))
    shuffled = draw(st.permutations(events))
    return sorted(shuffled, key=lambda event: event[0])


def save(path: Path, events: list[tuple[int, int, int, int, str]]) -> None:
    file = mido.MidiFile(ticks_per_beat=TICKS)
    for number in range(1 + max((track for _, track, *_ in events), default=0)):
        track, now = mido.MidiTrack(), 0
        for tick, _, channel, pitch, kind in (e for e in events if e[1] == number):
            at = tick * 60
            message = mido.Message(kind, channel=channel, note=pitch, time=at - now)
            track.append(message)
            now = at
        file.tracks.append(track)
    file.save(path)


@one_file
@given(meetings())
def test_no_note_is_lost_and_none_ends_before_its_key_is_struck_again(
    tmp_path: Path, events: list[tuple[int, int, int, int, str]]
) -> None:
    path = tmp_path / "x.mid"
    save(path, events)
    struck = sorted(
        (tick * 60, pitch, channel, track)
        for tick, track, channel, pitch, kind in events
        if kind == "note_on" and channel != 9
    )
    if not struck:
        with pytest.raises(DataError, match="no notes"):
            read_midi(path)
        return
    read = read_midi(path)
    notes = read.notes
    assert sorted((n.start, n.pitch, n.channel, n.track) for n in notes) == struck
    assert all(n.stop > n.start for n in notes)
    following = defaultdict(list)
    for note in notes:
        following[note.track, note.channel, note.pitch].append(note)
    for keyed in following.values():
        for earlier, later in zip(keyed, keyed[1:], strict=False):
            assert earlier.stop <= later.start

    # pretty_midi does not number tracks, so each track is read from a file of its own.
    for number in {n.track for n in notes}:
        save(path, [(t, 0, c, p, k) for t, track, c, p, k in events if track == number])
        ours = {(n.start, n.pitch, n.channel): n for n in notes if n.track == number}
        midi = pretty_midi.PrettyMIDI(str(path))
        theirs = []
        for channel in (0, 1):  # one instrument each: neither has a program
            alone = [e for e in events if e[1] == number and e[2] == channel]
            save(path, [(t, 0, c, p, k) for t, _, c, p, k in alone])
            midi = pretty_midi.PrettyMIDI(str(path))
            theirs += [
                (midi.time_to_tick(n.start), midi.time_to_tick(n.end), n.pitch, channel)
                for instrument in midi.instruments
                for n in instrument.notes
            ]
        for start, stop, pitch, channel in theirs:  # it loses some that begin where others end
            note = ours[start, pitch, channel]
            restrikes = [s for s, p, c in ours if (p, c) == (pitch, channel) and s > start]
            assert note.stop == min([stop, *restrikes])


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 9), st.integers(60, 62), st.integers(1, 127))
    )
)
def test_one_keyboard_strikes_each_key_once_at_a_time(
    spans: list[tuple[int, int, int, int]],
) -> None:
    notes = [(start, start + length, pitch, loud) for start, length, pitch, loud in spans]
    played = one_keyboard(notes)
    assert {(s, p) for s, _, p, _ in played} == {(s, p) for s, _, p, _ in notes}
    assert len(played) == len({(s, p) for s, _, p, _ in played})
    sounding = defaultdict(set)
    for start, stop, pitch, _ in played:
        assert not sounding[pitch].intersection(range(start, stop))
        sounding[pitch].update(range(start, stop))


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(60, 62)), min_size=1, max_size=12
    )
)
def test_symbols_give_back_every_note_however_notes_meet(
    spans: list[tuple[float, float, int]],
) -> None:
    from stream_rnn.codecs.performance import Note

    notes = [Note(start, start + length, pitch, 64) for start, length, pitch in spans]
    decoded = decode_notes(encode_notes(notes).tolist())
    first = min(round(n.start * 100) for n in notes)
    struck = {(round(n.start * 100), n.pitch) for n in notes}
    assert {(round(n.start * 100), n.pitch) for n in decoded} == struck, first
    for note in decoded:
        begun = round(note.start * 100)
        # As long as the longest that began with it, or to where its key is struck again.
        longest = max(
            max(round(n.stop * 100), begun + 1)
            for n in notes
            if (round(n.start * 100), n.pitch) == (begun, note.pitch)
        )
        restrikes = [start for start, pitch in struck if pitch == note.pitch and start > begun]
        assert round(note.stop * 100) == min([longest, *restrikes])


def keys(*notes: tuple[str, int, int], channel: int = 0) -> mido.MidiTrack:
    """A track of `(kind, pitch, ticks since the one before)`."""
    return mido.MidiTrack(
        mido.Message(kind, note=pitch, channel=channel, time=time) for kind, pitch, time in notes
    )


def written(path: Path, *tracks: mido.MidiTrack, type: int = 1) -> Path:
    mido.MidiFile(type=type, ticks_per_beat=TICKS, tracks=list(tracks)).save(path)
    return path


def test_a_key_struck_again_before_it_is_let_go_in_the_same_tick(tmp_path: Path) -> None:
    again = [("note_on", 60, 0), ("note_on", 60, 480), ("note_off", 60, 0), ("note_off", 60, 480)]
    path = written(tmp_path / "x.mid", keys(*again), type=0)
    assert [(n.start, n.stop) for n in read_notes(path)] == [(0.0, 0.5), (0.5, 1.0)]
    roll = roll_from_midi(path, steps_per_beat=2)
    assert roll.sum() == 4


def test_two_hands_on_one_channel_take_over_a_key(tmp_path: Path) -> None:
    right = keys(("note_on", 60, 480), ("note_off", 60, 480))
    left = keys(("note_on", 60, 0), ("note_off", 60, 480))
    path = written(tmp_path / "x.mid", right, left)
    assert [(n.start, n.stop) for n in read_notes(path)] == [(0.0, 0.5), (0.5, 1.0)]


def test_one_key_on_two_channels_sounds_until_both_have_let_it_go(tmp_path: Path) -> None:
    first = keys(("note_on", 60, 0), ("note_off", 60, 960))
    second = keys(("note_on", 60, 480), ("note_off", 60, 960), channel=1)
    path = written(tmp_path / "x.mid", first, second)
    assert [(n.start, n.stop) for n in read_midi(path).notes] == [(0, 960), (480, 1440)]
    assert [(n.start, n.stop) for n in read_notes(path)] == [(0.0, 0.5), (0.5, 1.5)]
    assert roll_from_midi(path, steps_per_beat=1)[:, 39].tolist() == [1, 1, 1]


def test_the_pedal_of_a_channel_holds_the_notes_of_all_its_tracks(tmp_path: Path) -> None:
    pedal = mido.MidiTrack(
        [
            mido.Message("control_change", control=64, value=127, time=0),
            mido.Message("control_change", control=64, value=0, time=1920),
        ]
    )
    hand = keys(("note_on", 60, 0), ("note_off", 60, 240), ("note_on", 60, 240))
    path = written(tmp_path / "x.mid", pedal, hand, keys(("note_on", 64, 0), ("note_off", 64, 10)))
    held = [MidiNote(0, 480, 60, 64, 0, 1), MidiNote(0, 1920, 64, 64, 0, 2)]
    assert read_midi(path, pedal=True).notes[:2] == held
    assert [n.stop for n in read_midi(path).notes] == [240, 10, 480]


def test_the_songs_of_a_file_of_type_2_follow_one_another(tmp_path: Path) -> None:
    slow = mido.MetaMessage("set_tempo", tempo=1_000_000)
    first = keys(("note_on", 60, 0), ("note_off", 60, 470))
    first.insert(0, slow)
    second = keys(("note_on", 62, 0), ("note_off", 62, 480))
    path = written(tmp_path / "x.mid", first, second, type=2)
    assert [(n.start, n.stop) for n in read_midi(path).notes] == [(0, 470), (480, 960)]
    # The second song sets no tempo, so it has the default one.
    times = [(round(n.start, 3), round(n.stop, 3)) for n in read_notes(path)]
    assert times == [(0.0, 0.979), (1.0, 1.5)]
    assert len(roll_from_midi(path, steps_per_beat=4)) == 8


def test_tracks_are_chosen_by_number_and_by_name(tmp_path: Path) -> None:
    tracks = []
    for pitch, name in ((60, "Right Hand"), (62, "left  hand"), (64, "Bass")):
        track = keys(("note_on", pitch, 0), ("note_off", pitch, 480))
        track.insert(0, mido.MetaMessage("track_name", name=name))
        tracks.append(track)
    path = written(tmp_path / "x.mid", *tracks)

    def pitches(*wanted: str) -> list[int]:
        return [n.pitch for n in read_midi(path, tracks=wanted).notes]

    assert pitches() == [60, 62, 64]
    assert pitches("Left hand", "3") == [62, 64]
    assert pitches("bass", "flute") == [64]
    with pytest.raises(DataError, match="no track 'flute'; it has 1 'right hand', 2 'left hand'"):
        read_midi(path, tracks=("flute",))


def test_a_rolls_prime_has_the_tempo_that_most_of_it_is_in(tmp_path: Path) -> None:
    track = keys(("note_on", 60, 0), ("note_off", 60, 960), ("note_on", 64, 0))
    track.insert(0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(140)))
    track.insert(2, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(90)))
    track.append(mido.Message("note_off", note=64, time=480))
    path = written(tmp_path / "x.mid", track)
    assert PianorollCodec(4).prime_bpm(str(path)) == pytest.approx(90, abs=0.01)
    frames = PianorollCodec(1).read_prime(str(path))
    assert [mask_to_pitches(f) for f in frames] == [[60], [60], [64]]
