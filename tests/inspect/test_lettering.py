"""Pictures in other scripts: with this machine's fonts, with some made here, and with none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text
from support import make_categorical_model

from stream_rnn import cli
from stream_rnn.codecs.text import TextCodec
from stream_rnn.inspect import lettering
from stream_rnn.inspect.lettering import MONO, SANS, Lettering, remark, save_figure
from stream_rnn.inspect.lines import WIDTH, broken, cells_of
from stream_rnn.inspect.maps import draw_map
from stream_rnn.inspect.pictures import draw_text, draw_traces

Fonts = Callable[[dict[str, str]], None]


def make_font(path: Path, family: str, letters: str) -> None:
    """A font whose letters are all one full square."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 800), (900, 800), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"u{ord(c):04X}" for c in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):04X}" for c in letters})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fonts:
    """Makes it seem that only matplotlib's fonts and fonts with these letters are installed."""
    manager = font_manager.fontManager
    own = [entry for entry in manager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(manager, "ttflist", own)

    def install(fonts: dict[str, str]) -> None:
        paths = []
        for family, letters in fonts.items():
            paths.append(str(tmp_path / f"{family}.ttf"))
            make_font(Path(paths[-1]), family, letters)
        (tmp_path / "broken.ttf").write_bytes(b"\0\1\0\0 no font")
        monkeypatch.setattr(
            font_manager, "findSystemFonts", lambda: [*paths, str(tmp_path / "broken.ttf")]
        )
        lettering._installed.cache_clear()

    install({})
    yield install
    lettering._installed.cache_clear()


def test_what_dejavu_has_is_drawn_with_it(fonts: Fonts) -> None:
    made = Lettering(["Latin Ωμέγα Привет مرحبا שלום ♯↵", "\n\u200d\u00a0\ufe0f"])
    assert made.families == [SANS] and not made.missing and remark(made.missing) == ""
    mono = Lettering(["abc ↵ שלום"], MONO)
    assert mono.families == [MONO, SANS] and not mono.missing
    assert (mono.family_of("a"), mono.family_of("ש")) == (MONO, SANS)


def test_a_font_that_was_installed_since_is_found(fonts: Fonts) -> None:
    fonts(
        {"Half Han": "夜", "Whole Han": "夜曲歌", "Syllables": "ꀀꀁ", "Last Resort X": "ᠮ夜曲歌ꀀ"}
    )
    made = Lettering(["夜曲 a", "ꀀ", "ᠮ"])
    assert made.families == [SANS, "Whole Han", "Syllables"]  # as few fonts as possible
    assert [made.family_of(c) for c in "a夜曲ꀀ"] == [SANS, "Whole Han", "Whole Han", "Syllables"]
    assert made.missing == {"ᠮ"}


def test_plain_fonts_come_first(fonts: Fonts) -> None:
    fonts({"A Serif Han": "夜", "B Han": "夜", "C Han": "夜"})
    assert Lettering(["夜"]).families == [SANS, "B Han"]


def test_what_no_font_has_is_told_in_one_line(fonts: Fonts) -> None:
    said = remark(Lettering(["夜曲歌", "हि", "😀🪿", "\ue000", "か", "한"]).missing)
    assert "\n" not in said and said.startswith("no font here has these letters, drawn as code ")
    assert "Chinese (3, such as U+591C): install fonts-noto-cjk on Debian, the font Noto " in said
    assert "Devanagari (2, such as U+0939): install fonts-noto-core on Debian, the font " in said
    assert "signs (2, such as U+E000): install fonts-symbola" in said
    assert said.endswith("; and 1 other script")
    assert "Yi (1, such as U+A000)" in remark("ꀀ") and "Korean" in remark("한")
    assert remark("") == ""


def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """The texts of a figure with their fonts, once it is saved."""
    said: list[tuple[str, list[str]]] = []
    save = Figure.savefig

    def saved(figure: Figure, *args: object, **options: object) -> None:
        texts = figure.findobj(Text)
        said.extend((t.get_text(), t.get_fontfamily()) for t in texts if t.get_text())
        save(figure, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", saved)
    return said


def test_letters_of_another_script_are_two_columns_wide_each_in_its_font(
    fonts: Fonts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fonts({"Han": "夜曲"})
    said = drawn(monkeypatch)
    labels = list("ab夜c曲\n歌")
    cells = np.linspace(-1, 1, len(labels))[:, None]
    missing = draw_text(labels, cells, ["cell 夜"], tmp_path / "x.png", title="as 歌")
    assert missing == {"歌"}
    fonts_of = dict(said)
    assert fonts_of["夜"] == fonts_of["曲"] == ["Han", MONO]
    assert fonts_of["ab"] == fonts_of["c"] == fonts_of["↵"] == [MONO, MONO]
    assert fonts_of["6B\n4C"] == [MONO, MONO]
    assert fonts_of["as [6B4C]"] == fonts_of["cell 夜"] == [SANS, "Han"]


def pixels(picture: Path) -> np.ndarray:
    from matplotlib.image import imread

    return np.asarray(imread(picture))


def test_a_letter_is_drawn_and_not_a_box(fonts: Fonts, tmp_path: Path) -> None:
    """The square that the font has for a letter is dark all over; a box would be hollow."""
    fonts({"Han": "夜"})
    draw_text(["夜"] * 8, np.zeros((8, 1)), ["cell"], tmp_path / "x.png", title="t")
    dark = (pixels(tmp_path / "x.png")[..., :3].max(-1) < 0.3).sum()
    draw_text([" "] * 16, np.zeros((16, 1)), ["cell"], tmp_path / "y.png", title="t")
    letters = dark - (pixels(tmp_path / "y.png")[..., :3].max(-1) < 0.3).sum()
    assert letters > 8 * 80, (
        "8.5 points at 110 dots an inch are 13 wide, of which it fills 10 by 10"
    )


def test_a_line_from_the_right_ends_where_the_widest_does() -> None:
    labels = list("שלום (a)\nabcdefghijkl\nمرحبا")
    made = Lettering(labels, MONO)
    first, second, third = cells_of(broken(labels), made, MONO)
    assert [c.column for c in first] == list(range(4, 13))  # with the sign of its end
    assert [labels[c.owner] for c in first] == ["\n", ")", "a", "(", " ", *"םולש"]
    assert "".join(c.letter for c in first) == "↵(a) םולש"
    assert second[0].column == 0 and second[-1].column == 12
    assert third[-1].column == 12 and labels[third[-1].owner] == "م"
    assert [c.letter for c in third] == ["ﺎ", "ﺒ", "ﺣ", "ﺮ", "ﻣ"]  # joined
    assert all(c.alone for c in third) and not any(c.alone for c in second)


def test_lines_break_at_columns_and_marks_have_a_place() -> None:
    labels = ["夜"] * WIDTH
    lines = broken(labels)
    assert [len(text) for text, _ in lines] == [WIDTH // 2] * 2
    assert lines[1][1] == list(range(WIDTH // 2, WIDTH))
    assert [len(t) for t, _ in broken(["ᠮ"] * 50, frozenset("ᠮ"))] == [44, 6]
    letters = list("نصّ")
    (cells,) = cells_of(broken(letters), Lettering(letters, MONO), MONO)
    assert [(c.letter[-1], len(c.letter), c.columns) for c in cells[:1]] == [("ّ", 2, 1)]
    # The second line of a broken paragraph keeps its direction.
    labels = [*"שלום", *"a" * WIDTH, *"b!"]
    _, last = cells_of(broken(labels), Lettering(labels, MONO), MONO)
    assert last[0].letter == "!"


def test_titles_and_maps_have_their_fonts_too(
    fonts: Fonts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fonts({"Han": "夜曲"})
    said = drawn(monkeypatch)
    places = np.random.default_rng(1).normal(size=(30, 2))
    groups = ["夜", "歌", "A"] * 10
    names = ["曲", "b", "歌 (Live)"] * 10
    missing = draw_map(places, groups, names, tmp_path / "m.png", title="夜 m", here=2)
    assert missing == {"歌"}
    fonts_of = dict(said)
    assert fonts_of["夜 (10)"] == fonts_of["曲"] == fonts_of["夜 m"] == [SANS, "Han"]
    assert {"[6B4C] (10)", "[6B4C] (Live)"} <= fonts_of.keys()
    traces = np.zeros((9, 2))
    assert draw_traces(traces, traces, ["夜", "歌"], tmp_path / "t.png", title="x",
                       names=("曲", "y")) == {"歌"}  # fmt: skip
    assert dict(said)["曲"] == [SANS, "Han"]


def test_older_versions_of_matplotlib_get_letters_in_the_order_in_which_they_stand(
    fonts: Fonts, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "as שלום (مرحبا)"
    made = Lettering([text])
    monkeypatch.setattr(lettering, "lays_out", lambda: True)
    assert made.shown(text) == text
    monkeypatch.setattr(lettering, "lays_out", lambda: False)
    assert made.shown(text) == "as (ﺎﺒﺣﺮﻣ) םולש"
    fonts({"Bare Yi": "ꀀب"})
    assert Lettering(["ꀀ夜"]).shown("ꀀ夜") == "ꀀ[591C]"


def test_nothing_is_said_of_weights_that_a_font_lacks(
    fonts: Fonts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fonts({"Han": "夜"})
    figure = Figure()
    figure.text(0.1, 0.5, "夜", weight="bold")
    assert not save_figure(figure, tmp_path / "x.png", 50)
    assert not caplog.records


def test_this_machines_own_fonts_are_drawn_with(tmp_path: Path) -> None:
    """With the fonts installed here: missing letters are reported, the others have a font."""
    text = "夜曲 مرحبا שלום हिन्दी 한국어 かな 😀 𒀀"
    made = Lettering([text])
    assert all(made.family_of(c) in made.families for c in text)
    assert bool(remark(made.missing)) == bool(made.missing)
    labels = list(text)
    missing = draw_text(labels, np.zeros((len(labels), 1)), ["c"], tmp_path / "x.png", title=text)
    assert missing == made.missing


def test_inspect_says_what_it_could_not_draw(
    fonts: Fonts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_categorical_model(tmp_path / "m", TextCodec("夜曲ab \n"))
    monkeypatch.chdir(tmp_path)
    asked = ["inspect", str(tmp_path / "m"), "--text", "夜曲 ab\nab 夜曲 ab", "--out", "x.png"]
    assert cli.main(asked) == 0
    said = capsys.readouterr()
    line = "no font here has these letters, drawn as code points: Chinese (2, such as U+591C): "
    assert line in said.err and line not in said.out
    fonts({"Han": "夜曲"})
    assert cli.main([*asked, "--json"]) == 0
    assert "no font" not in capsys.readouterr().err
