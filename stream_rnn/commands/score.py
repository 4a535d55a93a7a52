"""`eval` and `convert`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from stream_rnn.commands.arguments import (
    AddCommand,
    data_argument,
    data_folder,
    model_argument,
    model_folder,
    print_json,
)


def add(command: AddCommand) -> None:
    sub = command("eval", "Score a model on its corpus, as it is served.", _eval)
    model_argument(sub)
    data_argument(sub)
    sub.add_argument("--split", choices=("valid", "test"), default="test")
    sub.add_argument("--float", action="store_true",
                     help="score the network in floats, too")  # fmt: skip
    sub.add_argument("--json", action="store_true")
    sub.add_argument("--write-card", action="store_true",
                     help="score both splits, and write that into the model's card")  # fmt: skip

    sub = command("convert", "Convert a model to 8-bit weights, as it is served.", _convert)
    model_argument(sub)
    sub.add_argument("--out", type=Path, metavar="DIR",
                     help="the new folder; default: in place, and the floats are gone")  # fmt: skip


def _eval(options: argparse.Namespace) -> None:
    folder, data = model_folder(options.model), data_folder(options.data)
    from tqdm import tqdm

    from stream_rnn.checkpoint import FLOATS, load_network, load_quantised, read_card, write_card
    from stream_rnn.engine.scoring import serve
    from stream_rnn.train.data import corpus_of_card
    from stream_rnn.train.evaluate import Scored
    from stream_rnn.train.finish import measure_of, rescored, splits_scored, what_8_bits_cost

    card = read_card(folder)
    floats = card.format == FLOATS and options.write_card or options.float
    networks: list[Scored]
    if card.counts:
        networks = [load_network(folder, card)]
    else:
        networks = [serve(load_quantised(folder, card))]
        if floats:
            networks.append(load_network(folder, card))
    corpus = corpus_of_card(card, data)
    splits = ("valid", "test") if options.write_card else (options.split,)
    total = sum(corpus.sizes()[split]["symbols"] for split in splits) * len(networks)
    with tqdm(total=total, unit="symbol", disable=None, leave=False) as bar:
        served, *others = [
            splits_scored(network, corpus, splits, progress=bar.update) for network in networks
        ]
    if options.write_card:
        trained = others[0] if others and card.format == FLOATS else None
        card = rescored(card, corpus, served, trained)
        write_card(folder, card)
        if cost := what_8_bits_cost(card):
            print(cost, file=sys.stderr)
    score: dict[str, Any] = served[options.split]
    float_score: dict[str, Any] | None = others[0][options.split] if others else None
    kind = "trained" if card.format == FLOATS else "8-bit"
    if options.json:
        told = {"model": card.name, "split": options.split, **score, "measure": measure_of(card)}
        if options.float:
            told["float"] = float_score and {**float_score, "weights": kind}
        print_json(told)
        return
    said = f"{card.name}, {options.split}: {score['nll']:.4f} nats a symbol over "
    said += f"{score['symbols']:,}"
    if "nll_after_first" in score:
        said += f"; {score['nll_after_first']:.4f} without the first frame of each piece"
    print(said)
    if options.float and float_score:
        print(f"in floats, with its {kind} weights: {float_score['nll']:.4f}")
    elif options.float:
        print("in floats: the same, since it only counts")


def _convert(options: argparse.Namespace) -> None:
    folder = model_folder(options.model)
    from dataclasses import replace

    from stream_rnn.checkpoint import (
        SERVED,
        copy_model,
        load_quantised,
        read_card,
        save_quantised,
        write_card,
    )
    from stream_rnn.train.finish import scores_of_floats

    card, out = read_card(folder), options.out or folder
    if card.format == SERVED:
        print(f"{folder}: is as it is served already (format {SERVED})")
        return
    if card.counts:
        copy_model(folder, out)
        made = replace(card, format=SERVED)
        write_card(out, made)
    else:
        quantised = load_quantised(folder, card)
        made = save_quantised(out, replace(card, scores=scores_of_floats(card)), quantised)
    before, after = (c.weights.get("bytes", 0) / 1e6 for c in (card, made))
    print(f"{out}: {before:.1f} MB of weights before, {after:.1f} MB now")
    if "test" not in made.scores:
        print(f"stream-rnn eval {out} --write-card --data DIR: scores it as it is served",
              file=sys.stderr)  # fmt: skip
