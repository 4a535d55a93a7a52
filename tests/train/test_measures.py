from pathlib import Path

import pytest

from stream_rnn.train.measures import (
    balanced_functions,
    is_balanced,
    main,
    new_names,
    sound_tunes,
)

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


def test_tunes_parse_and_add_up_or_not() -> None:
    good = "X:1\nM:2/4\nL:1/8\nK:G\nGABc|dcBA|GABc|dcBA|G4||\n\n"
    short = good.replace("dcBA|GABc", "dcB|GABc")
    strange = good.replace("dcBA", "d&BA")
    assert sound_tunes(good + short + strange + good + "X:9\ncut off") == (4, 3, 2)


def test_the_command_line_says_it_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, known = tmp_path / "made.txt", tmp_path / "known.txt"
    made.write_text("Grave\nTomb\n")
    known.write_text("Grave\n")
    assert main(["names", str(made), str(known)]) == 0
    assert capsys.readouterr().out == "2 names, 2 different, 1 of those not in the corpus\n"
    assert main(["code", str(made)]) == main(["abc", str(made)]) == 0
    assert capsys.readouterr().out.startswith("0 functions, 0 of them")
    assert main(["poems", str(made)]) == main(["abc", str(tmp_path / "none")]) == 1
    assert "is not measured" in capsys.readouterr().err
    assert main([]) == 2
