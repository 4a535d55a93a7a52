"""`compare` and `evolve`: the records of training runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stream_rnn.commands.arguments import AddCommand, picture_file, print_json


def add(command: AddCommand) -> None:
    sub = command("compare", "Draw the loss curves of several runs in one figure.", _compare)
    sub.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
    sub.add_argument("--by", choices=("step", "symbols", "minutes"), default="step",
                     help="the unit of the x axis (%(default)s)")  # fmt: skip
    sub.add_argument("--out", type=picture_file, default=Path("compare.png"), metavar="FILE.png",
                     help="(%(default)s)")  # fmt: skip
    sub.add_argument("--json", action="store_true")

    sub = command("evolve", "Print the samples kept in a run, from noise to words.", _evolve)
    sub.add_argument("run_folder", type=Path, metavar="RUN", help="a run's folder")
    sub.add_argument("--out", type=Path, metavar="FILE", help="write the page there instead")


def _compare(options: argparse.Namespace) -> None:
    from stream_rnn.train.curves import draw_comparison
    from stream_rnn.train.runs import read_run

    runs = [read_run(folder) for folder in options.runs]
    draw_comparison(runs, options.out, by=options.by)
    rows = [(run.name, run.best(), run.test, run.points[-1]) for run in runs]
    if options.json:
        table = [
            {
                "run": name,
                "best": best and {"loss": best.loss, "step": best.step},
                "test": test,
                "steps": last.step,
                "seconds": last.seconds,
            }
            for name, best, test, last in rows
        ]
        print_json({"picture": str(options.out), "runs": table})
        return
    for name, best, test, last in rows:
        found = f"{best.loss:.4f} at step {best.step:,}" if best else "not validated yet"
        scored = f"; test {test:.4f} as it is served" if test is not None else ""
        spent = f"{last.seconds / 60:.0f} min"
        print(f"{name:<20} {found:<24} of {last.step:,}, {spent}{scored}")
    print(f"drawn: {options.out}", file=sys.stderr)


def _evolve(options: argparse.Namespace) -> None:
    from stream_rnn.train.runs import evolution, read_run

    page = evolution(read_run(options.run_folder))
    if options.out is None:
        print(page, end="")
    else:
        options.out.write_text(page, encoding="utf-8")
