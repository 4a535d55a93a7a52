"""Chooses how a recipe is trained: by back-propagation or, for a baseline, by counting."""

from __future__ import annotations

from pathlib import Path

from stream_rnn.errors import ConfigError
from stream_rnn.train.corpus import Corpus
from stream_rnn.train.counting import Counter
from stream_rnn.train.evaluate import Serve
from stream_rnn.train.finish import Sampler
from stream_rnn.train.loop import Trainer
from stream_rnn.train.recipe import Recipe


def make_trainer(
    recipe: Recipe,
    corpus: Corpus,
    run: Path,
    *,
    sampler: Sampler,
    serve: Serve,
    steps: int | None = None,
    device: str = "cpu",
) -> Trainer | Counter:
    """A run of a recipe; see `Trainer` for the arguments.

    Raises:
        ConfigError: steps are given for a baseline, which has none.
    """
    if not recipe.model.is_counted:
        return Trainer(
            recipe, corpus, run, sampler=sampler, serve=serve, steps=steps, device=device
        )
    if steps is not None:
        raise ConfigError(f"--steps {steps}: {recipe.model.cell} is a baseline, which has no steps")
    return Counter(recipe, corpus, run, sampler=sampler, device=device)
