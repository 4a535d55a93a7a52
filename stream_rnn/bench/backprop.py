"""Memory and time of one training step: truncated at each length, or with checkpointing.

`python -m stream_rnn.bench.backprop [--hidden 256] [--rows 8] [--lengths 256 512 …]` prints a
table. Each figure is taken in a process of its own, since memory that was once used is not
all given back: the peak of its resident memory, less what it was before the step.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys

SYMBOLS = 90
LENGTHS = (256, 512, 1024, 2048, 4096)
REPEATS = 3


def measure(hidden: int, rows: int, length: int, segment: int) -> dict[str, float]:
    """Peak memory in MiB and processor seconds of a step on `rows` × `length` symbols."""
    import torch

    from stream_rnn.nets.network import Architecture, RecurrentNetwork
    from stream_rnn.train.backward import chunk_loss

    torch.set_num_threads(1)
    network = RecurrentNetwork(Architecture(SYMBOLS, 0, hidden, 1, "categorical"))
    artists = torch.zeros(rows, 1, 0)

    def step(time: int) -> None:
        symbols = torch.randint(0, SYMBOLS, (rows, time + 1))
        mask = torch.ones(rows, time)
        state = network.zero_state(rows)
        loss, _ = chunk_loss(
            network, symbols[:, :-1], symbols[:, 1:], mask, artists, state, segment=segment
        )
        torch.autograd.backward(loss)
        network.zero_grad(set_to_none=True)

    step(16)  # loads and allocates what any step needs
    before = _resident()
    seconds = []
    for _ in range(REPEATS):
        begun = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        step(length)
        seconds.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime - begun)
    return {"mebibytes": _peak() - before, "seconds": min(seconds)}


def _resident() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str]) -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--one", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        length, segment = options.one
        sys.stdout.write(json.dumps(measure(options.hidden, options.rows, length, segment)))
        return 0
    sys.stdout.write("| symbols | whole | | checkpointed, segments of √length | |\n"
                     "|---|---|---|---|---|\n")  # fmt: skip
    for length in options.lengths:
        cells = [str(length)]
        for segment in (0, math.isqrt(length)):
            command = [sys.executable, "-m", "stream_rnn.bench.backprop", "--one"]
            command += [str(length), str(segment)]
            command += ["--hidden", str(options.hidden), "--rows", str(options.rows)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            cells += [f"{found['mebibytes']:.0f} MiB", f"{found['seconds']:.2f} s"]
        sys.stdout.write("| " + " | ".join(cells) + " |\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
