"""`stream-rnn bench engine`: the engine's kernel beside other ways to step a recurrent network.

The network is one of characters with its initial weights, on one thread of the processor. Ours is
the integer kernel, which steps and draws (at temperature 1, without limits). Beside it:

* `per_session_64`: `nn.LSTM`, 64 sessions stepped one by one, as single-user servers would;
* `batched_ROWS`: `nn.LSTM`, all rows at once; both draw with torch;
* `onnx_float32_ROWS`, `onnx_int8_ROWS`: ONNX Runtime, in float32 and with 8-bit weights (its
  dynamic quantization). They draw nothing.

Only ours gives a row the same bits in any batch, and on any machine. The steppers are measured in
turns, in processor time, and each ratio is the median over the turns, so that other programs
disturb all alike.

Two things more: `engine_64`, the engine's slots with 64 sessions, whose share of the kernel's speed
says what the rest of a step costs; and the products that this processor can make. Of those, the
fastest path that multiplies vectors makes `peak_share_64`. Tiles (AMX) multiply eight times as
fast as vectors, faster than the weights of such a network come from memory; so of them the share
is told, but has no bound.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from stream_rnn.bench.onnx_peer import onnx_steppers
from stream_rnn.bench.peak import Peak
from stream_rnn.bench.steppers import Library, Many, Ours, Sessions
from stream_rnn.engine.kernels.integer import choose_path
from stream_rnn.engine.kernels.paths import PATHS, Path, has
from stream_rnn.engine.slots import BATCH
from stream_rnn.nets.network import Architecture, RecurrentNetwork

ROWS = (1, 8, 64, 256)
SESSIONS = 64
TURN = 0.1  # about how many seconds each stepper takes in a turn
# At least, on an idle machine of two cores.
LEAST = {"onnx_int8_64": 1.3, "onnx_int8_1": 1.6, "per_session_64": 200.0}
LEAST_SHARE = 0.65
Stepper = Callable[[], None]
"""Steps its rows once, from their current state."""


def bench_engine(
    *, hidden: int = 512, layers: int = 2, symbols: int = 96, rows: Sequence[int] = ROWS,
    turns: int = 11, turn: float = TURN,
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
    path = choose_path()
    result: dict[str, Any] = {
        "hidden": hidden, "layers": layers, "symbols": symbols, "batch": BATCH, "path": path.name,
        "steps_per_second": {}, "ratios": {},
    }  # fmt: skip
    try:
        with torch.no_grad():
            for count in rows:
                ours = f"ours_{count}"
                steppers = {ours: Ours(network, count, path).step,
                            f"batched_{count}": Library(network, count).step}  # fmt: skip
                if count == SESSIONS:
                    steppers[f"per_session_{count}"] = Many(network, count).step
                onnx, result["skipped"] = onnx_steppers(network, count)
                steppers |= {f"{name}_{count}": step for name, step in onnx.items()}
                speeds = _measure(steppers, turns, turn)
                for name, found in speeds.items():
                    result["steps_per_second"][name] = round(count * statistics.median(found))
                    if name != ours:
                        result["ratios"][name] = _ratio(speeds[ours], found)
            if SESSIONS in rows:
                result |= _inside(network, path, turns, turn, result["steps_per_second"])
    finally:
        torch.set_num_threads(threads)
    return result


def _inside(
    network: RecurrentNetwork, path: Path, turns: int, turn: float, speeds: dict[str, int]
) -> dict[str, Any]:
    """How near our step of 64 rows is to what the processor can do, and the engine to that."""
    vectors = path
    if path.tiles:
        vectors = next(path for path in PATHS.values() if has(path) and not path.tiles)
    peaks = {f"peak_{which.name}": Peak(which) for which in dict.fromkeys((path, vectors))}
    steppers = {"ours": Ours(network, SESSIONS, path).step,
                "engine": Sessions(network, SESSIONS).step,
                "vectors": Ours(network, SESSIONS, vectors).step,
                **{name: peak.run for name, peak in peaks.items()}}  # fmt: skip
    found = _measure(steppers, turns, turn)
    speeds[f"engine_{SESSIONS}"] = round(SESSIONS * statistics.median(found["engine"]))

    def share(of: str, which: Path) -> dict[str, Any]:
        """Of the products that a path could make, those that it makes."""
        peak = peaks[f"peak_{which.name}"].products
        possible = [peak * speed for speed in found[f"peak_{which.name}"]]
        made = [SESSIONS * products(network.architecture) * speed for speed in found[of]]
        return {"path": which.name, "products_per_second": round(max(possible)),
                "share": _ratio(made, possible)}  # fmt: skip

    best = share("vectors", vectors)
    told = {"engine_share_64": _ratio(found["engine"], found["ours"]),
            "peak": best, "peak_share_64": best["share"]}  # fmt: skip
    return {**told, "tiles": share("ours", path)} if path.tiles else told


def products(a: Architecture) -> int:
    """Multiply-adds of a symbol."""
    gates = 4 * a.hidden
    return (2 * a.layers - 1) * a.hidden * gates + a.hidden * a.symbols


def _measure(steppers: Mapping[str, Stepper], turns: int, turn: float) -> dict[str, list[float]]:
    """Each stepper's calls a second, in each turn."""
    counts = {}
    for name, step in steppers.items():
        step()
        counts[name] = max(1, round(turn * _speed(step, 1)))
    found: dict[str, list[float]] = {name: [] for name in steppers}
    for _ in range(turns):
        for name, step in steppers.items():
            found[name].append(_speed(step, counts[name]))
    return found


def _speed(step: Stepper, count: int) -> float:
    """Calls a second of this thread's processor time, in which all of the step is done."""
    began = time.thread_time()
    for _ in range(count):
        step()
    return count / max(time.thread_time() - began, 1e-9)


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 2)


def breaches(result: dict[str, Any]) -> list[str]:
    """The bounds, meant for an idle machine, that this result misses; a line for each."""
    found = [
        f"{name}: {result['ratios'][name]:g}, not {least:g}"
        for name, least in LEAST.items()
        if name in result["ratios"] and result["ratios"][name] < least
    ]
    if result.get("peak_share_64", LEAST_SHARE) < LEAST_SHARE:
        found.append(f"peak_share_64: {result['peak_share_64']:g}, not {LEAST_SHARE:g}")
    return found


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    speeds = result["steps_per_second"]
    lines = [
        f"{result['layers']} x {result['hidden']} units, {result['symbols']} symbols, one thread, "
        f"the kernel {result['path']}; sessions' steps a second:",
        *(f"  {name:<18} {speed:>9,}" for name, speed in speeds.items()
          if name.startswith("ours")),
        "  beside it                      ours over theirs",
    ]  # fmt: skip
    for name, ratio in result["ratios"].items():
        lines.append(f"  {name:<18} {speeds[name]:>9,} {ratio:>12.2f}")
    if "peak" in result:
        lines.append(f"  {'engine_64':<18} {speeds['engine_64']:>9,}, "
                     f"{result['engine_share_64']:.0%} of the kernel's speed")  # fmt: skip
        for kind in ("peak", "tiles"):
            if kind in result:
                part = result[kind]
                lines.append(f"  {part['path']}: at 64 rows {part['share']:.0%} of the "
                             f"{part['products_per_second'] / 1e9:,.0f} thousand million products "
                             "of 8 bits a second that this processor can make")  # fmt: skip
    if result["skipped"]:
        lines.append(f"  {result['skipped']}")
    return "\n".join(lines)
