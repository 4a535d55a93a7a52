import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import ARTISTS

from stream_rnn import cli
from stream_rnn.checkpoint import read_card, write_card
from stream_rnn.codecs.pianoroll import midi_from_roll
from stream_rnn.train.curves import Log

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in an empty folder: its code, and what it said on stdout and stderr."""
    monkeypatch.delenv("STREAM_RNN_DATA", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = cli.main([str(a) for a in arguments])
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def verse(models: Path, tmp_path: Path) -> Path:
    """The text model with a corpus of its own, which lies in `tmp_path`."""
    import shutil

    dice = random.Random(1)
    rows = ["artist,song,text"]
    for i in range(60):
        words = " ".join("".join(dice.choices("abcde", k=4)) for _ in range(12))
        rows.append(f'{ARTISTS[i % 3]},song {i},"{words[:30]}\n{words[30:]}"')
    (tmp_path / "songs.csv").write_text("\n".join(rows))
    folder = tmp_path / "with-data"
    shutil.copytree(models / "verse", folder)
    card = read_card(folder)
    recipe = {"source": "songs.csv", "format": "songs_csv", "by_artist": True,
              "split": [0.3, 0.1, 0.6], "least": 1}  # fmt: skip
    write_card(folder, type(card)(**{**vars(card), "data": {"recipe": recipe}}))
    return folder


def test_a_text_is_searched_and_drawn(run: Run, models: Path, tmp_path: Path) -> None:
    text = "the quick brown fox\njumps over\nthe lazy dog again"
    code, out, err = run("inspect", models / "verse", "--text", text, "--json")
    assert code == 0, err
    said = json.loads(out)
    assert (said["model"], said["cells"], said["symbols"]) == ("verse", 32, len(text))
    assert {"feature", "cell", "correlation", "again"} == set(said["found"][0])
    assert "position in the line" in {f["feature"] for f in said["found"]}
    assert said["picture"] == "verse-cells.png"
    assert (tmp_path / "verse-cells.png").read_bytes().startswith(b"\x89PNG")

    (tmp_path / "t.txt").write_text(text)
    code, table, err = run("inspect", models / "verse", "--file", "t.txt", "--out", "x.png")
    assert code == 0
    assert table.splitlines()[0] == f"verse: 32 cells over {len(text)} symbols of what was given"
    assert table.splitlines()[1].split() == ["follows", "cell", "r", "again"]
    assert err.endswith("drawn: x.png\n")
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "verse-cells.png").read_bytes()
    run("inspect", models / "verse", "--file", "t.txt", "--artist", "Ada", "--out", "ada.png")
    assert (tmp_path / "ada.png").read_bytes() != (tmp_path / "x.png").read_bytes()


def test_cells_that_are_asked_for(run: Run, models: Path) -> None:
    asked = ("inspect", models / "verse", "--text", "ab ab ab\nba ba", "--cells", "3,31")
    code, out, _ = run(*asked, "--json")
    assert code == 0
    assert [f["cell"] for f in json.loads(out)["found"][::3]] == [3, 31]
    code, out, _ = run(*asked)
    assert code == 0
    assert len(out.splitlines()) == 4


def test_a_midi_file_is_drawn_below_its_keys(run: Run, models: Path, tmp_path: Path) -> None:
    roll = np.zeros((40, 88), np.uint8)
    for frame in range(40):
        roll[frame, 30 + frame % 8] = 1
    midi_from_roll(roll, steps_per_beat=4, bpm=120).save(tmp_path / "x.mid")
    code, out, err = run("inspect", models / "roll", "--file", "x.mid", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["cells"] == 64  # of two layers
    assert "melody (highest pitch)" in {f["feature"] for f in said["found"]}
    assert (tmp_path / "roll-cells.png").exists()


def test_the_corpus_is_read_and_its_songs_are_mapped(run: Run, verse: Path, tmp_path: Path) -> None:
    code, out, err = run("inspect", verse, "--data", tmp_path, "--symbols", 900)
    assert code == 0, err
    assert "of the test set" in out
    # A given text is read with an even blend, and does not change the table of the corpus search.
    drawn = ("--symbols", 900, "--text", "ab cd")
    assert run("inspect", verse, "--data", tmp_path, *drawn)[1] == out
    code, out, err = run("inspect", verse, "--data", tmp_path, "--songs", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["picture"] == "verse-songs.png"
    assert (tmp_path / "verse-songs.png").read_bytes().startswith(b"\x89PNG")
    assert {near["of"] for near in said["near"]} <= set(ARTISTS)
    assert 0 <= said["nearest_of_same_group"]["share"] <= 1
    text = ("--text", "abcd bcde\nabab")
    code, out, _ = run("inspect", verse, "--data", tmp_path, "--songs", "--flat", *text)
    assert code == 0
    values = [float(line[:5]) for line in out.splitlines() if line[0] in "+-"]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "no folder of corpora: give --data DIR"),
        (["--songs", "--text", "a"], 2, "no folder of corpora: give --data DIR"),
        (["--text", "abc", "--cells", "32"], 2, "--cells 32: verse has the cells 0 to 31"),
        (["--text", "abc", "--cells", "x"], 2, "numbers separated by commas, not 'x'"),
        (["--text", "abc", "--file", "x"], 2, "not allowed with"),
        (["--text", "abc", "--artist", "Bard"], 2, "'Bard' is not known"),
        (["--text", "abc", "--out", "x.jpg"], 2, "must end in .png"),
        (["--text", "abc", "--out", "none/x.png"], 2, "there is no folder none"),
        (["--text", ""], 1, "nothing to read"),
        (["--file", "none.txt"], 1, "none.txt: cannot be read"),
        (["--data", "."], 1, "does not say how to read its corpus"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    run: Run, models: Path, arguments: list[str], code: int, said: str
) -> None:
    ended, out, err = run("inspect", models / "verse", *arguments)
    assert (ended, out) == (code, "")
    assert said in err


def test_runs_are_compared_and_read(run: Run, tmp_path: Path, models: Path) -> None:
    for name in ("a", "b"):
        log = Log(tmp_path / name / "log.csv")
        log.add(10, "train", 2.0, 1e-3, 5.0)
        log.add(10, "valid", 2.5, 1e-3, 5.0)
    (tmp_path / "a" / "samples").mkdir()
    (tmp_path / "a" / "samples" / "step-000010.txt").write_text("abc")
    code, out, err = run("compare", "a", "b", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert [r["run"] for r in said["runs"]] == ["a", "b"]
    assert said["runs"][0]["best"] == {"loss": 2.5, "step": 10}
    assert said["runs"][0]["test"] is None, "not done yet"
    assert (tmp_path / said["picture"]).read_bytes().startswith(b"\x89PNG")
    code, out, err = run("compare", "a", "--out", "one.png")
    assert (code, out.split()[:5], err) == (
        0, ["a", "2.5000", "at", "step", "10"], "drawn: one.png\n",
    )  # fmt: skip
    card = read_card(models / "verse")
    write_card(tmp_path / "a" / "best", replace(card, scores={"test": {"nll": 2.25}}))
    assert run("compare", "a")[1].endswith("; test 2.2500 as it is served\n")
    code, page, _ = run("evolve", "a")
    assert code == 0 and page.endswith("abc\n")
    assert run("evolve", "a", "--out", "page.txt")[:2] == (0, "")
    assert (tmp_path / "page.txt").read_text() == page
    assert run("evolve", "b")[0] == 1
    code, out, err = run("compare", "a", "none")
    assert (code, out) == (1, "") and "none: not a run's folder" in err
