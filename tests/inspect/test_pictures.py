from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from pytest import MonkeyPatch

from stream_rnn.inspect.lines import broken
from stream_rnn.inspect.maps import draw_map
from stream_rnn.inspect.pictures import DPI, draw_text, draw_traces


def texts(monkeypatch: MonkeyPatch) -> list[str]:
    """What stands in a figure, once it is saved."""
    said: list[str] = []
    save = Figure.savefig

    def saved(figure: Figure, *args: object, **options: object) -> None:
        said.extend(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))
        save(figure, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", saved)
    return said


def test_letters_know_whose_they_are_wherever_a_line_breaks() -> None:
    lines = broken(["ab", "\n", "c" * 80, "d" * 20, "\x07"])
    assert [t for t, _ in lines] == ["ab↵", "c" * 80, "d" * 20 + "·"]
    assert [o for _, o in lines] == [[0, 0, 1], [2] * 80, [3] * 20 + [4]]


def test_a_text_is_drawn_once_for_each_cell(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    said = texts(monkeypatch)
    labels = [*"$cost of_ \\x\n", "猫", *"end"]
    cells = np.linspace(-1, 1, 2 * len(labels)).reshape(-1, 2)
    draw_text(labels, cells, ["cell 1 · $x", "cell 2"], tmp_path / "x.png", title="of $10")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert {"of $10", "cell 1 · $x", "cell 2"} <= set(said)
    assert said.count("$cost of_ \\x↵") == 2


def test_letters_stand_on_their_own_colours_to_the_end_of_a_line(
    tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    widths: list[tuple[float, float]] = []
    save = Figure.savefig

    def saved(figure: Figure, *args: object, **options: object) -> None:
        figure.set_dpi(DPI)
        for axes in figure.axes:
            widths.extend((t.get_window_extent().width, axes.bbox.width) for t in axes.texts[:1])
        save(figure, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", saved)
    line = "how many letters of it are wider than is said of them, and by how much, at the end!!"
    draw_text(list(line), np.zeros((len(line), 1)), ["cell"], tmp_path / "x.png", title="t")
    (text, colours), *_ = sorted(widths, reverse=True)
    assert len(line) > 80 and abs(text - colours) < 2, "in pixels; a letter is 8 wide"


def test_traces_are_drawn_below_keys_or_numbers(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    said = texts(monkeypatch)
    roll = np.zeros((20, 88), np.uint8)
    cells = np.sin(np.arange(20))[:, None]
    draw_traces(roll, cells, ["cell 4"], tmp_path / "silent.png", title="silence")
    roll[3:9, 39] = 1
    draw_traces(roll, cells, ["cell 4"], tmp_path / "roll.png", title="roll", along="frame")
    assert {"C4", "cell 4", "roll", "frame"} <= set(said)
    draw_traces(np.random.rand(20, 2), cells, ["cell 4"], tmp_path / "xy.png", title="touch",
                names=("x", "y"))  # fmt: skip
    assert {"x", "y"} <= set(said)
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_a_map_names_artists_and_marks_a_song(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    said = texts(monkeypatch)
    places = np.random.default_rng(1).normal(size=(40, 2))
    groups = [f"A & $B {i % 20}" for i in range(39)] + [""]
    draw_map(places, groups, [f"song {i}" for i in range(40)], tmp_path / "m.png",
             title="a map", here=39)  # fmt: skip
    assert {"a map", "A & $B 0 (2)", "song 39"} <= set(said)
    assert any(t.endswith(" others") for t in said)
    draw_map(places[:3], [""] * 3, ["a", "b", "c"], tmp_path / "few.png", title="no artists")
    assert {"a", "b", "c"} <= set(said)
