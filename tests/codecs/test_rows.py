"""The ensemble's gestures and the touch surface's reports, which are both rows."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.codecs.registry import codec_from_json
from stream_rnn.codecs.rows import RowsCodec
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.errors import CheckpointError, DataError

BAND = EnsembleCodec.usual()
TOUCH = TouchCodec(("x", "y", "pressure"), 32, 0.05)
TIMED = TouchCodec(("dt", "x", "y"), 32, 0.05, timed=True)
codecs = st.sampled_from([BAND, TOUCH])


@st.composite
def played(draw: st.DrawFn) -> tuple[RowsCodec, list[list[int]]]:
    codec = draw(codecs)
    row = st.lists(
        st.integers(0, codec.classes - 1),
        min_size=len(codec.columns),
        max_size=len(codec.columns),
    )
    return codec, draw(st.lists(row, max_size=20))


@given(played())
def test_rows_come_back_from_their_symbols_their_events_and_their_text(
    given: tuple[RowsCodec, list[list[int]]],
) -> None:
    codec, rows = given
    symbols = codec.encode(rows)
    assert codec.decode(symbols) == rows
    assert codec.parse([codec.event(s)["event"] for s in symbols]) == symbols
    assert codec.parse(codec.show(symbols)) == symbols
    assert codec.unpack(codec.pack(codec.unpack(codec.pack(symbols)))).tolist() == symbols
    lasts = sum(codec.seconds(s) or 0.0 for s in symbols)
    assert lasts == pytest.approx(codec.period * len(rows))


@given(played())
def test_rows_come_back_from_a_file(
    tmp_path_factory: pytest.TempPathFactory, given: tuple[RowsCodec, list[list[int]]]
) -> None:
    codec, rows = given
    path = tmp_path_factory.mktemp("rows") / "x.csv"
    codec.write_file(codec.encode(rows), path, 120.0)
    assert codec.read_prime(str(path)) == codec.encode(rows)
    assert path.read_text().splitlines()[0] == ",".join(["time", *codec.columns])


@given(codecs, st.data())
def test_any_symbols_are_rows_that_take_their_time(codec: RowsCodec, data: st.DataObject) -> None:
    symbols = data.draw(st.lists(st.integers(0, codec.size - 1), max_size=40))
    ends = sum((s - 1) // codec.classes == len(codec.columns) - 1 for s in symbols if s)
    assert len(codec.decode(symbols)) == ends
    lasts = sum(codec.seconds(s) or 0.0 for s in symbols)
    assert lasts == pytest.approx(codec.period * (ends + symbols.count(0)))
    assert codec.parse([codec.event(s)["event"] for s in symbols]) == symbols


@given(st.lists(st.lists(st.integers(0, 31), min_size=3, max_size=3), max_size=20))
def test_timed_rows_last_as_long_as_they_say(rows: list[list[int]]) -> None:
    symbols = TIMED.encode(rows)
    assert TIMED.parse([TIMED.event(s)["event"] for s in symbols]) == symbols
    assert TIMED.parse(TIMED.show(symbols)) == symbols
    assert codec_from_json(TIMED.to_json()).to_json() == TIMED.to_json()
    lasts = sum(TIMED.seconds(s) or 0.0 for s in symbols)
    assert lasts == pytest.approx(sum(TIMED.value(row[0], 0) for row in rows))


@given(st.floats(0.0, 20.0))
def test_a_time_is_near_its_level(seconds: float) -> None:
    level = TIMED.level(seconds, 0)
    assert 0 <= level < 32
    kept = TIMED.value(level, 0)
    assert kept == pytest.approx(min(max(seconds, 0.002), 5.0), rel=0.14)
    assert TIMED.level(kept, 0) == level


def test_a_player_that_is_left_out_plays_on() -> None:
    assert BAND.decode(BAND.parse([[1, 2, 3, 4], {"player": 3, "gesture": 8}])) == [
        [1, 2, 3, 4], [1, 2, 3, 8]
    ]  # fmt: skip
    assert BAND.show(BAND.parse("FT ST 3 N\n0 0 0 C")) == "FT ST FS N\nN N N C"


def test_a_value_is_its_level() -> None:
    symbols = TOUCH.parse([[0, 0.5, 1], {"x": 0.26}])
    assert [TOUCH.event(s)["event"] for s in symbols] == [
        {"x": 0.0156}, {"y": 0.5156}, {"pressure": 0.9844}, {"x": 0.2656}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("codec", "value", "said"),
    [
        (BAND, 3, "takes a list of rows"),
        (BAND, [[1, 2, 3]], r"row 0 is \[1, 2, 3\]; a row is \[lead, one, two, three\]"),
        (BAND, [[1, 2, 3, 9]], "row 0 is 9, not a whole number 0 to 8"),
        (BAND, [[1, 2, 3, True]], "row 0 is True"),
        (BAND, "1 2 3 XX", "row 0 is 'XX'"),
        (BAND, [{"player": 4, "gesture": 1}], "event 0: give player, 0 to 3"),
        (BAND, [{"player": 1}], "event 0: give player"),
        (BAND, [{"player": 1, "gesture": 9}], "event 0 is 9"),
        (TOUCH, [[0, 0, 1.5]], "row 0: 1.5 is not a number 0 to 1"),
        (TOUCH, [[0, 0, float("nan")]], "row 0: nan is not"),
        (TOUCH, [[0, 0, True]], "row 0: True is not"),
        (TOUCH, [[0, 0, "far"]], "row 0: None is not"),
        (TOUCH, [{"z": 0.5}], "event 0: give one of x, y, pressure"),
    ],
)
def test_what_is_no_row_is_refused(codec: RowsCodec, value: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        codec.parse(value)


@pytest.mark.parametrize("text", ["", "a,b\n1,x,2\n"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    if text:
        with pytest.raises(DataError):
            BAND.read_prime(str(path))
    with pytest.raises(DataError, match="cannot be read"):
        BAND.read_prime(str(tmp_path / "none.csv"))


CARD: dict[str, Any] = {"columns": ["x", "y"], "classes": 4, "period": 0.1}


@pytest.mark.parametrize("domain", ["ensemble", "touch"])
def test_a_codec_comes_back_from_its_card(domain: str) -> None:
    codec = codec_from_json({"domain": domain, **CARD})
    assert codec_from_json(codec.to_json()).to_json() == {"domain": domain, **CARD}
    assert codec.size == 9
    for broken in ({"columns": "xy"}, {"columns": []}, {"classes": 1}, {"classes": 9999},
                   {"classes": 4.0}, {"period": 0}, {"period": "long"}):  # fmt: skip
        with pytest.raises(CheckpointError):
            codec_from_json({"domain": domain, **CARD, **broken})
