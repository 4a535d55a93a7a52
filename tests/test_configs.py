"""The recipes in the box, and the models that say they were made by them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stream_rnn.checkpoint import find_models, read_card
from stream_rnn.paths import bundled
from stream_rnn.train.recipe import DataRecipe, OptimiserRecipe, read_recipe

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
MODELS = find_models(bundled("models"))


@pytest.mark.parametrize("name", MODELS)
def test_a_card_says_what_its_recipe_says(name: str) -> None:
    """So that training from the recipe again gives the model that the card describes."""
    recipe, card = read_recipe(CONFIGS / f"{name}.toml"), read_card(MODELS[name])
    assert msgspec.convert(card.data["recipe"], DataRecipe) == recipe.data
    model = recipe.model
    assert (model.name, model.title, model.defaults) == (card.name, card.title, card.defaults)
    assert (model.primes, model.notes) == (card.primes, card.notes)
    assert model.cell == card.architecture["cell"]
    if recipe.train is None:
        assert 1 <= card.architecture["order"] <= model.order
        return
    assert msgspec.convert(card.training["optimiser"], OptimiserRecipe) == recipe.train
    for size in ("hidden", "layers", "dropout", "head_hidden", "weight_drop"):
        assert card.architecture.get(size, 0) == getattr(model, size), size
