from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.performance import read_notes
from stream_rnn.codecs.tablature import (
    COLUMNS,
    FIRST,
    FRETS,
    SIZE,
    TUNING,
    TablatureCodec,
    draw_tab,
    fretted,
    notes_of,
    read_tab,
)
from stream_rnn.errors import CheckpointError, DataError

CODEC = TablatureCodec(4)
columns = st.lists(st.integers(1, SIZE - 1), min_size=1, max_size=120)

SHOWN = """\
e|-----------|--------
B|-----------|1-------
G|-------0---|---12---
D|0---2------|--------
A|-----------|--------
E|-----------|--------"""


def test_a_tune_looks_as_guitarists_write_it() -> None:
    symbols = CODEC.parse("D0 - - D2 - G0 - - |B1 - G12 - -")
    assert CODEC.show(symbols) == SHOWN
    assert CODEC.parse(SHOWN) == symbols
    assert CODEC.event(symbols[3]) == {
        "text": "D2 ", "event": {"string": 4, "fret": 2, "note": 52}
    }  # fmt: skip
    assert CODEC.event(symbols[8])["text"] == "|B1 "
    assert CODEC.event(symbols[1]) == {"text": "- "}


@given(columns)
def test_columns_come_back_from_six_lines(symbols: list[int]) -> None:
    assert read_tab(draw_tab(symbols)) == symbols


@given(st.lists(columns, min_size=1, max_size=3))
def test_tunes_come_back_with_what_stands_between_them(tunes: list[list[int]]) -> None:
    symbols = [s for tune in tunes for s in [0, *tune]][1:]
    assert read_tab(draw_tab(symbols)) == symbols


@given(columns)
def test_columns_come_back_from_what_was_sent(symbols: list[int]) -> None:
    assert CODEC.parse("".join(CODEC.event(s)["text"] for s in symbols)) == symbols
    assert CODEC.unpack(CODEC.pack(CODEC.unpack(CODEC.pack(symbols)))).tolist() == symbols


@given(st.lists(st.integers(0, SIZE - 1), max_size=80))
def test_notes_follow_one_another_and_fit_the_columns(symbols: list[int]) -> None:
    notes = notes_of(symbols, 0.25)
    assert len(notes) == sum(s > 0 and (s - 1) % COLUMNS >= FIRST for s in symbols)
    end = 0.0
    for note in notes:
        assert note.stop - note.start >= 0.25 and note.start >= end
        end = note.stop
    assert end <= 0.25 * len(symbols)


def test_it_is_played_by_reading_what_it_wrote(tmp_path: Path) -> None:
    symbols = CODEC.parse("D0 - D2 - |x - B1 -")
    CODEC.write_file(symbols, tmp_path / "x.mid", bpm=60.0)
    notes = [(n.pitch, round(n.start, 2), round(n.stop, 2)) for n in read_notes(tmp_path / "x.mid")]
    assert notes == [(50, 0.0, 0.5), (52, 0.5, 1.0), (60, 1.5, 2.0)]
    file = mido.MidiFile(tmp_path / "x.mid")
    assert [m.tempo for m in file.tracks[0] if m.type == "set_tempo"] == [1_000_000]
    begun = [m.time for m in file.tracks[0] if m.type in ("note_on", "note_off")]
    assert begun == [0, 240, 0, 240, 240, 240], "eighths and halves of beats of 480 ticks"
    CODEC.write_file(symbols, tmp_path / "x.txt", bpm=60.0)
    assert CODEC.read_prime(str(tmp_path / "x.txt")) == symbols
    (tmp_path / "x.txt").write_bytes(b"e|--\nB|\xff-\n")
    with pytest.raises(DataError, match=r"x\.txt, line 2: not UTF-8"):
        CODEC.read_prime(str(tmp_path / "x.txt"))
    with pytest.raises(DataError, match=r"none\.txt: cannot be read"):
        CODEC.read_prime(str(tmp_path / "none.txt"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("D0 H2", "'H2' is not a column"),
        ("D16", "'D16' is not a column"),
        (3, "takes tablature"),
        ("e|--\nB|--", "system 1 is not six lines"),
        (SHOWN.replace("B|-", "B|"), "system 1 is not six lines"),
        (SHOWN.replace("A|--", "A|3-"), "system 1, column 1: not one note"),
        (SHOWN.replace("12", "19"), "system 1, column 16: not one note"),
    ],
)
def test_what_is_no_tablature_is_refused(value: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        CODEC.parse(value)


@given(st.lists(st.integers(40, 64 + FRETS), max_size=40))
def test_every_note_is_fretted_where_it_sounds(pitches: list[int]) -> None:
    places = fretted(pitches)
    assert places is not None
    assert [TUNING[string] + fret for string, fret in places] == pitches
    assert all(0 <= fret <= FRETS for _, fret in places)


def test_a_melody_stays_in_reach_and_low_on_the_neck() -> None:
    scale = fretted([48, 50, 52, 53, 55, 57, 59, 60, 62, 64, 65, 67])
    assert scale is not None
    assert [fret for _, fret in scale] == [3, 0, 2, 3, 0, 2, 0, 1, 3, 0, 1, 3]  # no shift
    high = fretted([76, 77, 79, 76, 74, 72, 71, 69])
    assert high is not None
    frets = [fret for _, fret in high]
    assert max(frets) - min(frets) <= 4 + 1 and len({string for string, _ in high}) > 1
    assert fretted([60, 30]) is None and fretted([]) == []


@pytest.mark.parametrize("data", [{}, {"steps_per_beat": 0}, {"steps_per_beat": 4, "columns": 9}])
def test_a_card_of_another_guitar_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        TablatureCodec.from_json(data)
