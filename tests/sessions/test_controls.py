import json
import math
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.pianoroll import PianorollCodec, mask_to_pitches
from stream_rnn.codecs.scales import SCALES, TONICS, scale_pitches
from stream_rnn.codecs.text import TextCodec
from stream_rnn.control_table import SYNCS, TABLE
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.controls import (
    Controls,
    default_controls,
    engine_settings,
    merge_controls,
)
from stream_rnn.sessions.tempo import FREE, SOURCES

VERSE = Card("verse", "Verse", TextCodec("ab").to_json(), {}, artists=("Poe", "Blake", "Keats"))
TUNES = Card("tunes", "Tunes", PianorollCodec(4).to_json(), {})

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
names = st.sampled_from(sorted(TABLE))


def merged(card: Card = VERSE, /, **changes: Any) -> Controls:
    return merge_controls(default_controls(card, 0), changes, card)


def test_what_can_be_set_is_what_a_session_has_and_what_can_be_followed_is_what_there_is() -> None:
    assert list(TABLE) == [f.name for f in fields(Controls)]
    assert (FREE, *SOURCES) == SYNCS


def test_a_session_starts_with_the_cards_defaults_and_an_even_blend() -> None:
    card = Card("v", "V", VERSE.codec, {}, artists=("A", "B"), defaults={"temperature": 0.7})
    controls = default_controls(card, 5)
    assert controls.artist == {"A": 0.5, "B": 0.5}
    assert (controls.temperature, controls.seed) == (0.7, 5)
    assert (controls.rate, controls.bpm) == (15.0, 225.0)


def test_a_card_may_give_its_tempo_as_bpm_or_as_rate() -> None:
    for defaults in ({"bpm": 120}, {"rate": 8}, {"bpm": 120, "rate": 8}):
        card = Card("t", "T", TUNES.codec, {}, defaults=defaults)
        controls = default_controls(card, 0)
        assert (controls.rate, controls.bpm) == (8.0, 120.0)


def test_rate_and_bpm_follow_each_other() -> None:
    assert merged(TUNES, bpm=60).rate == 4.0
    assert merged(TUNES, rate=2).bpm == 30.0
    assert merged(TUNES, rate=2, bpm=30).rate == 2.0
    with pytest.raises(ProtocolError, match="rate say different things") as caught:
        merged(TUNES, rate=2, bpm=31)
    assert caught.value.field == "controls.bpm"


@given(st.dictionaries(names | st.text(), anything, max_size=4), st.sampled_from([VERSE, TUNES]))
def test_any_changes_are_merged_or_refused_by_name(changes: dict[str, Any], card: Card) -> None:
    start = default_controls(card, 0)
    try:
        controls = merge_controls(start, changes, card)
    except ProtocolError as error:
        assert error.code in {"bad_value", "unknown_control", "unknown_artist"}
        assert error.field is not None
        assert error.field.removeprefix("controls.") in {*changes, "rate"}
        return
    assert controls.rate * 60 == pytest.approx(controls.bpm * 4)
    json.dumps(controls.to_json(), allow_nan=False)
    engine_settings(controls, card)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("temperature", "hot", "temperature must be a number, not 'hot'"),
        ("temperature", True, "temperature must be a number, not True"),
        ("temperature", -0.1, "from 0 to 100, not -0.1"),
        ("temperature", math.nan, "from 0 to 100, not nan"),
        ("temperature", 10**400, "from 0 to 100, not 1000"),
        ("rate", 0, "rate must be from 0.01 to 200, not 0"),
        ("rate", math.inf, "not inf"),
        ("bpm", 1e9, "bpm must be from 0.1 to 12000"),
        ("top_k", 2.5, "top_k must be a whole number, not 2.5"),
        ("top_p", 1.01, "top_p must be from 0 to 1"),
        ("velocity", 0, "velocity must be from 1 to 127"),
        ("channel", 17, "channel must be from 1 to 16"),
        ("seed", -1, "seed must be from 0"),
        ("artist", {}, "a name, or an object of names and weights"),
        ("artist", ["Poe"], "a name, or an object"),
        ("artist", {"Poe": 0}, "one weight above 0"),
        ("artist", {"Poe": -1}, "artist must be from 0"),
        ("artist", {"Poe": "x"}, "artist must be a number"),
        ("artist", "Bard", "'Bard' is not known to the model 'verse', which has"),
        ("pitches", "C major", "means nothing to the model 'verse'"),
        ("tempo", 3, "tempo is not a control; there are: artist, bpm, channel"),
    ],
)
def test_a_refusal_names_the_control_and_what_would_be_right(
    name: str, value: object, said: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        merged(**{name: value})
    assert said in str(caught.value)
    assert caught.value.field == f"controls.{name}"


def test_a_model_without_artists_has_no_artist_to_choose() -> None:
    with pytest.raises(ProtocolError, match="'tunes', which has no artists"):
        merged(TUNES, artist="Poe")


@pytest.mark.parametrize("depth", range(880, 1000))
def test_a_value_nested_beyond_what_can_be_shown_is_refused_like_any_other(depth: int) -> None:
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    for name in ("temperature", "pitches"):
        with pytest.raises(ProtocolError) as caught:
            merged(TUNES, **{name: deep})
        assert len(str(caught.value)) < 200


@given(st.dictionaries(st.sampled_from(VERSE.artists), st.floats(0, 1e6), min_size=1))
def test_a_blends_weights_add_up_to_one(weights: dict[str, float]) -> None:
    if not any(weights.values()):
        return
    controls = merged(artist=weights)
    assert controls.artist is not None
    assert math.fsum(controls.artist.values()) == pytest.approx(1)
    settings = engine_settings(controls, VERSE)
    assert settings.artists == tuple(controls.artist.get(a, 0.0) for a in VERSE.artists)


def test_whole_numbers_may_be_written_as_floats() -> None:
    assert merged(top_k=5.0).top_k == 5
    assert merged(temperature=1).temperature == 1.0


def test_a_scale_is_allowed_over_the_whole_piano() -> None:
    assert scale_pitches("major") == scale_pitches("C major")
    assert {p % 12 for p in scale_pitches("F# minor pentatonic")} == {6, 9, 11, 1, 4}
    for tonic in TONICS:
        for scale in SCALES:
            pitches = scale_pitches(f"{tonic} {scale}")
            assert pitches == sorted(set(pitches))
            assert {p % 12 for p in pitches} == {(TONICS[tonic] + s) % 12 for s in SCALES[scale]}


@pytest.mark.parametrize("name", ["", "C", "H major", "C  major", "c major", "X" * 100])
def test_no_such_scale(name: str) -> None:
    with pytest.raises(ProtocolError, match="is no scale; scales are major, minor") as caught:
        merged(TUNES, pitches=name)
    assert caught.value.field == "controls.pitches"


def test_allowed_pitches_reach_the_engine_as_a_packed_symbol() -> None:
    def allowed(pitches: object) -> list[int]:
        settings = engine_settings(merged(TUNES, pitches=pitches), TUNES)
        return mask_to_pitches(int.from_bytes(settings.allowed, "little"))

    assert allowed([64, 60, 60]) == [60, 64]
    assert allowed("D dorian") == scale_pitches("D dorian")
    assert engine_settings(merged(TUNES, pitches=None), TUNES).allowed == b""
    with pytest.raises(ProtocolError, match="pitches has 12: pitches are whole numbers 21 to 108"):
        allowed([60, 12])


def test_the_protocol_shows_plain_values() -> None:
    assert merged(TUNES, pitches=[60]).to_json()["pitches"] == (60,)
    assert "pitches" not in merged(TUNES).to_json()
    assert merged(artist="Poe").to_json()["artist"] == {"Poe": 1.0}
