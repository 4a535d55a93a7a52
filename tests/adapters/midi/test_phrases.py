import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.adapters.midi.phrases import FORGOTTEN, Phrase, as_events, as_frames
from stream_rnn.codecs.performance import Note as Played
from stream_rnn.codecs.performance import PerformanceCodec, decode_notes
from stream_rnn.codecs.pianoroll import PianorollCodec


def frames(notes: list[Played], step: float = 0.1, limit: int = 100) -> list[list[int]]:
    origin = notes[0].start
    return as_frames(notes, lambda t: (t - origin) / step, first=0, limit=limit)


def test_keys_become_frames_at_the_nearest_steps() -> None:
    notes = [Played(5.0, 5.21, 60, 80), Played(5.13, 5.28, 64, 80), Played(5.57, 5.58, 67, 80)]
    assert frames(notes) == [[60], [60, 64], [64], [], [], [], [67]]


def test_a_chord_that_is_struck_unevenly_begins_together() -> None:
    notes = [Played(5.0, 5.2, 60, 80), Played(5.02, 5.2, 64, 80), Played(5.038, 5.2, 67, 80)]
    assert frames(notes, step=0.03) == [[60, 64, 67]] * 7
    apart = [Played(5.0, 5.2, 60, 80), Played(5.045, 5.2, 64, 80)]
    assert frames(apart, step=0.03)[0] == [60]


def test_a_key_that_is_struck_again_is_let_go_before_where_there_is_room() -> None:
    assert frames([Played(5.0, 5.2, 60, 80), Played(5.2, 5.4, 60, 80)]) == [[60], [], [60], [60]]
    assert frames([Played(5.0, 5.1, 60, 80), Played(5.1, 5.2, 60, 80)]) == [[60], [60]]


def test_of_a_long_phrase_the_last_frames_are_kept() -> None:
    notes = [Played(float(i), i + 0.1, 60 + i, 80) for i in range(20)]
    kept = frames(notes, limit=11)
    assert len(kept) == 11
    assert (kept[0], kept[10]) == ([78], [79])


def test_an_upbeat_keeps_its_place() -> None:
    notes = [Played(5.0, 5.1, 60, 80)]
    assert as_frames(notes, lambda t: t * 10, first=47, limit=100) == [[], [], [], [60]]


def test_nothing_played_is_nothing() -> None:
    assert as_frames([], lambda t: t, first=0, limit=10) == []
    assert as_events([], speed=1.0, limit=10) == []


times = st.floats(0, 30)
played = st.builds(
    lambda start, length, pitch, velocity: Played(start, start + length, pitch, velocity),
    times, st.floats(0, 5), st.integers(21, 108), st.integers(1, 127),
)  # fmt: skip
phrases = st.lists(played, min_size=1, max_size=40).map(
    lambda notes: sorted(notes, key=lambda n: (n.start, n.pitch))
)


@given(phrases, st.floats(0.02, 0.5), st.integers(1, 300))
def test_every_note_has_its_frame_and_every_model_can_read_them(
    notes: list[Played], step: float, limit: int
) -> None:
    whole = frames(notes, step, limit=10_000)
    assert len(PianorollCodec(4).parse(whole)) == len(whole)
    assert whole[0] and whole[-1]  # no silence around it
    origin, chord = notes[0].start, -1.0
    for note in notes:
        chord = note.start if note.start > chord + 0.04 else chord
        assert note.pitch in whole[round((chord - origin) / step)]
    assert {p for frame in whole for p in frame} == {n.pitch for n in notes}
    assert frames(notes, step, limit) == whole[-limit:]


@given(phrases, st.integers(1, 400))
def test_events_play_the_same_notes(notes: list[Played], limit: int) -> None:
    codec = PerformanceCodec()
    alone: list[Played] = []  # one key at a time, as on a keyboard
    for note in notes:
        if all(note.pitch != n.pitch or note.start > n.stop + 0.02 for n in alone):
            alone.append(note)
    symbols = codec.parse(as_events(alone, speed=1.0, limit=10_000))
    heard = decode_notes(symbols)
    assert [n.pitch for n in sorted(heard, key=lambda n: (n.start, n.pitch))] == [
        n.pitch for n in sorted(alone, key=lambda n: (round((n.start - alone[0].start) / 0.01),
                                                      n.pitch))
    ]  # fmt: skip
    for note, original in zip(
        heard,
        sorted(alone, key=lambda n: (round((n.start - alone[0].start) / 0.01), n.pitch)),
        strict=True,
    ):
        assert note.start == pytest.approx(original.start - alone[0].start, abs=0.0051)
        assert abs(note.velocity - original.velocity) <= 3
    few = as_events(alone, speed=1.0, limit=limit)
    assert len(few) <= limit
    assert len(codec.parse(few)) == len(few)


def test_the_speed_of_the_stream_is_that_of_what_it_hears() -> None:
    notes = [Played(0.0, 0.5, 60, 80)]
    assert as_events(notes, speed=2.0, limit=10)[2] == {"shift": 1.0}


def test_a_phrase_is_over_when_it_has_been_silent() -> None:
    phrase = Phrase()
    phrase.on(60, 80, 1.0)
    assert phrase.over_at(0.5) == 1.0 + FORGOTTEN  # still down
    phrase.off(60, 2.0)
    assert phrase.over_at(0.5) == 2.5
    assert phrase.notes() == [Played(1.0, 2.0, 60, 80)]


def test_the_pedal_keeps_notes_and_not_the_phrase() -> None:
    phrase = Phrase()
    phrase.pedal(True, 0.9)
    phrase.on(60, 80, 1.0)
    phrase.off(60, 1.1)
    phrase.on(64, 70, 1.5)
    phrase.off(64, 1.6)
    assert phrase.over_at(0.5) == 2.1
    phrase.pedal(False, 2.0)
    assert phrase.notes() == [Played(1.0, 2.0, 60, 80), Played(1.5, 2.0, 64, 70)]


def test_a_key_twice_down_and_one_never_let_go() -> None:
    phrase = Phrase()
    phrase.on(60, 80, 1.0)
    phrase.on(60, 90, 1.5)
    phrase.on(5, 90, 1.6)  # the piano has no such key
    phrase.off(72, 1.7)  # not down
    phrase.on(64, 50, 2.0)
    phrase.off(64, 2.2)
    assert phrase.notes() == [
        Played(1.0, 1.5, 60, 80), Played(1.5, 2.2, 60, 90), Played(2.0, 2.2, 64, 50)
    ]  # fmt: skip
