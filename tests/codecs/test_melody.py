"""Tunes read token by token, compared with a reading of the whole tune at once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.base import Sound
from stream_rnn.codecs.melody import BARS, PAUSE, Tune, key_signature, melody, natural_pitch
from stream_rnn.errors import CheckpointError

TOKENS = (
    "A B, c' ^c _d =f z 2 3 /2 3/2 > < << (3 (2 (5 (3:2:4 - | || |: :| :: [1 [2 "
    "M:6/8 [M:9/8] [M:3/4] [M:5/8] [M:none] K:Dmaj [K:Amin] K:Hp K:none"
).split()
tunes = st.lists(st.sampled_from(TOKENS), max_size=30)


def at_once(tokens: list[str]) -> list[tuple[int | None, float]]:
    """Reads a whole tune: the pitches and lengths of its notes, and after that its ties."""
    signature, in_bar, meter = dict[str, int](), dict[str, int](), "4/4"
    pitches: list[int | None] = []
    lengths: list[float] = []
    joined: list[bool] = []
    tuplet, left, stretch, tie = 1.0, 0, 1.0, False
    for token in tokens:
        note = re.fullmatch(r"([_^=]*)([A-Ga-gz])([,']*)", token)
        bent = re.fullmatch(r"\((\d)(?::(\d?):(\d?))?", token)
        if note:
            sign, letter, octave = note.groups()
            if sign:
                in_bar[letter.upper()] = {"^": 1, "_": -1, "=": 0}[sign]
            by = in_bar.get(letter.upper(), signature.get(letter.upper(), 0))
            joined.append(tie and bool(pitches))
            own = None if letter == "z" else natural_pitch(letter + octave) + by
            pitches.append(pitches[-1] if joined[-1] else own)
            lengths.append(stretch * (tuplet if left else 1.0))
            left, stretch, tie = max(0, left - 1), 1.0, False
        elif token in BARS:
            in_bar = {}
        elif bent:
            count = int(bent[1])
            three = meter in ("6/8", "9/8")
            over = {2: 3, 3: 2, 5: 3 if three else 2}[count]
            tuplet, left = int(bent[2] or over) / count, int(bent[3] or count)
        elif token == "-":
            tie = True
        elif "K:" in token:
            signature, in_bar = key_signature(token.strip("[]")[2:]), {}
        elif "M:" in token:
            meter = token.strip("[]")[2:]
        elif token[0] in "<>" and pitches:
            short = 0.5 ** len(token)
            lengths[-1] *= short if token[0] == "<" else 2 - short
            stretch = 2 - short if token[0] == "<" else short
        elif token[0] in "0123456789/" and pitches:
            over, _, under = token.partition("/")
            lengths[-1] *= int(over or 1) / int(under or 1)
    sounds: list[tuple[int | None, float]] = []
    for pitch, length, tied in zip(pitches, lengths, joined, strict=True):
        sounds.append((pitch, length + (sounds.pop()[1] if tied else 0.0)))
    return sounds


def alike(sounds: list[Sound], wanted: list[tuple[int | None, float]]) -> bool:
    got = [(s.pitch, round(2 * s.beats, 9)) for s in sounds]
    return got == [(pitch, round(eighths, 9)) for pitch, eighths in wanted]


@given(tunes)
def test_token_by_token_is_what_the_whole_tune_is(tokens: list[str]) -> None:
    assert melody(tokens) == [(p, pytest.approx(length)) for p, length in at_once(tokens)]


@given(st.lists(tunes, min_size=1, max_size=3))
def test_a_stream_is_its_tunes_with_a_pause_after_each(some: list[list[str]]) -> None:
    codec = AbcCodec(TOKENS)
    stream = codec.encode([token for tune in some for token in [*tune, ""]])
    reading, sounds, notes = codec.reading(), [], []
    for n, symbol in enumerate([*stream, *codec.encode("z")]):
        reading, sound = reading.after(symbol)
        if sound is not None:
            sounds.append(sound)
            notes.append(n - sound.ago)
    wanted = [one for tune in some for one in [*at_once(tune), (None, PAUSE)]]
    assert alike(sounds, wanted)
    # Each sound points back to its note, or to the end of the tune for a pause.
    assert all(codec.vocabulary[stream[n]][-1:] not in [*"0123456789|-<>"] for n in notes)


def test_what_was_fed_is_known_but_not_heard() -> None:
    codec = AbcCodec(TOKENS)
    reading = codec.reading()
    for symbol in codec.encode("K:Dmaj c' A >".split()):
        reading, _ = reading.after(symbol)
        reading = reading.unheard()
    sounds = []
    for symbol in codec.encode("c' - c' z".split()):
        reading, sound = reading.after(symbol)
        sounds.append(sound)
    # The fed key makes it C sharp, the fed `>` shortens its first part, and it is tied.
    assert sounds == [None, None, None, Sound(85, 0.75, 3)]


def test_a_tie_to_what_was_fed_is_a_note_of_its_own() -> None:
    tune, _ = Tune().after("A")
    tune, _ = tune.unheard().after("-")
    tune, sound = tune.after("A")
    assert sound is None
    assert tune.after("B")[1] == Sound(69, 0.5, 1)


@pytest.mark.parametrize("token", ["M:1/0", "M:soon", "M:2+3/8", "K:", "K:Hx", "K:Dmaj ^", "/0"])
def test_a_vocabulary_with_what_cannot_be_played_is_refused(token: str) -> None:
    with pytest.raises(CheckpointError, match="is no ABC token"):
        AbcCodec(["A", token])


def test_a_key_of_eight_sharps_or_flats_doubles_the_first() -> None:
    assert key_signature("G#maj") == {"F": 2} | dict.fromkeys("CGDAEB", 1)
    assert (
        key_signature("Fbmaj") == key_signature("Ebloc") == {"B": -2} | dict.fromkeys("EADGCF", -1)
    )
