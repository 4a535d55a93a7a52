"""Chooses a recipe for one text by its size: `stream-rnn train --text FILE`.

The sizes are those that docs/training.md found good: the smaller the text, the fewer units and the
more epochs. A run reads about `SYMBOLS` characters, which takes a quarter of an hour on one core.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import torch

from stream_rnn.train.recipe import DataRecipe, ModelRecipe, OptimiserRecipe, Recipe
from stream_rnn.train.texts import MIN_PROSE

CHUNK, MOST_ROWS, LEAST_ROWS = 128, 64, 8
SYMBOLS = 14_000_000  # characters read in a run, if that makes a sensible number of epochs
MOST_EPOCHS, LEAST_EPOCHS = 30, 4
LEAST_STEPS = 1000  # of a run: fewer rows are read side by side, rather than fewer steps made
SPLIT = (0.9, 0.05, 0.05)

# (characters up to, units, layers, dropout, how often a character occurs at least)
SIZES = (
    (200_000, 256, 1, 0.4, 2),
    (3_000_000, 512, 1, 0.4, 3),
    (10_000_000, 512, 2, 0.3, 10),
    (10**12, 512, 2, 0.1, 10),
)


def choose(path: Path, characters: int, device: str) -> Recipe:
    """The recipe for a text.

    Args:
        path: the text's file; the recipe's source is its name, and the data folder its folder.
        characters: how long the text is.
        device: where to train.
    """
    learnt = max(1, round(characters * SPLIT[0]))
    _, hidden, layers, dropout, least = next(s for s in SIZES if characters <= s[0])
    epochs = min(MOST_EPOCHS, max(LEAST_EPOCHS, round(SYMBOLS / learnt)))
    rows = min(MOST_ROWS, max(LEAST_ROWS, learnt * epochs // (CHUNK * LEAST_STEPS)))
    epoch = max(1, learnt // (rows * CHUNK))
    name = re.sub(r"\W+", "-", path.stem).strip("-").lower()[:60] or "text"
    return Recipe(
        DataRecipe(
            path.name,
            "text",
            split=SPLIT,
            order=("valid", "train", "test"),
            # A short text has few of each character, and too few of them to leave any out.
            least=1 if characters <= 20 * MIN_PROSE else least,
        ),
        ModelRecipe(
            name,
            f"Text after {path.name}"[:200],
            hidden=hidden,
            layers=layers,
            dropout=dropout,
            defaults={"temperature": 0.7, "rate": 20.0},
        ),
        OptimiserRecipe(
            rows=rows,
            chunk=CHUNK,
            epochs=float(epochs),
            learning_rate=3e-3,
            betas=(0.9, 0.99),
            weight_decay=0.01,
            warmup=100,
            embedding=128,
            embedding_dropout=0.1,
            bfloat16=device == "cpu" and _is_fast_in_16_bits(),
            threads=min(4, os.cpu_count() or 1),
            evaluate_every=epoch,
            validation_documents=40,
            sample_every=epoch * max(1, epochs // 8),
            save_every=min(epoch, 200),
            patience=MOST_EPOCHS,  # the rate comes down at the end: there is no stopping before
        ),
    )


def _is_fast_in_16_bits() -> bool:
    """Whether the processor multiplies 16-bit matrices (AMX)."""
    ask = getattr(torch.cpu, "get_capabilities", None)  # since torch 2.10
    return bool(ask and ask().get("amx_bf16"))


def recipe_text(recipe: Recipe) -> str:
    """A recipe as TOML, without what is at its default."""
    lines = []
    for part in ("data", "model", "train"):
        section = getattr(recipe, part)
        if section is None:
            continue
        lines.append(f"[{part}]")
        for field in msgspec.structs.fields(section):
            value = getattr(section, field.name)
            if field.required or value != field.default:
                lines.append(f"{field.name} = {_toml(value)}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
