"""Memory and time of the gradient over a sequence: whole, truncated, or with checkpointing.

`python -m stream_rnn.bench.backprop [--hidden 256] [--rows 8] [--lengths 256 512 …]` prints a
table. Whole: back-propagation through the whole sequence at once. Truncated: through `--chunk`
symbols, and then through the next chunk from the state that those left, so that no gradient
reaches further. Checkpointed: the whole gradient, with activations kept for √length symbols at a
time and computed a second time. Each figure is taken in a process of its own, since a process does
not give back all memory: it is the peak of resident memory, less its value before.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys

from stream_rnn.bench.serve import peak_memory

SYMBOLS = 90
LENGTHS = (256, 512, 1024, 2048, 4096)
CHUNK = 128
WAYS = ("whole", "truncated", "checkpointed")
REPEATS = 3


def measure(hidden: int, rows: int, length: int, way: str, chunk: int) -> dict[str, float]:
    """Peak memory in MiB and processor seconds for the gradient of `rows` × `length` symbols."""
    import torch

    from stream_rnn.nets.network import Architecture, RecurrentNetwork, State
    from stream_rnn.train.backward import chunk_loss

    torch.set_num_threads(1)
    network = RecurrentNetwork(Architecture(SYMBOLS, 0, hidden, 1, "categorical"))

    def step(time: int, chunk: int, segment: int) -> None:
        symbols = torch.randint(0, SYMBOLS, (rows, time + 1))
        state = network.zero_state(rows)
        for start in range(0, time, chunk):
            piece = symbols[:, start : start + chunk + 1]
            inputs, targets = piece[:, :-1], piece[:, 1:]
            mask, artists = torch.ones(inputs.shape), torch.zeros(*inputs.shape, 0)
            loss, after = chunk_loss(
                network, inputs, targets, mask, artists, state, segment=segment
            )
            torch.autograd.backward(loss)
            network.zero_grad(set_to_none=True)
            state = State(after.hidden.detach(), after.cell.detach())

    # A small step of the same kind first loads what any step needs: checkpointing alone imports
    # 70 MiB at its first use.
    few, short = {"whole": (16, 0), "truncated": (4, 0), "checkpointed": (16, 4)}[way]
    step(16, few, short)
    before = _resident()
    chunk = chunk if way == "truncated" else length
    segment = math.isqrt(length) if way == "checkpointed" else 0
    seconds = []
    for _ in range(REPEATS):
        begun = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        step(length, chunk, segment)
        seconds.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime - begun)
    # Not `ru_maxrss`, which a new program inherits from the process that started it.
    peak = peak_memory(os.getpid()) / 2**20
    return {"mebibytes": peak - before, "seconds": min(seconds)}


def _resident() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def main(arguments: list[str]) -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--chunk", type=int, default=CHUNK, help="(%(default)s)")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        length, way = options.one
        found = measure(options.hidden, options.rows, int(length), way, options.chunk)
        sys.stdout.write(json.dumps(found))
        return 0
    sys.stdout.write(f"| symbols | whole | | truncated, chunks of {options.chunk} | "
                     "| checkpointed, segments of √length | |\n"
                     "|---|---|---|---|---|---|---|\n")  # fmt: skip
    for length in options.lengths:
        cells = [str(length)]
        for way in WAYS:
            command = [sys.executable, "-m", "stream_rnn.bench.backprop", "--one"]
            command += [str(length), way, "--chunk", str(options.chunk)]
            command += ["--hidden", str(options.hidden), "--rows", str(options.rows)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            cells += [f"{found['mebibytes']:.0f} MiB", f"{found['seconds']:.2f} s"]
        sys.stdout.write("| " + " | ".join(cells) + " |\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
