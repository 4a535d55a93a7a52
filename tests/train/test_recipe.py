from pathlib import Path

import pytest

from stream_rnn.errors import ConfigError
from stream_rnn.train.recipe import read_recipe

CONFIGS = Path(__file__).parents[2] / "configs"
GOOD = """
[data]
source = "songs.csv"
format = "songs_csv"
[model]
name = "m"
title = "M"
hidden = 8
layers = 1
[train]
rows = 2
chunk = 4
steps = 10
learning_rate = 1e-3
"""


def read(folder: Path, text: str) -> object:
    (folder / "r.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    return read_recipe(folder / "r.toml")


def test_a_recipe_needs_little_and_the_rest_has_defaults(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(GOOD)
    recipe = read_recipe(tmp_path / "r.toml")
    assert recipe.data.split == (0.9, 0.05, 0.05)
    assert (recipe.train.steps, recipe.train.patience, recipe.model.dropout) == (10, 20, 0.0)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.toml")), ids=str)
def test_the_recipes_that_come_with_the_program_are_read(path: Path) -> None:
    if "data" in path.read_text() and path.stem != "serve":
        assert read_recipe(path).model.name == path.stem


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("hidden = 8", "hidden = -1", r"`int` >= 0 - at `\$\.model\.hidden`"),
        (
            "hidden = 8",
            "hidden = 0",
            r"lstm takes hidden and layers, and no order - at `\$\.model`",
        ),
        ("hidden = 8", "hiden = 8", "unknown field `hiden`"),
        ("hidden = 8", "", "lstm takes hidden and layers"),
        ("hidden = 8", "hidden = 8\norder = 3", "and no order"),
        ("hidden = 8", "hidden = 8\ncell = 'markov'", "markov takes no hidden, no layers, and an"),
        ("hidden = 8\nlayers = 1", "cell = 'markov'\norder = 13", r"\$\.model\.order"),
        ("hidden = 8\nlayers = 1", "cell = 'markov'\norder = 3", r"markov takes no \[train\]"),
        ('"songs_csv"', '"songs_tsv"', r"'songs_tsv' - at `\$\.data\.format`"),
        ("steps = 10", "steps = '10'", r"Expected `int`, got `str` - at `\$\.train\.steps`"),
        ("learning_rate = 1e-3", "learning_rate = 0.0", r"\$\.train\.learning_rate"),
        ("steps = 10", "", r"needs either steps or epochs, above 0 - at `\$\.train`"),
        ("steps = 10", "steps = 10\nepochs = 2", "needs either steps or epochs"),
        ("steps = 10", "steps = 10\nembedding_dropout = 0.1", "needs an embedding"),
        ("steps = 10", "steps = 10\nembedding = 9\nstart = 'm'", "keeps no embedding"),
        (
            "hidden = 8\nlayers = 1\n[train]",
            "hidden = 8\nlayers = 1\ncell = 'mi-lstm'\n[train]\nbfloat16 = true",
            "not for mi-lstm",
        ),
        ("hidden = 8", "hidden = 8\nhead = 'nade'", "nade takes a head_hidden above 0"),
        ("hidden = 8", "hidden = 8\nhead_hidden = 8", "no other head has one"),
        ("[data]", "[data]\nsplit = [0.5, 0.5, 0.5]", "data.split must add up to 1"),
        ("[data]", "[data]\norder = ['valid', 'train', 'test']", "order is for format text, not"),
        (
            '"songs_csv"',
            "'text'\norder = ['train', 'train', 'test']",
            "each of train, valid and te",
        ),
        ("[data]", "[data]\nsplit = [0.5, 0.5]", r"length 3.*\$\.data\.split"),
        ("[data]", "[data]\nsplit = [1.5, -0.5, 0.0]", r"\$\.data\.split\[0\]"),
        ("[model]", "[tuning]\n[model]", "unknown field `tuning`"),
        ("[model]", "[model", "at line 5"),
        ("steps = 10", "steps = 10\nsteps = 11", "Cannot overwrite a value"),
        ('"M"', '"\udcff"', "utf-8"),
    ],
)
def test_what_does_not_belong_in_a_recipe_is_named(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read(tmp_path, GOOD.replace(old, new))
    assert "r.toml" in str(caught.value)


def test_a_recipe_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none.toml: no such file"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_recipe(tmp_path)


def test_the_recipe_that_the_documentation_explains_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    path = tmp_path / "recipe.toml"
    path.write_text(page.partition("## A recipe")[2].partition("```toml\n")[2].partition("```")[0])
    recipe = read_recipe(path)
    assert (recipe.model.name, recipe.model.cell, recipe.train.rows) == ("lyrics", "lstm", 32)
