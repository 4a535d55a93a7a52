"""Bad data gets one clear line from the command line, and exit code 1."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import make_text_model

from stream_rnn import cli
from stream_rnn.codecs.performance import Note, midi_from_notes

RECIPE = """
[data]
source = "{source}"
format = "{format}"
{more}
[model]
name = "tiny"
title = "Tiny"
hidden = 8
layers = 1
[train]
rows = 2
chunk = 8
steps = 2
learning_rate = 1e-2
"""


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a command that fails says."""
    capsys.readouterr()
    assert cli.main([str(a) for a in arguments]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.startswith("stream-rnn: ")]
    assert len(lines) == 1 and said.rstrip().endswith(lines[0].rstrip())
    return lines[0]


def empty_table(data: Path) -> None:
    (data / "it").write_text("artist,song,text\n")


def one_artist(data: Path) -> None:
    (data / "it").write_text("artist,song,text\n" + "".join(f"A,b{i},c\n" for i in range(40)))


def mixed_encodings(data: Path) -> None:
    (data / "it").write_bytes("déjà vu\n".encode() * 200 + "déjà vu\n".encode("latin-1"))


def mixed_band(data: Path) -> None:
    (data / "it").mkdir()
    (data / "it" / "a.csv").write_text("time,é,b,c,d\n0,1,2,3,4\n", encoding="utf-8")
    (data / "it" / "b.csv").write_bytes(b"1,2,3,4\n1,2,3,4\n1,2,3,\xe9\n")


def silent_midi(data: Path) -> None:
    (data / "it").mkdir()
    for i in range(40):
        notes = [Note(0.0, 1.0, 60 + i % 5, 64)] if i != 7 else []
        midi_from_notes(notes).save(data / "it" / f"{i}.mid")


def damaged_midi(data: Path) -> None:
    (data / "it").mkdir()
    for i in range(9):
        (data / "it" / f"{i}.mid").write_bytes(b"no MIDI")


def empty_rolls(data: Path) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    sets = {}
    for name, frames in (("traindata", 9), ("validdata", 0), ("testdata", 9)):
        sets[name] = np.empty((1, 1), object)
        sets[name][0, 0] = np.zeros((frames, 88), np.uint8)
    savemat(data / "it.mat", sets)


@pytest.mark.parametrize(
    ("make", "format", "more", "said"),
    [
        (lambda data: (data / "it").write_text(""), "text", "", "it: the text has 0 characters"),
        (lambda data: (data / "it").write_text("\n \n"), "lines", "", "it: no names in it"),
        (lambda data: (data / "it").mkdir(), "midi", "", "it: no .mid files in it"),
        (empty_table, "songs_csv", "", "it: no songs in it"),
        (one_artist, "songs_csv", "by_artist = true", "it: by_artist needs two artists or more"),
        (mixed_encodings, "text", "", "it, line 201: not UTF-8"),
        (damaged_midi, "midi", "", "it: none of its 9 files can be read; "),
        (damaged_midi, "performances", "", "it: none of its 9 files can be read; "),
        (empty_rolls, "rolls_mat", "", "it.mat: nothing to read in the valid set"),
        (lambda data: (data / "it").write_text(""), "playlist", "", "it: no names in it; at least"),
        (lambda data: (data / "it").write_text("a\n\nb"), "playlist", "", "it: 2 names in it"),
        (mixed_band, "ensemble", "", "it/b.csv, line 3: not UTF-8; convert it (iconv -t UTF-8)"),
        (silent_midi, "files", 'codec = "abc"', "it: data.codec: abc has to learn from a corpus"),
        (silent_midi, "files", 'codec = "sitar"', "it: data.codec: unknown domain 'sitar'; known:"),
    ],
)
def test_a_corpus_that_cannot_be_learnt_from(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], object],
    format: str,
    more: str,
    said: str,
) -> None:
    make(tmp_path)
    source = "it.mat" if format == "rolls_mat" else "it"
    (tmp_path / "r.toml").write_text(RECIPE.format(source=source, format=format, more=more))
    run = ["--data", tmp_path, "--run", tmp_path / "run"]
    assert f"{tmp_path}/{said}" in complaint(capsys, "train", tmp_path / "r.toml", *run)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("format", ["midi", "performances"])
def test_a_bad_file_of_a_folder_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    silent_midi(tmp_path)
    (tmp_path / "it" / "8.mid").write_bytes((tmp_path / "it" / "8.mid").read_bytes()[:30])
    (tmp_path / "it" / "._9.mid").write_bytes(b"\0\5\x16\7 not MIDI")
    (tmp_path / "r.toml").write_text(RECIPE.format(source="it", format=format, more=""))
    train = ["train", tmp_path / "r.toml", "--data", tmp_path, "--run"]
    assert cli.main([str(a) for a in [*train, tmp_path / "run"]]) == 0
    said = capsys.readouterr().err
    assert "left out: 3\n" in said
    for name, why in (
        ("7.mid", "no notes on the piano's keys"),
        ("8.mid", "not a readable MIDI file (empty, or cut short)"),
        ("._9.mid", "not a readable MIDI file"),
    ):
        assert f"  {tmp_path}/it/{name}: {why}" in said
    strict = complaint(capsys, *train, tmp_path / "other", "--strict")
    assert f"{tmp_path}/it/._9.mid: not a readable MIDI file" in strict


def test_a_tune_of_a_folder_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "it").mkdir()
    for i in range(60):
        first = "".join(random.Random(i).choices("CDEFGABcde", k=4))
        bars = f"{first}|dcBA|{'GB' if i == 7 else 'GBdB'}|{'&' if i == 8 else ''}A2 G2||"
        (tmp_path / "it" / f"{i}.abc").write_text(f"X:{i}\nT:no. {i}\nM:2/4\nL:1/8\nK:G\n{bars}\n")
    (tmp_path / "it" / "._9.abc").write_bytes(b"\0\5\x16\7\xff not ABC")
    (tmp_path / "r.toml").write_text(RECIPE.format(source="it", format="abc", more="least = 1"))
    train = ["train", tmp_path / "r.toml", "--data", tmp_path, "--run"]
    assert cli.main([str(a) for a in [*train, tmp_path / "run"]]) == 0
    said = capsys.readouterr().err
    assert "left out: 3\n" in said
    for line in (
        "._9.abc, line 1: not UTF-8; convert it",
        "7.abc, X:7, no. 7: a bar is not as long as its meter (bar 3 has 2 eighths, not 4)",
        "8.abc, X:8, no. 8: not understood as ABC: '&A2 G2||'",
    ):
        assert f"  {tmp_path}/it/{line}" in said
    strict = complaint(capsys, *train, tmp_path / "other", "--strict")
    assert f"{tmp_path}/it/._9.abc, line 1: not UTF-8" in strict


@pytest.mark.parametrize("command", ["sample", "eval"])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_checkpoint_that_is_cut_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, part: float
) -> None:
    make_text_model(tmp_path / "m")
    weights = tmp_path / "m" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[: int(weights.stat().st_size * part)])
    more = ["--data", tmp_path] if command == "eval" else []
    said = complaint(capsys, command, tmp_path / "m", *more)
    assert f"{weights}: damaged or cut short" in said


def test_a_run_that_is_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "it").write_text("a rose is a rose is a rose\n" * 200)
    (tmp_path / "r.toml").write_text(RECIPE.format(source="it", format="text", more=""))
    train = ["train", tmp_path / "r.toml", "--data", tmp_path, "--run", tmp_path / "run"]
    assert cli.main([str(a) for a in train]) == 0
    state = tmp_path / "run" / "resume" / "run.safetensors"
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    assert f"{state}: damaged" in complaint(capsys, *train, "--resume", "--steps", 4)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("hidden", 48, "does not fit the card"), ("layers", 2, "does not fit the card"),
     ("symbols", 9, "symbols is 9; it must be 30, since its codec of text has so many"),
     ("artists", 5, "artists is 5; it must be 3, since so many artists are named")],
)  # fmt: skip
def test_a_card_that_does_not_fit_its_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str, value: int, said: str
) -> None:
    make_text_model(tmp_path / "m")
    card = json.loads((tmp_path / "m" / "card.json").read_text())
    card["architecture"][field] = value
    (tmp_path / "m" / "card.json").write_text(json.dumps(card))
    assert said in complaint(capsys, "sample", tmp_path / "m")
