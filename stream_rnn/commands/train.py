"""`train`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stream_rnn.commands.arguments import (
    AddCommand,
    data_argument,
    data_folder,
    model_folder,
    positive,
)
from stream_rnn.errors import ConfigError


def add(command: AddCommand) -> None:
    sub = command("train", "Train a model from a recipe, or from a text.", _train)
    what = sub.add_mutually_exclusive_group(required=True)
    what.add_argument("config", nargs="?", type=Path, metavar="CONFIG.toml")
    what.add_argument(
        "--text", type=Path, metavar="FILE", help="choose settings for this text, and print them"
    )
    data_argument(sub)
    sub.add_argument("--run", type=Path, metavar="DIR", dest="folder", help="default: runs/NAME")
    sub.add_argument("--resume", action="store_true", help="continue an interrupted run")
    sub.add_argument("--steps", type=positive, metavar="N", help="instead of the recipe's")
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    sub.add_argument("--strict", action="store_true",
                     help="stop at a file, tune or row that cannot be read")  # fmt: skip


def _train(options: argparse.Namespace) -> None:
    if options.text and options.data:
        raise ConfigError("--data is for a recipe; --text FILE names the whole path of its text")
    data = options.text.resolve().parent if options.text else data_folder(options.data)
    from stream_rnn.checkpoint import read_card
    from stream_rnn.engine.device import pick_device
    from stream_rnn.engine.preview import preview
    from stream_rnn.engine.scoring import serve
    from stream_rnn.train.choose import choose, recipe_text
    from stream_rnn.train.corpus import summary
    from stream_rnn.train.data import load_corpus
    from stream_rnn.train.finish import what_8_bits_cost
    from stream_rnn.train.loop import Trainer
    from stream_rnn.train.recipe import read_recipe
    from stream_rnn.train.start import make_trainer
    from stream_rnn.train.texts import read_text

    device = pick_device(options.device)
    if options.text:
        recipe = choose(options.text.resolve(), len(read_text(options.text)), device)
        print(f"settings, chosen by the size of {options.text}:\n\n{recipe_text(recipe)}",
              file=sys.stderr)  # fmt: skip
    else:
        recipe = read_recipe(options.config)
    run = options.folder or Path("runs") / recipe.model.name
    if not options.resume and (run / "log.csv").exists():
        raise ConfigError(f"{run}: holds a run already; --resume it, or name another --run")
    print(f"reading {data / recipe.data.source}", file=sys.stderr)
    start = model_folder(recipe.train.start) if recipe.train and recipe.train.start else None
    codec = read_card(start).make_codec() if start else None
    corpus = load_corpus(recipe.data, data, codec, strict=options.strict)
    for name, size in corpus.sizes().items():
        print(
            f"  {name}: {size['documents']:,} documents, {size['symbols']:,} symbols",
            file=sys.stderr,
        )
    if corpus.remark:
        print(f"  {corpus.remark}", file=sys.stderr)
    if corpus.left_out:
        print(summary(corpus.left_out), file=sys.stderr)
    trainer = make_trainer(
        recipe,
        corpus,
        run,
        sampler=preview,
        serve=serve,
        steps=options.steps,
        device=device,
    )
    if options.text:
        run.mkdir(parents=True, exist_ok=True)
        (run / "recipe.toml").write_text(recipe_text(recipe), encoding="utf-8")
    if options.resume:
        trainer.resume()
    elif start and isinstance(trainer, Trainer):
        trainer.begin_with(start)
    card = trainer.train()
    score = card.scores["test"]
    print(f"{run / 'best'}: {score['nll']:.4f} nats a symbol on the test split "
          f"({score['symbols']:,} symbols)")  # fmt: skip
    if cost := what_8_bits_cost(card):
        print(cost, file=sys.stderr)
    print(f"copy that folder to models/{card.name} to serve it")
