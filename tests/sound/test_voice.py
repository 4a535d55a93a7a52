"""Symbols as notes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import shown

from stream_rnn.sound import voice as sound
from stream_rnn.sound.voice import LETTERS, MIDDLE_C, Note, is_verse, letter_pitch


class Voice(sound.Voice):
    """One that plays symbols given by their fields."""

    def play(self, fields: dict[str, Any], **how: int) -> list[Note]:  # type: ignore[override]
        return super().play(shown(fields), **how)


pitches = st.integers(0, 127)
frames = st.builds(
    lambda notes, struck: {"notes": sorted(notes), "onsets": sorted(notes & struck)},
    st.sets(pitches, max_size=6),
    st.sets(pitches, max_size=6),
)
texts = st.builds(lambda c: {"text": c}, st.characters())
performed = st.builds(
    lambda kind, value, loud: {"event": {kind: value}, **loud},
    st.sampled_from(["on", "off", "velocity"]),
    st.integers(1, 127),
    st.sampled_from([{}, {"velocity": 1}, {"velocity": 127}]),
)
plucked = st.builds(
    lambda string, note: {"event": {"string": string, "note": note}},
    st.integers(1, 3),
    st.integers(60, 63),
)
touches = st.builds(
    lambda player, down, pitch, fed: {
        "touch": {"player": player, "x": 0.5, "y": 0.5, "down": down, "pitch": pitch}, "fed": fed
    },
    st.integers(0, 3), st.integers(0, 1), st.integers(50, 53), st.booleans(),
)  # fmt: skip
fed = st.builds(lambda notes: {"notes": sorted(notes), "fed": True}, st.sets(pitches, max_size=3))


@given(
    st.lists(
        st.tuples(st.one_of(frames, texts, performed, plucked, fed), st.integers(-48, 48)),
        max_size=40,
    ),
    st.integers(1, 127),
)
def test_every_note_that_begins_ends_once(
    symbols: list[tuple[dict[str, Any], int]], velocity: int
) -> None:
    voice, sounding = Voice(), set()
    for symbol, transpose in symbols:
        for note in voice.play(symbol, velocity=velocity, transpose=transpose):
            assert 0 <= note.pitch < 128 and 0 <= note.velocity < 128
            assert (note.pitch in sounding) == (note.velocity == 0)
            (sounding.remove if note.velocity == 0 else sounding.add)(note.pitch)
        assert sounding == set(voice.sounding)
    assert {n.pitch for n in voice.release()} == sounding and not voice.sounding


def test_a_key_in_successive_frames_is_held_and_struck_again_at_an_onset() -> None:
    voice = Voice()
    assert voice.play({"notes": [60, 64]}) == [Note(60, 80), Note(64, 80)]
    assert voice.play({"notes": [60, 67]}) == [Note(64, 0), Note(67, 80)]
    assert voice.play({"notes": [60, 67], "onsets": [60]}) == [Note(60, 0), Note(60, 80)]


def test_a_change_of_transposition_ends_what_sounded_before() -> None:
    voice = Voice()
    voice.play({"notes": [60]})
    assert voice.play({"notes": [60]}, transpose=2) == [Note(60, 0), Note(62, 80)]


def test_what_is_fed_is_not_sounded() -> None:
    voice = Voice()
    voice.play({"notes": [60]})
    assert voice.play({"notes": [60, 64], "fed": True}) == [Note(60, 0)]


def test_a_performance_keeps_its_dynamics() -> None:
    voice = Voice()
    assert voice.play({"event": {"velocity": 33}}) == []
    assert voice.play({"event": {"on": 60}, "velocity": 33}, velocity=80) == [Note(60, 33)]
    assert voice.play({"event": {"on": 62}, "velocity": 33}, velocity=120) == [Note(62, 50)]
    assert voice.play({"event": {"on": 64}, "velocity": 126}, velocity=120) == [Note(64, 127)]
    assert voice.play({"event": {"on": 65}, "velocity": 2}, velocity=1) == [Note(65, 1)]
    assert voice.play({"event": {"on": 67}}, velocity=90) == [Note(67, 90)]
    assert voice.play({"event": {"shift": 0.5}}) == []
    assert voice.play({"event": {"off": 60}}) == [Note(60, 0)]
    assert voice.play({"event": {"off": 60}}) == []


def test_a_key_ends_as_the_pitch_that_it_began_as() -> None:
    voice = Voice()
    assert voice.play({"event": {"on": 60}}) == [Note(60, 80)]
    assert voice.play({"event": {"off": 60}}, transpose=12) == [Note(60, 0)]
    voice.play({"event": {"on": 60}})
    assert voice.play({"event": {"off": 60}, "fed": True}, transpose=12) == [Note(60, 0)]
    # Struck again at another pitch, the old note ends; beyond the MIDI range, it only ends.
    voice.play({"event": {"on": 60}})
    assert voice.play({"event": {"on": 60}}, transpose=12) == [Note(60, 0), Note(72, 80)]
    assert voice.play({"event": {"on": 60}}, transpose=80) == [Note(72, 0)]


def test_a_pitch_belongs_to_the_key_that_struck_it_last() -> None:
    voice = Voice()
    voice.play({"event": {"on": 60}}, transpose=12)
    assert voice.play({"event": {"on": 72}}) == [Note(72, 0), Note(72, 80)]
    assert voice.play({"event": {"off": 60}}) == []
    assert voice.play({"event": {"off": 72}}) == [Note(72, 0)]
    voice.play({"event": {"string": 1, "note": 64}})
    voice.play({"event": {"string": 2, "note": 64}})
    assert voice.play({"event": {"string": 1, "note": 67}}) == [Note(67, 80)]
    assert voice.sounding == (64, 67)


def test_a_key_that_a_performance_forgets_is_let_go() -> None:
    voice = Voice()
    voice.play({"event": {"on": 60}, "due": 100.0})
    assert voice.play({"event": {"shift": 1.0}, "due": 104.9}) == []
    assert voice.play({"event": {"velocity": 80}, "due": 105.1}) == [Note(60, 0)]
    assert voice.play({"event": {"off": 60}, "due": 105.2}) == []


def test_a_string_is_plucked_again() -> None:
    voice = Voice()
    assert voice.play({"event": {"string": 1, "fret": 0, "note": 64}}) == [Note(64, 80)]
    assert voice.play({"event": {"string": 2, "fret": 0, "note": 59}}) == [Note(59, 80)]
    assert voice.play({"event": {"string": 1, "fret": 3, "note": 67}}) == [
        Note(64, 0),
        Note(67, 80),
    ]
    assert voice.sounding == (59, 67)


def test_letters_sound_by_how_common_they_are() -> None:
    assert letter_pitch("e") == letter_pitch("E") == letter_pitch("é") == MIDDLE_C
    heights = [abs((letter_pitch(c) or 0) - MIDDLE_C) for c in LETTERS]
    assert heights[0] == 0 and max(heights[:9]) <= 12 < min(heights[-9:])
    assert len({letter_pitch(c) for c in LETTERS}) == 26
    assert letter_pitch("7") is not None
    assert [letter_pitch(c) for c in " \n.,'\f"] == [None] * 6


@pytest.mark.parametrize("text", ["ee", "Ee"])
def test_each_letter_is_struck_anew_and_a_capital_is_louder(text: str) -> None:
    voice = Voice()
    first = voice.play({"text": text[0]})
    assert first == [Note(MIDDLE_C, 104 if text[0] == "E" else 80)]
    assert voice.play({"text": text[1]}) == [Note(MIDDLE_C, 0), Note(MIDDLE_C, 80)]
    assert voice.play({"text": " "}) == [Note(MIDDLE_C, 0)]


@given(st.lists(st.one_of(touches, fed), max_size=60), st.integers(-60, 80), st.booleans())
def test_a_finger_sounds_one_key_at_a_time_on_a_part_of_its_own(
    symbols: list[dict[str, Any]], transpose: int, led: bool
) -> None:
    voice = Voice(led=led)
    sounding: dict[int, int] = {}
    for symbol in symbols:
        for note in voice.play(symbol, transpose=transpose):
            if "touch" not in symbol:
                sounding.pop(note.player, None)
            elif note.velocity:
                assert note.player not in sounding and 0 <= note.pitch < 128
                sounding[note.player] = note.pitch
            else:
                assert sounding.pop(note.player) == note.pitch
        if touch := symbol.get("touch"):
            sounds = touch["down"] and (led or not symbol["fed"])
            pitch = touch["pitch"] + transpose
            expected = pitch if sounds and 0 <= pitch < 128 else None
            assert sounding.get(touch["player"]) == expected
    for note in voice.release():
        sounding.pop(note.player, None)
    assert not sounding and not voice.release()


def test_a_persons_gesture_ends_nobodys_notes() -> None:
    voice = Voice()
    touch = {"player": 2, "x": 0.5, "y": 0.5, "down": 1, "pitch": 60}
    assert voice.play({"touch": touch}) == [Note(60, 80, 2)]
    assert voice.play({"event": {"player": 0, "gesture": 3}, "fed": True}) == []
    assert voice.play({"touch": touch}) == []  # it is held
    assert voice.play({"event": {"end": 1}}) == [Note(60, 0, 2)]


def test_what_a_stream_spells_takes_the_place_of_what_sounded() -> None:
    voice = Voice()

    def play(text: str, *pitches: int | None, **fields: Any) -> list[Note]:
        sounds = [{"pitch": pitch, "seconds": 0.2, "n": 0} for pitch in pitches]
        return voice.play({"text": text, "sounds": sounds, **fields}, transpose=1)

    assert play("G") == []  # a token, not a letter
    assert play("A", 67) == [Note(68, 80)]
    assert play("2") == [] and voice.sounding == (68,)
    assert play("A", 67) == [Note(68, 0), Note(68, 80)]
    assert play("z", None) == [Note(68, 0)]
    assert play("c", 127) == []
    assert play("d", 60) == [Note(61, 80)]
    assert play("e", fed=True) == [Note(61, 0)]


def test_a_rest_and_the_end_silence_every_string() -> None:
    for silencing in ({"rest": 1}, {"end": 1}):
        voice = Voice()
        voice.play({"event": {"string": 1, "note": 64}, "text": "e0 "})
        voice.play({"event": {"string": 2, "note": 59}, "text": "B0 "})
        assert voice.play({"text": "- "}) == []
        assert voice.play({"event": silencing, "text": "x "}) == [Note(64, 0), Note(59, 0)]
        # A string that was silenced does not end another string's later note of that pitch.
        voice.play({"event": {"string": 2, "note": 64}, "text": "B5 "})
        voice.play({"event": {"string": 1, "note": 67}, "text": "e3 "})
        assert voice.sounding == (64, 67)


def test_a_string_that_is_left_to_ring_ends() -> None:
    voice = Voice()
    voice.play({"event": {"string": 1, "note": 64}, "due": 10.0})
    assert voice.play({"event": {"string": 2, "note": 59}, "due": 11.5}) == [Note(59, 80)]
    assert voice.play({"text": "- ", "due": 12.1}) == [Note(64, 0)]
    assert voice.play({"text": "- ", "due": 13.6}) == [Note(59, 0)]


def test_only_plain_text_is_verse() -> None:
    assert is_verse(shown({"text": "a"}))
    assert not is_verse(shown({"text": "A", "sounds": []}))
    assert not is_verse(shown({"text": "D0 ", "event": {"note": 50}}))
    assert not is_verse(shown({"text": "- "}))
    assert not is_verse(shown({"notes": [60]}))
