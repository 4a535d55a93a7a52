from pathlib import Path

import pytest
import torch

from stream_rnn.train.choose import choose, recipe_text
from stream_rnn.train.recipe import Recipe, read_recipe

CPU = "cpu"
SIZES = [1_000, 20_000, 100_000, 1_100_000, 3_300_000, 12_600_000, 300_000_000]
CONFIGS = [
    path
    for path in sorted((Path(__file__).parents[2] / "configs").rglob("*.toml"))
    if "[model]" in path.read_text(encoding="utf-8")
]


def chosen(characters: int) -> Recipe:
    return choose(Path("books/Moby Dick.txt"), characters, CPU)


def test_the_longer_the_text_the_larger_the_network_and_the_fewer_the_epochs() -> None:
    trains = [r.train for r in map(chosen, SIZES) if r.train]
    units = [chosen(n).model.hidden * chosen(n).model.layers for n in SIZES]
    dropouts = [chosen(n).model.dropout for n in SIZES]
    assert units == sorted(units) and dropouts == sorted(dropouts, reverse=True)
    epochs = [t.epochs for t in trains]
    assert epochs == sorted(epochs, reverse=True) and (epochs[0], epochs[-1]) == (30, 4)
    assert [t.rows for t in trains] == sorted(t.rows for t in trains)


@pytest.mark.parametrize("characters", SIZES)
def test_a_run_is_as_long_as_its_text_allows_and_is_evaluated_each_epoch(characters: int) -> None:
    train = chosen(characters).train
    assert train is not None
    epoch = 0.9 * characters / (train.rows * train.chunk)
    assert train.evaluate_every == max(1, int(epoch))
    if characters >= 100_000:
        assert train.epochs * epoch > 650  # steps: the rate has time to rise and to fall
    if 1e6 < characters < 3.5e6:
        assert 13e6 < 0.9 * characters * train.epochs < 15e6
    assert train.patience >= train.epochs  # nothing stops it before the rate has come down


def test_the_model_has_the_files_name() -> None:
    assert chosen(5000).model.name == "moby-dick"
    assert chosen(5000).data.source == "Moby Dick.txt"
    assert choose(Path("…"), 5000, CPU).model.name == "text"
    assert choose(Path("été 1.txt"), 5000, CPU).model.name == "été-1"


def test_16_bits_are_chosen_where_the_processor_is_fast_in_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for has in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"amx_bf16": has})
        train = chosen(10**6).train
        assert train is not None and train.bfloat16 is has
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # an older torch
    assert not chosen(10**6).train.bfloat16  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["a", 'quo"te\\ \x7f\t', "日本 😀"])
def test_a_chosen_recipe_is_read_back_as_it_was(name: str, tmp_path: Path) -> None:
    recipe = choose(Path(name + ".txt"), 50_000, CPU)
    (tmp_path / "r.toml").write_text(recipe_text(recipe), encoding="utf-8")
    assert read_recipe(tmp_path / "r.toml") == recipe


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_recipe_can_be_written(path: Path, tmp_path: Path) -> None:
    recipe = read_recipe(path)
    (tmp_path / "r.toml").write_text(recipe_text(recipe), encoding="utf-8")
    assert read_recipe(tmp_path / "r.toml") == recipe


def test_what_is_at_its_default_is_not_written() -> None:
    recipe = chosen(50_000)
    text = recipe_text(recipe)
    assert "passage" not in text and "[train]\nrows = " in text
