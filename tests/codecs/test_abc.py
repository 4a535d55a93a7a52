import itertools
from pathlib import Path

import mido
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_rnn.codecs.abc import AbcCodec, text_of, tokenize
from stream_rnn.codecs.melody import bars_add_up, key_signature, melody
from stream_rnn.errors import CheckpointError, DataError

TUNE = """X: 12
T: A Jig, of sorts
M: 6/8
L: 1/16
R: jig
K: G Dor
% a comment
|: "Gm"(G4A2) {c}B2>A2 ~G2 | (3B2c2d2 g2- | g6 z6 :|1 \\
w: no words are sung
d12 :|2 [Gd]12 || [K:Am] `^c'2 | _B,,4 !trill!=c2 x6 |]
"""
TOKENS = [
    "M:6/8", "K:Gdor", "|:", "G", "2", "A", "B", ">", "A", "G", "|", "(3", "B", "c", "d", "g", "|",
    "-", "g", "3", "z", "3", ":|", "[1", "d", "6", ":|", "[2", "d", "6", "||", "[K:Amin]", "^c'",
    "|", "_B,,", "2", "=c", "z", "3", "||",
]  # fmt: skip

notes = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "^", "_", "=", "^^", "__"]),
    st.sampled_from("ABCDEFGabcdefg"),
    st.sampled_from(["", "", "'", ",", "''", ",,"]),
)
lengths = st.sampled_from(["", "", "2", "3", "/2", "3/2", "/4", "7/4", "12"])
sounding = st.tuples(st.just(()), st.one_of(notes, st.just("z")), lengths)
bent = st.tuples(st.sampled_from([("(3",), (">",), ("<<",), ()]), notes, lengths)
bars = st.lists(st.one_of(sounding, bent), min_size=1, max_size=6)


@st.composite
def tunes(draw: st.DrawFn) -> list[str]:
    """A header and bars, none of which need add up."""
    tokens = [draw(st.sampled_from(["M:6/8", "M:2/2", "M:9/16"])), "K:" + draw(
        st.sampled_from(["Cmaj", "F#min", "Bbmix", "Ddor"]))]  # fmt: skip
    for bar in draw(st.lists(bars, min_size=1, max_size=5)):
        for before, note, length in bar:
            if before and (before[0] == "(3" or tokens[-1][-1] not in "<>|:]"):
                tokens += before
            tokens += [note, *([length] if length else [])]
        tokens.append(draw(st.sampled_from(["|", "||", ":|", "::", "|:"])))
        if tokens[-1] in ("|", ":|"):
            tokens += draw(st.sampled_from([[], [], ["[1"], ["[K:Gmaj]"]]))
    return tokens


def test_a_tune_is_its_meter_key_bars_notes_and_lengths() -> None:
    assert tokenize(TUNE) == TOKENS


@given(tunes())
def test_tokens_come_back_from_their_text(tokens: list[str]) -> None:
    assert tokenize("".join(text_of(t) for t in tokens)) == tokens


@given(st.lists(tunes(), min_size=1, max_size=3))
def test_symbols_come_back_and_the_tunes_are_numbered(some: list[list[str]]) -> None:
    codec = AbcCodec.learn(some, least=1)
    again = AbcCodec.from_json(codec.to_json())
    symbols = list(itertools.chain.from_iterable([*codec.encode(t), 0] for t in some))
    assert again.decode(symbols) == list(itertools.chain.from_iterable([*t, ""] for t in some))
    shown = codec.show(symbols)
    assert [f"X:{n + 1}\n" in shown for n in range(4)] == [n < len(some) for n in range(4)]
    assert codec.unpack(codec.pack(codec.unpack(codec.pack(symbols)))).tolist() == symbols
    parsed = codec.parse("".join(codec.event(s)["text"] for s in codec.encode(some[0])))
    assert parsed == codec.encode(some[0])


@given(st.text(alphabet="ABCdefgz|:[](){}<>/2345^_=-'\", \n%!XKMLV", max_size=60))
@example("=^A")
def test_any_text_is_tokens_or_an_error_that_shows_where(text: str) -> None:
    try:
        tokens = tokenize(text)
    except DataError as error:
        assert "ABC" in str(error)
    else:
        melody(tokens)
        bars_add_up(tokens)


@pytest.mark.parametrize(
    ("abc", "said"),
    [
        ("K:Hp", "key: K:Hp"), ("M:often", "meter: M:often"), ("L:1/0", "L:1/0"),
        ("abc & def", "'& def'"), ("A/0", "length: /0"), ("[^]", r"ABC: \[\^\]"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_shown(abc: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        tokenize(abc)


@pytest.mark.parametrize(
    ("prime", "tokens"),
    [
        ("M:6/8 K:D", ["M:6/8", "K:Dmaj"]),
        ("M: 6/8 L:1/16 K:E Minor |: e2", ["M:6/8", "K:Emin", "|:", "e"]),
        ("M:6/8\nK:Em\n|:e", ["M:6/8", "K:Emin", "|:", "e"]),
        ("M:6/8 K:F#m e | e", ["M:6/8", "K:F#min", "e", "|", "e"]),
        ("e [K:A] e", ["e", "[K:Amaj]", "e"]),
    ],
)
def test_a_primes_header_may_stand_on_one_line(prime: str, tokens: list[str]) -> None:
    codec = AbcCodec(["M:6/8", "K:Dmaj", "K:Emin", "K:F#min", "[K:Amaj]", "|:", "|", "e"])
    assert codec.decode(codec.parse(prime)) == tokens


def test_what_the_model_does_not_know_is_refused() -> None:
    codec = AbcCodec(["A", "|"])
    assert codec.parse("A|A|") == codec.parse(["A", "|A|"]) == [1, 2, 1, 2]
    with pytest.raises(DataError, match="does not know the ABC token 'B'"):
        codec.parse("AB")
    for value in (3, None, [1]):
        with pytest.raises(DataError, match="takes ABC"):
            codec.parse(value)


@pytest.mark.parametrize(
    "tokens", [["A", "A"], ["A", ""], "AB", [1], [str(i) for i in range(2000)]]
)
def test_a_vocabulary_that_is_none_is_refused(tokens: object) -> None:
    with pytest.raises(CheckpointError):
        AbcCodec.from_json({"tokens": tokens})


def test_the_melody_has_the_keys_sharps_the_bars_accidentals_ties_and_bent_lengths() -> None:
    sounds = melody(tokenize("M:4/4\nK:D\nF2 =F F | F>G (3ABc | d2-|d2 z/ c'"))
    assert [pitch for pitch, _ in sounds] == [
        66, 65, 65, 66, 67, 69, 71, 73, 74, None, 85
    ]  # fmt: skip
    lengths = [2, 1, 1, 3 / 2, 1 / 2, *[2 / 3] * 3, 4, 1 / 2, 1]
    assert [length for _, length in sounds] == pytest.approx(lengths)


@pytest.mark.parametrize(
    ("key", "signature"),
    [("Cmaj", ""), ("Gmaj", "F"), ("Emin", "F"), ("Ador", "F"), ("Dmix", "F"), ("Bphr", "F"),
     ("Fmaj", "b"), ("Dmin", "b"), ("Flyd", ""), ("Bloc", ""), ("F#min", "FCG"), ("Ebmaj", "bea")],
)  # fmt: skip
def test_a_keys_sharps_and_flats(key: str, signature: str) -> None:
    found = "".join(k if by > 0 else k.lower() for k, by in key_signature(key).items())
    assert sorted(found) == sorted(signature)


@pytest.mark.parametrize(
    ("abc", "right"),
    [
        ("A|d3 e3|f6|a6|d6||", True),
        ("A|d3 e3|f5:|:A|a6|d5:|", True),  # the upbeat before the repeat is its own bar
        ("d3 e3|f6|a6|[1 d5:|[2 d6||", True),
        ("d3 e3|f5|a6|d6||", False),
        ("d3 e3|f6|a6 A|d6||", False),
        ("A7|d3 e3|f6|a6||", False),
        ("d6||", False),
    ],
)
def test_bars_add_up_but_for_upbeats(abc: str, right: bool) -> None:
    assert bars_add_up(tokenize("M:6/8\nK:D\n" + abc)) == right
    assert not bars_add_up(tokenize(abc))


def test_a_file_of_tunes_is_read_by_music21(tmp_path: Path) -> None:
    music21 = pytest.importorskip("music21")
    codec = AbcCodec.learn([TOKENS], least=1)
    symbols = [*codec.encode(TOKENS), 0, *codec.encode(TOKENS)]
    codec.write_file(symbols, tmp_path / "x.abc", 120.0)
    opus = music21.converter.parse(tmp_path / "x.abc")
    assert len(opus.scores) == 2
    pitches = [n.pitch.midi for n in opus.scores[0].flatten().notes]
    assert pitches == [p for p, _ in melody([t for t in TOKENS if t != "-"]) if p is not None]


@pytest.mark.parametrize("bpm", [90.0, 112.5])
def test_a_file_has_its_tempo_and_its_notes_on_the_grid(tmp_path: Path, bpm: float) -> None:
    """Also tuplets, dotted pairs and the pause between two tunes."""
    tune = "M:4/4 K:Cmaj A B (3 c d e A > B A /2 B /2 A | (5 A B c d e A 2 z"
    tokens = tune.split()
    codec = AbcCodec(sorted(set(tokens)))
    symbols = [codec.vocabulary.index(token) for token in tokens]
    codec.write_file([*symbols, codec.boundary, *symbols], tmp_path / "x.mid", bpm)
    file = mido.MidiFile(tmp_path / "x.mid")
    now, begun, tempi = 0, [], []
    for message in file.tracks[0]:
        now += message.time
        if message.type == "note_on":
            begun.append(now / file.ticks_per_beat)
        elif message.type == "set_tempo":
            tempi.append((now, mido.tempo2bpm(message.tempo)))
    assert tempi == [(0, pytest.approx(bpm, abs=0.001))]
    third, pair = 1 / 3, 0.75
    one = [0, 0.5, 1, 1 + third, 1 + 2 * third, 2, 2 + pair, 3, 3.25, 3.5]
    assert begun[: len(one)] == [pytest.approx(beat, abs=1e-9) for beat in one]
    second = begun[len(begun) // 2]
    assert second == pytest.approx(round(second * 2) / 2), "the next tune begins on an eighth"
