"""`sample` and `models`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_rnn.commands.arguments import (
    AddCommand,
    blend,
    model_argument,
    model_folder,
    positive,
    print_json,
)
from stream_rnn.errors import CheckpointError, ConfigError, StreamRnnError
from stream_rnn.paths import bundled

if TYPE_CHECKING:
    from stream_rnn.checkpoint import Card


def add(command: AddCommand) -> None:
    sub = command("sample", "Make a text or a MIDI file.", _sample)
    model_argument(sub)
    sub.add_argument(
        "--prime",
        default="",
        metavar="TEXT|@FILE",
        help="text to continue, or @FILE to read it from; for models of notes a MIDI file",
    )
    sub.add_argument(
        "--tracks", default="", metavar="T,…", help="tracks of a MIDI prime, by number or name"
    )
    sub.add_argument("--bpm", type=float, metavar="BPM", help="tempo; default: the prime's")
    sub.add_argument("--artist", metavar="A[=W],…", help="a name, or a blend")
    sub.add_argument("--temperature", type=float, metavar="T")
    sub.add_argument("--top-k", type=int, metavar="K")
    sub.add_argument("--top-p", type=float, metavar="P")
    sub.add_argument("--length", type=positive, default=400, metavar="N", help="(%(default)s)")
    sub.add_argument("--seed", type=int, default=1, metavar="N", help="(%(default)s)")
    sub.add_argument(
        "--out", type=Path, metavar="FILE", help=".txt or .mid; default: print the text"
    )

    sub = command("models", "List the models.", _models)
    sub.add_argument("--models", type=Path, default=bundled("models"), metavar="DIR")
    sub.add_argument("--json", action="store_true")


def _sample(options: argparse.Namespace) -> None:
    from stream_rnn.checkpoint import read_card
    from stream_rnn.codecs.registry import file_writer, prime_source, read_prime
    from stream_rnn.sessions.controls import default_controls, engine_settings, merge_controls

    folder = model_folder(options.model)
    card = read_card(folder)
    codec = card.make_codec()
    given = {
        "temperature": options.temperature,
        "top_k": options.top_k,
        "top_p": options.top_p,
        "seed": options.seed,
        "artist": blend(options.artist, card.artists),
        "bpm": options.bpm,
    }
    if options.prime and options.bpm is None:
        given["bpm"] = codec.prime_bpm(prime_source(options.prime))
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        controls = merge_controls(default_controls(card, 0), changes, card)
    except StreamRnnError as error:
        raise ConfigError(str(error)) from None
    write = file_writer(codec, options.out, controls.bpm)
    prime = read_prime(codec, options.prime, tuple(filter(None, options.tracks.split(","))))
    if codec.domain in ("text", "abc") and _is_file(options.prime):
        hint = f"taken as text; to read the file of that name, give --prime @{options.prime}"
        print(f"stream-rnn: --prime {options.prime} is {hint}", file=sys.stderr)
    from tqdm import tqdm

    from stream_rnn.engine.library import load_kernel
    from stream_rnn.engine.offline import generate

    with tqdm(total=options.length, unit="symbol", disable=None, leave=False) as bar:
        symbols = generate(
            load_kernel(folder, card),
            codec,
            engine_settings(controls, card),
            prime=prime,
            length=options.length,
            progress=bar.update,
        )
    write(symbols)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # too long for a name
        return False


def _models(options: argparse.Namespace) -> None:
    from stream_rnn.checkpoint import find_models, read_models

    if not options.models.is_dir():
        raise CheckpointError(f"--models {options.models}: no such folder")
    cards, faults = read_models(find_models(options.models))
    if options.json:
        print_json([_model_json(card) for card in cards.values()])
    else:
        for card in cards.values():
            print(_model_line(card))
    for fault in faults[:-1]:
        print(f"stream-rnn: {fault}", file=sys.stderr)
    if faults:
        raise faults[-1]


def _model_line(card: Card) -> str:
    score = card.scores.get("test", {}).get("nll")
    shown = f"{score:.3f} nats" if score is not None else "not scored"
    artists = f", {len(card.artists)} artists" if card.artists else ""
    return f"{card.name:<16} {card.codec['domain']:<10} {shown:<12} {card.title}{artists}"


def _model_json(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "title": card.title,
        "domain": card.codec["domain"],
        "artists": list(card.artists),
        "defaults": card.defaults,
        "scores": card.scores,
        "architecture": card.architecture,
        "weights": card.weights,
    }
