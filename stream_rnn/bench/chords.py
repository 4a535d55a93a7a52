"""How much of a frame's time the joint head takes: `python -m stream_rnn.bench.chords [MODEL…]`.

Many streams play side by side, each with its own seed and the model's default controls. For each
frame the benchmark measures how long the *step* takes, which every network has to make, and how
long the *draw* of the chords. More streams than a batch holds are stepped in several batches, as
in the engine; all of them have to be done within the frame's duration.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stream_rnn.checkpoint import load_network, read_card
from stream_rnn.engine.device import pick_device
from stream_rnn.engine.kernels import make_kernel
from stream_rnn.engine.nade import ChordDraw
from stream_rnn.engine.sampling import uniforms
from stream_rnn.engine.slots import BATCH
from stream_rnn.errors import ConfigError, StreamRnnError
from stream_rnn.nets.baselines import Network
from stream_rnn.paths import bundled
from stream_rnn.sessions.controls import default_controls

ROWS = (1, 8, 64, 256)
FRAMES, WARM_UP = 200, 20


@dataclass(frozen=True)
class Cost:
    """The time for one frame of all streams, in seconds: the median of many frames.

    Attributes:
        rows: how many streams.
        step: the network's part.
        draw: the head's part.
        notes: how many notes sound in a frame, on average.
    """

    rows: int
    step: float
    draw: float
    notes: float


@torch.no_grad()
def cost(
    network: Network, rows: int, *, temperature: float, density: float, frames: int = FRAMES
) -> Cost:
    """Plays `rows` streams of a network with the joint head, as the engine would.

    Raises:
        ConfigError: the network has another head.
    """
    if network.chords is None:
        raise ConfigError("it has no joint head; name a model that has, such as chorales-joint")
    kernel, draw = make_kernel(network), ChordDraw(network.chords)
    keys = network.architecture.symbols
    batches = [np.arange(first, min(first + BATCH, rows)) for first in range(0, rows, BATCH)]
    states = [kernel.zero_state(len(batch)) for batch in batches]
    device = states[0].hidden.device
    bias = kernel.artist_bias(torch.zeros(network.architecture.artists, device=device))
    chords = [np.zeros((len(batch), keys), np.bool_) for batch in batches]
    took: list[tuple[float, float]] = []
    notes = 0
    for n in range(WARM_UP + frames):
        stepped = drawn = 0.0
        for i, batch in enumerate(batches):
            began = time.perf_counter()
            before = torch.from_numpy(chords[i].astype(np.float32)).to(device)
            states[i] = kernel.step(before, bias.expand(len(batch), -1), states[i])
            outputs = kernel.logits(states[i].hidden[-1]).cpu().numpy()
            middle = time.perf_counter()
            chords[i] = draw(
                outputs,
                uniforms(batch, np.full(len(batch), n), keys),
                np.full(len(batch), temperature),
                np.full(len(batch), density),
                np.ones((len(batch), keys), np.bool_),
            )
            stepped += middle - began
            drawn += time.perf_counter() - middle
            notes += int(chords[i].sum()) if n >= WARM_UP else 0
        took.append((stepped, drawn))
    step, drawing = np.median(np.array(took[WARM_UP:]), axis=0)
    return Cost(rows, float(step), float(drawing), notes / frames / rows)


def table(name: str, frame: float, costs: Sequence[Cost]) -> str:
    """The costs as text for people; `frame` is the duration of a frame in seconds."""
    lines = [
        f"{name}: a frame lasts {1000 * frame:.0f} ms",
        f"{'streams':>8} {'step':>9} {'draw':>9} {'draw a stream':>14} {'both':>14}"
        f" {'notes a frame':>14}",
    ]
    for c in costs:
        share = (c.step + c.draw) / frame
        lines.append(
            f"{c.rows:>8} {1e3 * c.step:>6.2f} ms {1e3 * c.draw:>6.2f} ms"
            f" {1e6 * c.draw / c.rows:>11.0f} µs {share:>6.1%} of it {c.notes:>14.2f}"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["chorales-joint"])
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    for name in options.models:
        folder = bundled("models") / name
        try:
            card = read_card(folder)
            network = load_network(folder, card).to(pick_device(options.device))
            c = default_controls(card, 0)
            costs = [
                cost(network, rows, temperature=c.temperature, density=c.density)
                for rows in options.rows
            ]
        except StreamRnnError as error:
            parser.error(f"{name}: {error}")
        sys.stdout.write(table(name, 1 / c.rate, costs) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
