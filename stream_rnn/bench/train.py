"""`stream-rnn bench train`: how fast each kind of cell trains on one thread of the processor.

A step does the work of the training loop: forward, backward, clip, Adam. The cells take turns, and
processor time counts, not wall time, so that other programs disturb all alike, and little.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from stream_rnn.nets.cells import CELLS
from stream_rnn.nets.network import Architecture, RecurrentNetwork

SYMBOLS, ARTISTS = 86, 64
ROWS, CHUNK = 32, 96
REFERENCE = "lstm"


def bench_train(*, hidden: int = 512, layers: int = 1, repeats: int = 7) -> dict[str, Any]:
    """Runs the measurement; see `describe` for what the result says."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        runs = {name: _Run(name, hidden, layers) for name in CELLS}
        for run in runs.values():
            run.step()
        took: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(repeats):
            for name, run in runs.items():
                began = time.process_time()
                run.step()
                took[name].append(time.process_time() - began)
    finally:
        torch.set_num_threads(threads)
    seconds = {name: statistics.median(times) for name, times in took.items()}
    return {
        "hidden": hidden,
        "layers": layers,
        "rows": ROWS,
        "chunk": CHUNK,
        "symbols_per_second": {name: round(ROWS * CHUNK / s) for name, s in seconds.items()},
        "ratios": {name: round(seconds[REFERENCE] / s, 2) for name, s in seconds.items()},
    }


class _Run:
    """One network, trained on random symbols."""

    def __init__(self, cell: str, hidden: int, layers: int) -> None:
        torch.manual_seed(1)
        architecture = Architecture(SYMBOLS, ARTISTS, hidden, layers, "categorical", cell)
        self._network = RecurrentNetwork(architecture)
        self._optimiser = torch.optim.AdamW(self._network.parameters())
        self._symbols = torch.randint(SYMBOLS, (ROWS, CHUNK + 1))
        self._artists = torch.eye(ARTISTS)[torch.arange(ROWS) % ARTISTS]

    def step(self) -> None:
        network, symbols = self._network, self._symbols
        logits, _ = network(symbols[:, :-1], self._artists, network.zero_state(ROWS))
        loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), symbols[:, 1:])
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        self._optimiser.step()


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    lines = [
        f"{result['layers']} x {result['hidden']} units, {result['rows']} rows of "
        f"{result['chunk']} symbols, one thread:"
    ]
    for name, speed in result["symbols_per_second"].items():
        lines.append(f"  {name:<8} {speed:>7,} symbols a second, {result['ratios'][name]:.2f} of "
                     f"{REFERENCE}")  # fmt: skip
    return "\n".join(lines)
