"""`bench`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stream_rnn.commands.arguments import AddCommand, picture_file, positive, print_json
from stream_rnn.errors import ConfigError, StreamRnnError
from stream_rnn.paths import bundled

# The benchmarks that have bounds.
CHECKED = ("engine", "serve", "audience", "restart", "capacity", "osc", "midi")


def add(command: AddCommand) -> None:
    sub = command("bench", "Measure this machine.", _bench)
    sub.add_argument("what", choices=(*CHECKED, "train"))
    sub.add_argument("--sessions", type=positive, default=100, metavar="N")
    sub.add_argument("--viewers", type=positive, default=1000, metavar="N",
                     help="for audience (%(default)s)")  # fmt: skip
    sub.add_argument("--rate", type=float, default=15.0, metavar="R", help="symbols a second")
    sub.add_argument("--seconds", type=float, metavar="S",
                     help="default: 20, and 5 for each run of capacity")  # fmt: skip
    sub.add_argument("--out", type=picture_file, default=Path("capacity.png"), metavar="FILE.png",
                     help="the picture that capacity draws (%(default)s)")  # fmt: skip
    sub.add_argument("--models", type=Path, default=bundled("models"), metavar="DIR")
    sub.add_argument(
        "--model", metavar="NAME",
        help="default: lyrics, for midi nottingham; if that is missing, the first suitable one",
    )  # fmt: skip
    sub.add_argument(
        "--check", action="store_true",
        help=f"for {', '.join(CHECKED)}: if a bound is missed, print it and exit with 1",
    )  # fmt: skip
    sub.add_argument("--json", action="store_true")


def _bench(options: argparse.Namespace) -> None:
    if options.check and options.what not in CHECKED:
        raise ConfigError(f"--check is for {', '.join(CHECKED)}; {options.what} has no bounds")
    where = {"models": options.models, "model": options.model}
    load = {name: getattr(options, name) for name in ("sessions", "rate", "seconds")}
    load["seconds"] = options.seconds or (5.0 if options.what == "capacity" else 20.0)
    breaches: Callable[[dict[str, Any]], list[str]] | None = None
    match options.what:
        case "osc":
            from stream_rnn.bench.osc import bench_osc, breaches, describe

            result = bench_osc(**where)
        case "audience":
            from stream_rnn.bench.audience import bench_audience, breaches, describe

            del load["sessions"]
            result = bench_audience(**where, **load, viewers=options.viewers)
        case "restart":
            from stream_rnn.bench.restart import bench_restart, breaches, describe

            del load["seconds"]
            result = bench_restart(**where, **load)
        case "capacity":
            from stream_rnn.bench.capacity import bench_capacity, breaches, describe

            del load["sessions"]
            result = bench_capacity(**where, **load, picture=options.out, tell=_progress)
        case "midi":
            from stream_rnn.bench.midi import bench_midi, breaches, describe

            result = bench_midi(**where, **load)
        case "train":
            from stream_rnn.bench.train import bench_train, describe

            result = bench_train()
        case "engine":
            from stream_rnn.bench.engine import bench_engine, breaches, describe

            result = bench_engine()
        case _:
            from stream_rnn.bench.serve import bench_serve, breaches, describe

            result = bench_serve(**where, **load)
    if options.json:
        print_json(result)
    else:
        print(describe(result))
    if result.get("interrupted"):
        raise KeyboardInterrupt  # now that all that was found is printed
    broken = breaches(result) if options.check and breaches else []
    if broken:
        raise StreamRnnError("\nstream-rnn: ".join(broken))


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
