"""`stream-rnn bench engine`: the exact kernel beside other ways to step a recurrent network.

The network is one of characters with its initial weights, on one thread of the processor. Ours
steps batches as the engine does, and draws from the logits. Beside it:

* `per_session_64`: `nn.LSTM`, 64 sessions stepped one by one, as single-user servers would;
* `batched_ROWS`: `nn.LSTM`, all rows at once;
* `onnx_ROWS`, `onnx_int8_ROWS`: ONNX Runtime, in float32 and with 8-bit weights (its dynamic
  quantization). They give logits, and draw nothing.

Only ours gives a row the same bits in any batch. The steppers are measured in turns, and each
ratio is the median over the turns, so that other programs disturb all alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from stream_rnn.bench.onnx_peer import onnx_steppers
from stream_rnn.codecs.text import TextCodec
from stream_rnn.engine.messages import Settings
from stream_rnn.engine.offline import kernel_of
from stream_rnn.engine.slots import BATCH
from stream_rnn.engine.steering import Steering
from stream_rnn.nets.network import Architecture, RecurrentNetwork, State

ROWS = (1, 8, 64, 256)
SESSIONS = 64
TURN = 0.1  # about how many seconds each stepper takes in a turn
Stepper = Callable[[], None]
"""Steps its rows once, from their current state."""


def bench_engine(
    *, hidden: int = 512, layers: int = 2, symbols: int = 96, rows: Sequence[int] = ROWS,
    turns: int = 7, turn: float = TURN,
) -> dict[str, Any]:  # fmt: skip
    """Runs the measurement; see `describe` for what the result says.

    Args:
        rows: the numbers of sessions to step together.
        turns: how often each stepper is measured.
        turn: about how long each time, in seconds.
    """
    torch.manual_seed(1)
    network = RecurrentNetwork(Architecture(symbols, 0, hidden, layers, "categorical"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    speeds: dict[str, float] = {}
    ratios: dict[str, float] = {}
    undrawn: dict[str, float] = {}
    skipped = ""
    try:
        with torch.no_grad():
            for count in rows:
                ours = {"": _Ours(network, count, draw=True).step,
                        "undrawn_": _Ours(network, count, draw=False).step}  # fmt: skip
                theirs = {f"batched_{count}": _Library(network, count).step}
                if count == SESSIONS:
                    theirs[f"per_session_{count}"] = _Many(network, count).step
                onnx, skipped = onnx_steppers(network, count)
                theirs |= {f"{name}_{count}": step for name, step in onnx.items()}
                found = _measure([*ours.values(), *theirs.values()], count, turns, turn)
                speeds |= {f"ours_{kind}{count}": found[i][0] for i, kind in enumerate(ours)}
                for i, name in enumerate(theirs, len(ours)):
                    speeds[name] = found[i][0]
                    ratios[name] = round(_median_ratio(found[0][1], found[i][1]), 2)
                    undrawn[name] = round(_median_ratio(found[1][1], found[i][1]), 2)
    finally:
        torch.set_num_threads(threads)
    return {
        "hidden": hidden,
        "layers": layers,
        "symbols": symbols,
        "batch": BATCH,
        "steps_per_second": {name: round(speed) for name, speed in speeds.items()},
        "ratios": ratios,
        "ratios_without_draw": undrawn,
        "skipped": skipped,
    }


def _measure(
    steppers: Sequence[Stepper], rows: int, turns: int, turn: float
) -> list[tuple[float, list[float]]]:
    """For each stepper, steps a second of all its rows: the median, and the value of each turn."""
    counts = []
    for step in steppers:
        step()
        began = time.perf_counter()
        step()
        counts.append(max(1, int(turn / (time.perf_counter() - began))))
    found: list[list[float]] = [[] for _ in steppers]
    for _ in range(turns):
        for step, count, speeds in zip(steppers, counts, found, strict=True):
            began = time.perf_counter()
            for _ in range(count):
                step()
            speeds.append(rows * count / (time.perf_counter() - began))
    return [(statistics.median(speeds), speeds) for speeds in found]


def _median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


class _Ours:
    """The engine's kernel: step and draw in one call."""

    def __init__(self, network: RecurrentNetwork, rows: int, *, draw: bool) -> None:
        self._kernel, self._draw = kernel_of(network), draw
        codec = TextCodec("".join(chr(33 + i) for i in range(network.architecture.symbols - 1)))
        self._rows, steering = np.arange(rows), Steering(self._kernel, codec, rows)
        self._room = self._kernel.room(2 * rows)
        for row in range(rows):
            steering.plan(row, [(0, Settings(seed=row))])
            self._kernel.put(self._room, row, self._kernel.zero_state(1))
        steering.follow(self._rows, np.zeros(rows, np.int64))
        self._settings, self._symbols = steering.settings, np.zeros((rows, 1), np.int64)
        self._at, self._after = self._rows, self._rows + rows
        self._positions = np.zeros(rows, np.int64)

    def step(self) -> None:
        self._kernel.advance(
            self._symbols, self._rows, self._positions, self._settings, self._at, self._after,
            self._room, self._symbols, draw=self._draw,
        )  # fmt: skip
        self._positions += 1
        self._at, self._after = self._after, self._at


class _Library:
    """`nn.LSTM`, and a draw by torch."""

    def __init__(self, network: RecurrentNetwork, rows: int) -> None:
        self._network = network
        self._symbols = torch.zeros(rows, 1, dtype=torch.long)
        self._artists = torch.zeros(rows, 1, 0)
        self._state: State = network.zero_state(rows)

    def step(self) -> None:
        logits, self._state = self._network(self._symbols, self._artists, self._state)
        self._symbols = torch.multinomial(logits[:, 0].softmax(1), 1)


class _Many:
    """The same, one session at a time."""

    def __init__(self, network: RecurrentNetwork, rows: int) -> None:
        self._sessions = [_Library(network, 1) for _ in range(rows)]

    def step(self) -> None:
        for session in self._sessions:
            session.step()


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    speeds = result["steps_per_second"]
    lines = [
        f"{result['layers']} x {result['hidden']} units, {result['symbols']} symbols, one thread; "
        f"sessions' steps a second, ours in batches of at most {result['batch']}:",
        *(f"  {name:<16} {speed:>8,}" for name, speed in speeds.items()
          if name.startswith("ours")),
        "  beside it                    ours over theirs   without the draw",
    ]  # fmt: skip
    for name, ratio in result["ratios"].items():
        lines.append(f"  {name:<16} {speeds[name]:>8,} {ratio:>12.2f}"
                     f" {result['ratios_without_draw'][name]:>18.2f}")  # fmt: skip
    if result["skipped"]:
        lines.append(f"  {result['skipped']}")
    return "\n".join(lines)
