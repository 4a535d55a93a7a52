from pathlib import Path

import msgspec
import numpy as np
import pytest

from stream_rnn.checkpoint import Card, write_card
from stream_rnn.codecs.performance import Note, midi_from_notes
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.errors import DataError
from stream_rnn.nets.architecture import Architecture
from stream_rnn.train.corpus import Corpus
from stream_rnn.train.data import load_corpus
from stream_rnn.train.measures import (
    balanced_functions,
    balanced_lines,
    describe_notes,
    is_balanced,
    main,
    new_names,
    sound_tunes,
    sound_tunes_by_music21,
    texts_of,
)
from stream_rnn.train.recipe import DataRecipe

FUNCTION = """static int f(struct a *b, int c)
{
	if (b[c] == '}' && "\\"(") { /* ( */
		return g(c); // {
	}
	return 0;
}
"""


def test_new_names_are_counted_once_whatever_their_case() -> None:
    assert new_names(["Grave", "grave ", "", "Tomb  Rot", "Sun"], ["GRAVE", "x"]) == (4, 3, 2)


@pytest.mark.parametrize(
    ("code", "balanced"),
    [(FUNCTION, True), ("f(a[1]) { }", True), ("f(a[1)]", False), ("}", False), ("((", False)],
)
def test_brackets_are_balanced_outside_comments_and_literals(code: str, balanced: bool) -> None:
    assert is_balanced(code) == balanced


def test_functions_are_found_and_the_broken_ones_with_them() -> None:
    broken = FUNCTION.replace("g(c)", "g(c))")
    cut_off = FUNCTION[:40]
    assert balanced_functions(FUNCTION + "int a;\n\n" + broken + FUNCTION + cut_off) == (3, 2)


def test_lines_with_round_brackets_are_counted() -> None:
    assert balanced_lines(FUNCTION) == (3, 3)
    assert balanced_lines("f(a,\n  b);\nint c[1;\ng((x));\n") == (3, 1)


def test_tunes_parse_and_add_up_or_not() -> None:
    good = "X:1\nM:2/4\nL:1/8\nK:G\nGABc|dcBA|GABc|dcBA|G4||\n\n"
    short = good.replace("dcBA|GABc", "dcB|GABc")
    strange = good.replace("dcBA", "d&BA")
    assert sound_tunes(good + short + strange + good + "X:9\ncut off") == (4, 3, 2)


def test_music21_is_asked_too_if_one_wants(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("music21")
    head, body = "X:1\nM:2/4\nL:1/8\nK:G\n", "GABc|dcBA|GABc|dcBA|G4||\n\n"
    upbeats = head + "c|GABc|dcB:|\nA|GABc|dcBA|[1 G3:|[2 G4||\n\n"
    tunes = {
        "good": head + body, "short": head + body.replace("dcBA|GABc", "dcB|GABc"),
        "long": head + body.replace("dcBA|GABc", "dcBA2|GABc"), "few": head + "G4|A4||\n\n",
        "upbeats": upbeats,
    }  # fmt: skip
    for name, tune in tunes.items():
        right = int(name in ("good", "upbeats"))
        assert sound_tunes(tune + "X:9\ncut off") == (1, 1, right), name
        assert sound_tunes_by_music21(tune + "X:9\ncut off") == (1, right), name
    (tmp_path / "x.abc").write_text("".join(tunes.values()) + "X:9\n")
    assert main(["abc", str(tmp_path / "x.abc"), "--music21"]) == 0
    assert capsys.readouterr().out == (
        "5 tunes, 5 parse, 2 of those have bars that add up; "
        "music21 reads 5, and 2 of those have bars that add up by it\n"
    )


def written(folder: Path, recipe: DataRecipe, corpus: Corpus) -> str:
    """A model's folder without a network: its card knows its corpus."""
    folder.mkdir()
    data, codec = {"recipe": msgspec.to_builtins(recipe)}, corpus.codec
    architecture = Architecture(codec.size, 0, 8, 1, codec.head).to_json()
    write_card(folder, Card("made-up", "Made up", codec.to_json(), architecture, data=data))
    return str(folder)


def test_names_are_looked_for_in_the_training_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{a}{b}" for a in "Grave Tomb Rot Dirge Crypt".split() for b in "abcdefgh"]
    (tmp_path / "names.txt").write_text("\n".join(names))
    recipe = DataRecipe("names.txt", "lines", split=(0.6, 0.2, 0.2), least=1)
    corpus = load_corpus(recipe, tmp_path)
    model = written(tmp_path / "model", recipe, corpus)
    known, held_out = texts_of(corpus, "train"), texts_of(corpus, "test")
    made = tmp_path / "made.txt"
    made.write_text("\n\n\n".join([known[0], known[0], known[1], held_out[0], "Zombie"]))
    assert main(["names", str(made)]) == 0
    assert capsys.readouterr().out == "5 names, 4 different\n"
    assert main(["names", str(made), "--model", model, "--data", str(tmp_path)]) == 0
    said = "2 of those not in the training set (1 of them in the other sets)"
    assert said in capsys.readouterr().out


def test_code_is_measured_beside_as_much_of_the_test_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "code.c").write_text("\n".join([FUNCTION] * 100))
    recipe = DataRecipe("code.c", "text", split=(0.5, 0.2, 0.3), least=1)
    model = written(tmp_path / "model", recipe, load_corpus(recipe, tmp_path))
    made = tmp_path / "made.txt"
    made.write_text(FUNCTION * 9 + FUNCTION.replace("g(c)", "g(c"))
    assert main(["code", str(made), "--model", model, "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("10 functions, 9 of them balanced, round brackets match in 96.7% of 30")
    count = int(said.split("test set: ")[1].split()[0])
    assert 8 <= count <= 10 and f"{count} functions, {count} of" in said


def test_keys_that_are_down_at_once_are_counted_by_their_time() -> None:
    piece = [Note(0.0, 2.0, 60, 64), Note(0.0, 1.0, 64, 64), Note(1.0, 4.0, 67, 64)]
    said = describe_notes([piece, [], [Note(0.0, 4.0, 60, 64)]])
    assert said.startswith("4 notes in 8 s, 1.2 keys down at once; half of the notes last 3.00")
    with pytest.raises(DataError, match="no notes"):
        describe_notes([[]])


def test_chords_are_looked_for_in_the_training_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    codec, rolls = PianorollCodec(1), {}
    chords = {"traindata": [[60, 64, 67], [59, 62, 67]], "testdata": [[60, 64, 67], [60, 61]]}
    for name, frames in {**chords, "validdata": [[60]]}.items():
        roll = np.array([[p in frame for p in range(21, 109)] for frame in frames], np.uint8)
        rolls[name] = np.empty((1, 1), object)
        rolls[name][0, 0] = roll
    savemat(tmp_path / "rolls.mat", rolls)
    recipe = DataRecipe("rolls.mat", "rolls_mat", steps_per_beat=1)
    model = written(tmp_path / "model", recipe, load_corpus(recipe, tmp_path))
    made = tmp_path / "made.mid"
    stream = [[60, 64, 67], [], [60, 64, 67], [60, 64, 68], [62, 66, 69]]
    codec.write_file(codec.parse(stream), made, 120)
    assert main(["chords", str(made), "--model", model, "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        "5 frames, 2.40 notes a frame; of those that sound 50.0% are chords of the training set, "
        "75.0% in some key; test set: 2 frames, 2.50 notes a frame; of those that sound 50.0% are "
        "chords of the training set, 50.0% in some key\n"
    )
    assert main(["chords", str(made)]) == 1
    assert "give --model and --data" in capsys.readouterr().err


def test_the_command_line_says_it_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made.txt"
    made.write_text("Grave\nTomb\n")
    assert main(["code", str(made)]) == main(["abc", str(made)]) == 0
    assert capsys.readouterr().out.startswith("0 functions, 0 of them")
    midi_from_notes([Note(0.0, 1.0, 60, 64)]).save(tmp_path / "made.mid")
    assert main(["notes", str(tmp_path / "made.mid")]) == 0
    assert "1 notes in 1 s, 1.0 keys down" in capsys.readouterr().out
    assert main(["abc", str(tmp_path / "none")]) == main(["notes", str(made)]) == 1
    assert capsys.readouterr().err.count("\n") == 2
    model = ["--model", str(tmp_path / "none"), "--data", str(tmp_path)]
    assert main(["names", str(made), *model]) == 1
    assert "not a model folder" in capsys.readouterr().err
    for wrong in ([], ["poems", str(made)], ["names", str(made), *model[:2]]):
        with pytest.raises(SystemExit, match="2"):
            main(wrong)
