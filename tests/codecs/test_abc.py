import itertools
from pathlib import Path

import mido
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_rnn.codecs.abc import AbcCodec, text_of
from stream_rnn.codecs.abc_text import tokenize
from stream_rnn.codecs.bars import bars_add_up, bars_of
from stream_rnn.codecs.melody import key_signature, melody, natural_pitch
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


@given(st.text(alphabet="ABCdefgz|:[](){}<>/2345^_=-+'\", \n%!XKMLVZHphnoe#", max_size=60))
@example("=^A")
@example("M:none\nZ")
@example("K:none^")
@example("M:9" + "+9" * 20 + "/8")
@example("M:none\nL:999/9999\nA9999///////////9999")
def test_any_text_is_tokens_or_an_error_that_shows_where(text: str) -> None:
    for whole in (False, True):
        try:
            tokens = tokenize(text, whole=whole)
        except DataError as error:
            assert "ABC" in str(error)
        else:
            melody(tokens)
            bars_add_up(tokens)
            AbcCodec(dict.fromkeys(tokens))  # each is one that can be played


@pytest.mark.parametrize(
    ("abc", "said"),
    [
        ("K:Hx", "key: K:Hx"), ("K:g", "key: K:g"), ("K:Bn", "key: K:Bn"),
        ("K:D phr ^^^f", "key: K:D phr"), ("K:D exp ^/f", "key: K:D exp"),
        ("M:often", "meter: M:often"), ("M:6/7", "meter: M:6/7"), ("M:0/4", "meter: M:0/4"),
        ("L:1/0", "L:1/0"), ("L:-1/8", "L:-1/8"), ("L:1e-99999999", "L:1e-9"),
        ("K:C octave=many", "octave=many"), ("K:C transpose=1\n__F", "__F cannot be transposed"),
        ("abc & def", "'& def'"), ("A/0", "length: /0"), ("[^]", r"ABC: \[\^\]"),
        ("A99999", "length: 99999"), ("=^A", "'=\\^A'"), ("A 2", "'2'"),
        ("Z999999999", "Z999999999: bars of rest"), ("M:none\nZ", "need a meter"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_shown(abc: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        tokenize(abc)


@pytest.mark.parametrize(
    ("field", "key", "signature"),
    [
        ("G", "Gmaj", "F"), ("Gm", "Gmin", "be"), ("G minor", "Gmin", "be"), ("GMIN", "Gmin", "be"),
        ("G Mixolydian", "Gmix", ""), ("AMix", "Amix", "FC"), ("EAeolian", "Emin", "F"),
        ("Bphr", "Bphr", "F"), ("F#loc", "F#loc", "F"), ("Bb Lyd", "Bblyd", "b"),
        ("C Ionian", "Cmaj", ""), ("E♭", "Ebmaj", "bea"), ("F♯m", "F#min", "FCG"),
        ("", "none", ""), ("none", "none", ""), ("none clef=bass", "none", ""),
        ("HP", "Hp", "FC"), ("Hp", "Hp", "FC"), ("D exp", "none", ""),
        ("D exp _b _e ^f", "D exp _b _e ^f", "beF"), ("D Phr ^f", "Dphr ^f", "beF"),
        ("Dphr^f", "Dphr ^f", "beF"), ("D =c", "Dmaj =c", "F"), ("D ^f _B", "Dmaj _b", "FCb"),
        ("^f =c", "C exp ^f", "F"), ("none _b", "C exp _b", "b"), ("A exp ^^f", "A exp ^^f", "F"),
        ("D treble", "Dmaj", "FC"), ("Am bass middle=d", "Amin", ""), ("D m =c", "Dmin", "b"),
        ("G (as it is sung)", "Gmaj", "F"),
    ],
)  # fmt: skip
def test_keys_as_people_write_them(field: str, key: str, signature: str) -> None:
    assert tokenize(f"K:{field}\nA") == [f"K:{key}", "A"]
    assert tokenize(f"K:A\nA[K:{field}]B")[2:] == [f"[K:{key}]", "B"]
    found = "".join(k if by > 0 else k.lower() for k, by in key_signature(key).items())
    assert sorted(found) == sorted(signature)
    codec = AbcCodec([f"K:{key}", "^f", "A", "M:6/8"])
    # The token's text is read as that token again, in a file and token by token.
    assert tokenize(text_of(f"K:{key}") + "^f") == [f"K:{key}", "^f"]
    assert AbcCodec.from_json(codec.to_json()).vocabulary == codec.vocabulary
    assert codec.decode(codec.parse(["M:6/8", f"K:{key}", "^f"])) == ["M:6/8", f"K:{key}", "^f"]


@pytest.mark.parametrize(
    ("field", "meter", "eighths", "five"),
    [
        ("C", "4/4", 8, 2), ("c|", "2/2", 8, 2), ("C|", "2/2", 8, 2), ("none", "none", None, 2),
        ("", "none", None, 2), ("2+3/8", "5/8", 5, 2), ("(2+3)/8", "5/8", 5, 2),
        ("2+2+3/8", "7/8", 7, 2), ("(2 + 2 + 3)/8", "7/8", 7, 2), ("2/4+3/8", "7/8", 7, 2),
        ("3/4", "3/4", 6, 2), ("6/8", "6/8", 6, 3), ("3/8", "3/8", 3, 3), ("9/16", "9/16", 4.5, 3),
        ("7/32", "7/32", 1.75, 2),
    ],
)  # fmt: skip
def test_meters_as_people_write_them(
    field: str, meter: str, eighths: float | None, five: int
) -> None:
    tokens = tokenize(f"M:{field}\nK:C\nABAB|(5ABABA")
    assert tokens[0] == f"M:{meter}"
    bars = list(bars_of(tokens))
    assert [bar.wanted for bar in bars] == [eighths] * 2
    assert bars[1].length == pytest.approx(five)  # (5 is in the time of three in compound meters
    assert tokenize(text_of(f"M:{meter}")) == [f"M:{meter}"]


def test_bars_of_a_free_meter_are_as_long_as_they_are() -> None:
    assert bars_add_up(tokenize("M:none\nK:C\nA2|B17|c d e f g"))
    assert not bars_add_up(tokenize("M:none\nK:C\n"))
    measured = "A8|B8|c8|d8|"
    assert bars_add_up(tokenize(f"M:none\nK:C\nA2|B17|[M:4/4]{measured}"))
    assert not bars_add_up(tokenize(f"M:none\nK:C\nA2|B17|[M:4/4]{measured}e4|f8|"))


def whole(header: str, notes: str) -> list[str]:
    return tokenize(f"X:1\nT:x\n{header}\n{notes}", whole=True)


@pytest.mark.parametrize(
    ("header", "tokens"),
    [
        ("K:G", ["M:none", "K:Gmaj", "A"]),
        ("M:6/8", ["M:6/8", "K:none", "A"]),
        ("M:2/4\nK:", ["M:2/4", "K:none", "A", "/2"]),  # below 3/4 a note is a sixteenth
        ("M:3/4\nK:C", ["M:3/4", "K:Cmaj", "A"]),
        ("M:C|\nK:C", ["M:2/2", "K:Cmaj", "A"]),
        ("L:1/4\nM:2/4\nK:C", ["M:2/4", "K:Cmaj", "A", "2"]),
        ("M:2/4\nL:1/8\nM:6/8\nK:C", ["M:6/8", "K:Cmaj", "A"]),
        ("N::: in the book\nI :: ::\nM:6/8\nsung by all\nK:D", ["M:6/8", "K:Dmaj", "A"]),
        ("H:a story\n+:and more\nM:6/8\nK:D\n+:of it", ["M:6/8", "K:Dmaj", "A"]),
        ("M:6/8\n%%begintext\nCABBAGE\n%%endtext\nK:D\n%%beginps\nA\n%%endps",
         ["M:6/8", "K:Dmaj", "A"]),
    ],
)  # fmt: skip
def test_a_whole_tune_has_a_meter_a_key_and_a_length(header: str, tokens: list[str]) -> None:
    assert whole(header, "A") == tokens
    # A prime that is a whole tune is read as a whole tune; a piece of a tune is in eighths.
    text = f"X:1\n{header}\nA"
    codec = AbcCodec([*dict.fromkeys(tokens), "[K:Dmaj]"])
    if all(f"\n{field}:" in text for field in "MK"):
        assert codec.decode(codec.parse(text)) == tokens
    assert tokenize("M:2/4\nK:C\nA") == ["M:2/4", "K:Cmaj", "A"]


@pytest.mark.parametrize(
    ("abc", "tokens"),
    [
        ("M:6/8\nZ|A", "M:6/8 z 6 | A"),
        ("M:2/4\nA|Z2|X|A", "M:2/4 A | z 4 | z 4 | z 4 | A"),
        ("+GB+c+e2g2+", "B c g 2"),
        ("+trill+A+f+B+ff+c", "A B c"),
        ("I:decoration +\n+GB+A", "A"),
        ("[G2B2]3 [GB/]", "B 6 B"),
        ('["C"!trill!GTB]A ["Am"E]', "B A E"),
        ("[HC6HA6]|", "A 6 |"),
        ("A y B y2 c", "A B c"),
        ("A $ B # c ; d ? e @", "A B c d e"),
        ("!A B c|d e!f!g|!", "A B c | d e g |"),  # `!` ends a line in older files
        ("A[|]B|[1A:|[2B[|A|]", "A | B | [1 A :| [2 B || A ||"),
        ("A|[1,3 B:|[2-4 c", "A | [1,3 B :| [2-4 c"),
        ('A|["last" B', "A | B"),
        ("[V:1]A[r:note]B[U:T=!trill!]c", "A B c"),
        ("A.|B.(cd) (.A-|A)", "A | B c d A | - A"),
        ("[GB-]|B [G-B]|B", "B | - B B | B"),  # the note that is kept is tied, or is not
        ("A-A,", "A A,"),
        ("A-^A ^A-A ^c-^c", "A ^A ^A - A ^c - ^c"),  # to another pitch it is a slur
        ("A-zA", "A z A"),
        ("A-|[K:D]A", "A | [K:Dmaj] - A"),
    ],
)
def test_what_stands_in_a_tune(abc: str, tokens: str) -> None:
    assert tokenize(abc) == tokens.split()


@pytest.mark.parametrize(
    ("abc", "pitches"),
    [
        ("^c C c' c|c", [73, 61, 85, 73, 72]),  # all octaves of the letter, to the bar line
        ("K:D\n=F f ^F f|f", [65, 77, 66, 78, 78]),
        ("%%propagate-accidentals pitch\n^c C|", [73, 61]),
        ("%%propagate-accidentals octave\n^c C c ^C C|c C", [73, 60, 73, 61, 61, 72, 60]),
        ("I:propagate-accidentals not\n^c c _B B ^^d d", [73, 72, 70, 71, 76, 74]),
        ("{^c}d c|c", [74, 73, 72]),  # what is left out holds in its bar
        ("[^CE] c|c", [64, 73, 72]),
        ("[_EB] e =e E", [71, 75, 76, 64]),
        ("K:D\n{=c}d [cA] c", [74, 72, 72]),
        ("^c c[K:F]c B", [73, 73, 72, 70]),  # nor beyond a change of key
        ("^c-|c c", [73, 72]),  # a tie keeps it for its note
        ("^c2-|1 c d:|2 c c|c", [73, 74, 73, 72, 72]),  # into each ending
        ("^c2-|[1 c d:|[2 C c|c", [73, 74, 60, 72, 72]),
        ("^c|1 d e:|2 -c d", [73, 74, 76, 73, 74]),
        ("^c|1 d e-:|2 e d", [73, 74, 76, 76, 74]),  # and no tie from one to the next
        ("c-|1 d:|2 c|^c-|1 d:|2 c", [72, 74, 72, 73, 74, 73]),
    ],
)
def test_how_far_an_accidental_reaches(abc: str, pitches: list[int]) -> None:
    tokens = tokenize(abc)
    assert [pitch for pitch, _ in melody(tokens)] == pitches
    again = tokenize("".join(text_of(t) for t in tokens))
    assert [pitch for pitch, _ in melody(again)] == pitches


@pytest.mark.parametrize(
    ("settings", "semitones"),
    [
        ("clef=bass", 0), ("bass", 0), ("treble-8", -12), ("clef=treble+8", 12), ("tenor-15", -24),
        ("octave=-1", -12), ("clef=bass octave=1 middle=d", 12), ("transpose=-2", -2),
        ("octave=1 transpose=3", 15), ('clef="treble-8" transpose=-5', -17), ("stafflines=4", 0),
    ],
)  # fmt: skip
def test_settings_of_a_voice_that_change_its_pitches(settings: str, semitones: int) -> None:
    notes = "^F G =F F c'|_e E"
    plain = [pitch for pitch, _ in melody(tokenize(f"K:A\n{notes}"))]
    for abc in (
        tokenize(f"K:A {settings}\n{notes}"),
        tokenize(f"K:A\nV:1 {settings}\n{notes}"),
        tokenize(f"K:A\n[V:1 {settings}]{notes}"),
        whole(f"V:1 {settings}\nK:A", f"V:1\n{notes}"),
        whole(f"K:{settings}", f"[K:A]{notes}"),
    ):
        assert [pitch for pitch, _ in melody(abc)] == [pitch + semitones for pitch in plain]
    # A clef alone does not change the key; a later field overrides an earlier one.
    both = tokenize(f"K:A {settings}\nG[K:clef=alto octave=0 transpose=0]G")
    assert [pitch for pitch, _ in melody(both)] == [68 + semitones, 68]


keys = st.builds(
    "{}{}{}".format,
    st.sampled_from(["A", "Bb", "C", "D", "Eb", "F#", "G"]),
    st.sampled_from(["", "m", "mix", "dor", "phr", "lyd", "loc"]),
    st.sampled_from(["", "", " ^f", " _b =c"]),
)
plain_notes = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "", "", "^", "_", "="]),
        st.sampled_from("ABCDEFGabcdefg"),
        st.sampled_from(["", "", "-", "|", "-|", "-|1", ":|2"]),
    ),
    min_size=1,
    max_size=12,
)


@given(keys | st.sampled_from(["none", "Hp", "D exp ^f _b"]), plain_notes, st.integers(-20, 20))
def test_a_tune_that_is_transposed_keeps_its_intervals(key: str, notes: list[str], by: int) -> None:
    abc = "".join(notes)
    plain = tokenize(f"K:{key}\n{abc}")
    try:
        moved = tokenize(f"K:{key} transpose={by}\n{abc}")
    except DataError as error:
        assert "cannot be transposed" in str(error)
        return
    wanted = [(pitch and pitch + by, length) for pitch, length in melody(plain)]
    assert melody(moved) == wanted
    # The accidentals stay at the same notes.
    assert [t[0] in "^_=" for t in moved[1:]] == [t[0] in "^_=" for t in plain[1:]]
    # The new key can be read again.
    assert tokenize(text_of(moved[0])) == moved[:1]


@given(plain_notes, st.sampled_from(["pitch", "octave", "not"]))
def test_tokens_say_what_an_accidental_says_however_far_it_reaches(
    notes: list[str], reach: str
) -> None:
    notes = [note.replace("-", "") for note in notes]
    pitches, bar = [], dict[str, int]()
    for note in notes:
        name = note.rstrip("|:12")
        base = name.lstrip("^_=")
        place = {"pitch": base.upper(), "octave": base, "not": ""}[reach]
        by = {"^": 1, "_": -1, "=": 0}.get(name[0], bar.get(place, int(base in "Ff")))
        if name != base and reach != "not":
            bar[place] = by
        pitches.append(natural_pitch(base) + by)
        if "|" in note:
            bar.clear()
    tokens = tokenize(f"%%propagate-accidentals {reach}\nK:G\n" + "".join(notes))
    assert [pitch for pitch, _ in melody(tokens)] == pitches


@pytest.mark.parametrize(
    ("prime", "tokens"),
    [
        ("M:6/8 K:D", ["M:6/8", "K:Dmaj"]),
        ("M: 6/8 L:1/16 K:E Minor |: e2", ["M:6/8", "K:Emin", "|:", "e"]),
        ("M:6/8\nK:Em\n|:e", ["M:6/8", "K:Emin", "|:", "e"]),
        ("M:6/8 K:F#m e | e", ["M:6/8", "K:F#min", "e", "|", "e"]),
        ("e [K:A] e", ["e", "[K:Amaj]", "e"]),
        ("M:6/8 K:Hp e", ["M:6/8", "K:Hp", "e"]),
        ("M:6/8 K:D ^f e", ["M:6/8", "K:Dmaj", "^f", "e"]),  # its first note, not the key's
        ("M:6/8 K:D exp ^f e", ["M:6/8", "K:D exp ^f", "e"]),
    ],
)
def test_a_primes_header_may_stand_on_one_line(prime: str, tokens: list[str]) -> None:
    codec = AbcCodec(
        ["M:6/8", "K:Dmaj", "K:Emin", "K:F#min", "[K:Amaj]", "|:", "|", "e", "K:Hp", "^f"]
        + ["K:D exp ^f"]
    )
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
