import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import ARTISTS

from stream_rnn import cli
from stream_rnn.codecs.midi_notes import read_midi
from stream_rnn.codecs.pianoroll import roll_from_midi
from stream_rnn.commands.arguments import blend

ROOT = Path(__file__).parents[1]
TINY = """
[data]
source = "prose.txt"
format = "text"
least = 1
split = [0.6, 0.2, 0.2]
[model]
name = "tiny"
title = "Tiny"
hidden = 8
layers = 1
[train]
rows = 4
chunk = 8
steps = 6
learning_rate = 1e-2
evaluate_every = 3
sample_every = 3
"""


class Ran:
    """What a command said, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, as its entry point would."""
    monkeypatch.delenv("STREAM_RNN_DATA", raising=False)

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            code = cli.main([str(a) for a in arguments])
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Ran(code, said.out, said.err)

    return run


@pytest.mark.parametrize(
    "command", [[], *[[c] for c in ("serve", "train", "sample", "eval", "models", "bench")]]
)
def test_each_command_has_help(run: Run, command: list[str]) -> None:
    ran = run(*command, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(" ".join(["usage: stream-rnn", *command]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: COMMAND"),
        (["sing"], "invalid choice: 'sing'"),
        (["sample"], "required: MODEL"),
        (["sample", "m", "--length", "0"], "must be a whole number above 0, not '0'"),
        (["sample", "m", "--temperature", "hot"], "invalid float value: 'hot'"),
        (["sample", "no-such-model"], "no model 'no-such-model'; there are:"),
        (["sample", "../models"], "no model '../models'"),
        (["eval", "no-such-model", "--data", "."], "no model 'no-such-model'"),
        (["train", "x.toml"], "no folder of corpora: give --data DIR, or set STREAM_RNN_DATA"),
        (["train"], "one of the arguments CONFIG.toml --text is required"),
        (["train", "x.toml", "--text", "x.txt"], "not allowed with argument"),
        (["train", "--text", "x.txt", "--data", "."], "--data is for a recipe"),
        (["train", "x.toml", "--data", "none"], "--data none: no such folder"),
        (["train", "x.toml", "--data", "."], "x.toml: no such file"),
        (["serve", "--models", "none", "--host", "0.0.0.0"], "give a --token, or say --anyone"),
        (["serve", "--models", "none"], "none: no models in it"),
        (["serve", "--port", "99999"], "must be a port, 0 to 65535, not '99999'"),
        (["serve", "--port", "-1"], "must be a port"),
        (["serve", "--max-busy", "nan"], "must be a number above 0, such as 0.75, not 'nan'"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_sentence(run: Run, arguments: list[str], said: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


@pytest.mark.parametrize("how", ["option", "environment"])
def test_an_empty_token_is_none(run: Run, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("STREAM_RNN_TOKEN", "")
    options = ["--token", ""] if how == "option" else []
    ran = run("serve", "--host", "0.0.0.0", *options)
    assert ran.code == 2 and "give a --token, or say --anyone" in ran.err


def test_what_a_control_cannot_be_is_wrong_usage(run: Run, models: Path) -> None:
    for options, said in (
        (["--temperature", "nan"], "temperature must be from 0 to 100, not nan"),
        (["--top-p", "2"], "top_p must be from 0 to 1"),
        (["--seed", "-1"], "seed must be from 0"),
        (["--artist", "Bard"], "'Bard' is not known"),
        (["--artist", "Ada=much"], "--artist: the weight 'much' is not a number"),
        (["--out", "x.mid"], "a model of text writes .txt files"),
    ):
        ran = run("sample", models / "verse", *options)
        assert ran.code == 2
        assert said in ran.err


def test_what_fails_ends_with_1_and_a_sentence(run: Run, models: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(models / "verse", tmp_path / "verse"))
    (damaged / "weights.safetensors").write_bytes(b"cut")
    (tmp_path / "prose.txt").write_text("too short")
    (tmp_path / "x.toml").write_text(TINY)
    (tmp_path / "folder.txt").mkdir()
    for arguments, said in (
        (["sample", damaged], "damaged or cut short"),
        (["eval", models / "verse", "--data", tmp_path], "does not say how to read its corpus"),
        (["train", tmp_path / "x.toml", "--data", tmp_path], "9 characters; at least 1000"),
        (["train", "--text", tmp_path / "prose.txt"], "9 characters; at least 1000"),
        (["train", "--text", tmp_path / "none.txt"], "none.txt: cannot be read (No such file"),
        (["sample", models / "roll", "--out", tmp_path / "x.mid", "--prime", "none.mid"],
         "none.mid: not a readable MIDI file"),
        (["sample", models / "verse", "--length", 2, "--out", tmp_path / "folder.txt"],
         "Is a directory"),
    ):  # fmt: skip
        ran = run(*arguments)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("stream-rnn: ") or "\nstream-rnn: " in ran.err
        assert said in ran.err


def test_models_json_is_one_document_on_stdout(run: Run, models: Path, tmp_path: Path) -> None:
    ran = run("models", "--json", "--models", models)
    assert (ran.code, ran.err) == (0, "")
    roll, verse = json.loads(ran.out)
    assert (roll["name"], roll["domain"], roll["artists"]) == ("roll", "pianoroll", [])
    assert (verse["name"], verse["artists"]) == ("verse", list(ARTISTS))
    assert verse["architecture"]["hidden"] == 32
    assert json.loads(run("models", "--json", "--models", tmp_path).out) == []
    assert "verse            text       not scored" in run("models", "--models", models).out


def test_models_that_cannot_be_used_are_told_beside_the_others(
    run: Run, models: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    for name, change in (
        ("a", {"scores": {"test": 5}}), ("b", {"scores": {"valid": {"nll": "x"}}}), ("c", None),
    ):  # fmt: skip
        shutil.copytree(folder / "verse", folder / name)
        card = json.loads((folder / name / "card.json").read_text())
        text = "[" if change is None else json.dumps(card | change)
        (folder / name / "card.json").write_text(text)
    (folder / "roll" / "weights.safetensors").unlink()
    ran = run("models", "--models", folder)
    assert ran.code == 1
    assert [line.split()[0] for line in ran.out.splitlines()] == ["verse"]
    said = ran.err.splitlines()
    assert [line.partition(": ")[0] for line in said] == ["stream-rnn"] * 4
    for line, name in zip(said, ("a/card.json", "b/card.json", "c/card.json", "roll"), strict=True):
        assert line.startswith(f"stream-rnn: {folder / name}: ")
    ran = run("models", "--models", folder, "--json")
    assert ran.code == 1 and ran.err.splitlines() == said
    assert [m["name"] for m in json.loads(ran.out)] == ["verse"]


def test_a_models_folder_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    for json_too in ([], ["--json"]):
        ran = run("models", "--models", tmp_path / "none", *json_too)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == f"stream-rnn: --models {tmp_path / 'none'}: no such folder\n"


def test_a_text_is_the_same_for_the_same_seed(run: Run, models: Path, tmp_path: Path) -> None:
    def sample(*options: object) -> str:
        ran = run("sample", models / "verse", "--length", 60, "--prime", "abc", *options)
        assert ran.code == 0, ran.err
        return str(ran.out)

    first = sample("--seed", 5)
    assert first.startswith("abc")
    assert sample("--seed", 5) == first
    assert sample("--seed", 6) != first
    assert sample("--seed", 5, "--artist", "Ada=1,Bo=3") != first
    assert sample("--temperature", 0, "--seed", 1) == sample("--temperature", 0, "--seed", 2)
    assert sample("--top-k", 1) == sample("--temperature", 0)
    assert sample("--seed", 5, "--out", tmp_path / "x.txt") == ""
    assert (tmp_path / "x.txt").read_text(encoding="utf-8") == first


def test_a_midi_file_is_the_same_for_the_same_seed_and_primes_another(
    run: Run, models: Path, tmp_path: Path
) -> None:
    def sample(name: str, *options: object) -> bytes:
        out = tmp_path / name
        ran = run("sample", models / "roll", "--length", 24, "--out", out, *options)
        assert (ran.code, ran.out) == (0, ""), ran.err
        return out.read_bytes()

    first = sample("a.mid", "--seed", 5)
    assert sample("b.mid", "--seed", 5) == first
    assert sample("c.mid", "--seed", 6) != first
    prime = roll_from_midi(tmp_path / "a.mid", steps_per_beat=4)
    sample("d.mid", "--prime", tmp_path / "a.mid")
    longer = roll_from_midi(tmp_path / "d.mid", steps_per_beat=4)
    assert (longer[: len(prime)] == prime).all()
    assert len(prime) < len(longer) <= len(prime) + 24


def test_a_rolls_prime_keeps_its_tempo_unless_another_is_asked_for(
    run: Run, models: Path, tmp_path: Path
) -> None:
    def tempo(name: str, *options: object) -> float:
        out = tmp_path / name
        ran = run("sample", models / "roll", "--length", 24, "--out", out, *options)
        assert ran.code == 0, ran.err
        return float(read_midi(out).bpm)

    assert tempo("a.mid", "--bpm", 96) == pytest.approx(96, abs=0.01)
    assert tempo("b.mid", "--prime", tmp_path / "a.mid") == pytest.approx(96, abs=0.01)
    assert tempo("c.mid", "--prime", f"@{tmp_path / 'a.mid'}") == pytest.approx(96, abs=0.01)
    assert tempo("d.mid", "--prime", tmp_path / "a.mid", "--bpm", 60) == pytest.approx(60, abs=0.01)
    ran = run("sample", models / "roll", "--out", tmp_path / "e.mid", "--tracks", "flute",
              "--prime", tmp_path / "a.mid")  # fmt: skip
    assert ran.code == 1 and "a.mid: no track 'flute'; it has 1" in ran.err
    ran = run("sample", models / "verse", "--tracks", "1", "--prime", "abc")
    assert ran.code == 2 and "--tracks is for a --prime that is a MIDI file" in ran.err


def test_a_prime_is_read_from_a_file_that_is_named_with_an_at(
    run: Run, models: Path, tmp_path: Path
) -> None:
    prime = tmp_path / "prime.txt"
    prime.write_text("a sea\nof love\n")
    ran = run("sample", models / "verse", "--length", 9, "--prime", f"@{prime}")
    assert ran.code == 0 and ran.out.startswith("a sea\nof love")
    assert ran.out == run("sample", models / "verse", "--length", 9, "--prime",
                          "a sea\nof love").out  # fmt: skip
    ran = run("sample", models / "verse", "--length", 9, "--prime", prime)
    assert ran.code == 0 and f"give --prime @{prime}" in ran.err
    ran = run("sample", models / "verse", "--prime", f"@{tmp_path / 'none.txt'}")
    assert ran.code == 1 and "none.txt: cannot be read (No such file" in ran.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada", {"Ada": 1.0}),
        ("Ada=2,Bo", {"Ada": 2.0, "Bo": 1.0}),
        ("Earth, Wind & Fire", {"Earth, Wind & Fire": 1.0}),
        ("Bo , Earth, Wind & Fire=2", {"Bo": 1.0, "Earth, Wind & Fire": 2.0}),
        ("Earth, Wind & Fire=2,a=b,Ada=0.5", {"Earth, Wind & Fire": 2.0, "a=b": 1.0, "Ada": 0.5}),
        ("a=b=3", {"a=b": 3.0}),
        ("Earth, Wind", {"Earth": 1.0, "Wind": 1.0}),
    ],
)
def test_an_artist_may_have_commas_in_the_name(text: str, expected: dict[str, float]) -> None:
    assert blend(text, ("Ada", "Bo", "Earth, Wind & Fire", "a=b")) == expected


def test_an_artist_that_is_not_known_is_told_what_there_is(run: Run, models: Path) -> None:
    ran = run("sample", models / "verse", "--artist", "Ade")
    assert ran.code == 2
    assert "'Ade' is not known to the model 'verse', which has Ada, Bo, Cy; is it 'Ada'?" in ran.err
    assert "/v1/" not in ran.err


@pytest.mark.slow
def test_train_then_eval_then_sample(run: Run, tmp_path: Path) -> None:
    dice = random.Random(1)
    (tmp_path / "prose.txt").write_text("".join(dice.choice("ab c\n") for _ in range(2000)))
    (tmp_path / "x.toml").write_text(TINY)
    train = ["train", tmp_path / "x.toml", "--data", tmp_path, "--run", tmp_path / "run"]
    ran = run(*train)
    assert ran.code == 0, ran.err
    assert "nats a symbol on the test split" in ran.out

    ran = run("eval", tmp_path / "run" / "best", "--data", tmp_path, "--json")
    result = json.loads(ran.out)
    card = json.loads((tmp_path / "run" / "best" / "card.json").read_text())
    assert (result["model"], result["split"]) == ("tiny", "test") and "float" not in result
    assert result["nll"] == card["scores"]["test"]["nll"]
    assert result["symbols"] == card["scores"]["test"]["symbols"]
    assert card["format"] == 2

    # As it was trained: its score in floats is the one that the card has of them.
    ran = run("eval", tmp_path / "run" / "trained", "--data", tmp_path, "--json", "--float")
    trained = json.loads(ran.out)
    assert trained["nll"] == result["nll"]
    assert trained["float"] == {**card["scores"]["float"]["test"], "weights": "trained"}
    ran = run("eval", tmp_path / "run" / "best", "--data", tmp_path, "--float")
    assert "in floats, with its 8-bit weights: " in ran.out

    # The scores are computed again for the weights on disk, and nothing else changes.
    wrong = {**card, "scores": {"test": {"nll": 9.0, "symbols": 1},
                                "float": card["scores"]["float"]}}  # fmt: skip
    (tmp_path / "run" / "best" / "card.json").write_text(json.dumps(wrong))
    ran = run("eval", tmp_path / "run" / "best", "--data", tmp_path, "--write-card")
    assert (ran.code, ran.out) == (
        0, f"tiny, test: {result['nll']:.4f} nats a symbol over {result['symbols']}\n"
    )  # fmt: skip
    assert json.loads((tmp_path / "run" / "best" / "card.json").read_text()) == card

    # If the sets are split differently than in training, the card keeps the sizes of training.
    sizes, before = card["data"]["sizes"], {"train": {"documents": 1, "symbols": 9}}
    wrong = {**card, "data": {**card["data"], "sizes": before}}
    for _ in range(2):
        (tmp_path / "run" / "best" / "card.json").write_text(json.dumps(wrong))
        assert run("eval", tmp_path / "run" / "best", "--data", tmp_path, "--write-card").code == 0
        wrong = json.loads((tmp_path / "run" / "best" / "card.json").read_text())
        assert (wrong["data"]["sizes"], wrong["data"]["sizes_in_training"]) == (sizes, before)
    (tmp_path / "run" / "best" / "card.json").write_text(json.dumps(card))

    assert run("sample", tmp_path / "run" / "best", "--length", 5).code == 0
    ran = run(*train)
    assert (ran.code, ran.out) == (2, "")
    assert "holds a run already; --resume it, or name another --run" in ran.err


@pytest.mark.slow
def test_a_text_is_trained_on_without_a_recipe(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings are printed, and kept as a recipe that does the same."""
    dice = random.Random(1)
    text = tmp_path / "My Prose.txt"
    text.write_text("".join(dice.choice("ab c\n") for _ in range(3000)))
    monkeypatch.chdir(tmp_path)
    ran = run("train", "--text", text, "--steps", 3)
    assert ran.code == 0, ran.err
    kept = tmp_path / "runs" / "my-prose" / "recipe.toml"
    assert f"settings, chosen by the size of {text}" in ran.err and kept.read_text() in ran.err
    assert "nats a symbol on the test split" in ran.out
    again = run("train", kept, "--data", tmp_path, "--run", "again", "--steps", 3)
    assert again.code == 0 and again.out.split(":")[1:] == ran.out.split(":")[1:]
    ran = run("train", "--text", text, "--steps", 5, "--resume")
    assert ran.code == 0, ran.err
    assert run("train", "--text", text).code == 2  # it holds a run


@pytest.mark.parametrize("name", ["verse", "roll"])
def test_a_model_of_floats_is_converted(run: Run, models: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(models / name, tmp_path / name))
    card = json.loads((folder / "card.json").read_text())
    card["scores"] = {"test": {"nll": 2.5, "symbols": 9}, "measure": "a mean"}
    (folder / "card.json").write_text(json.dumps(card))
    before = (folder / "weights.safetensors").stat().st_size
    ran = run("convert", folder, "--out", tmp_path / "new")
    assert ran.code == 0 and "MB of weights before" in ran.out
    assert "eval " in ran.err and " --write-card" in ran.err
    made = json.loads((tmp_path / "new" / "card.json").read_text())
    assert (made["format"], made["weights"]["dtype"]) == (2, "int8")
    assert made["scores"] == {"float": {"test": {"nll": 2.5, "symbols": 9}}}
    assert (tmp_path / "new" / "weights.safetensors").stat().st_size < 0.65 * before
    assert (folder / "weights.safetensors").stat().st_size == before

    assert run("convert", folder).code == 0  # in place
    for file in ("card.json", "weights.safetensors"):
        assert (folder / file).read_bytes() == (tmp_path / "new" / file).read_bytes()
    ran = run("convert", folder)
    assert ran.code == 0 and "is as it is served already (format 2)" in ran.out


def test_the_module_runs_and_a_reader_that_has_seen_enough_is_no_failure(models: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_rnn", "models", "--json", "--models", models],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if k != "STREAM_RNN_DATA"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as errors:
        assert errors.read() == b""
    assert process.wait() == 0
