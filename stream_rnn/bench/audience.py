"""`stream-rnn bench audience`: one session, and very many who listen to it.

First one viewer listens, then all of them. The difference is what further viewers cost.
"""

from __future__ import annotations

import contextlib
import urllib.request
from pathlib import Path
from typing import Any

from stream_rnn.bench.crowd import Crowd, check_room, tally
from stream_rnn.bench.serve import (
    arrived,
    late_or_lost,
    long_pauses,
    measure,
    metric,
    microseconds,
    percentiles,
    pick_model,
    running_server,
    shares,
)

LATE = 25.0  # milliseconds of lateness allowed at p99
SESSION = "bench"
ALONE = 0.25  # of the time, one viewer is measured


def bench_audience(
    *, models: Path, model: str | None, viewers: int, rate: float, seconds: float
) -> dict[str, Any]:
    """Runs the measurement; see `describe` for what the result says.

    Raises:
        StreamRnnError: the server did not start, or this process may not open so many files.
    """
    check_room(viewers)
    with (
        running_server(models, "--max-connections", str(viewers)) as (process, address),
        contextlib.closing(Crowd(address)) as crowd,
    ):
        first, hello = crowd.join()
        name = pick_model([m["name"] for m in hello["models"]], model, "be played")
        first.say(type="open", model=name, session=SESSION, seed=1, controls={"rate": rate})
        alone = measure(crowd, process.pid, max(2.0, ALONE * seconds))
        others = [crowd.join()[0] for _ in range(viewers - 1)]
        for client in others:
            client.say(type="attach", session=SESSION)
        together = measure(crowd, process.pid, seconds)
        counts = [client.counted for client in crowd.clients]
        with urllib.request.urlopen(f"{address}/metrics") as response:
            metrics = response.read().decode()
    further = together["gateway"] - alone["gateway"], together["system"] - alone["system"]
    symbols = rate * seconds
    return {
        "model": name,
        "viewers": viewers,
        "rate": rate,
        "seconds": seconds,
        "symbols": sum(counts),
        "symbols_per_viewer": {
            "least": min(counts),
            "most": max(counts),
            "expected": round(symbols),
        },
        **tally(crowd.clients),
        "long_pauses": long_pauses(metrics),
        "dropped": int(metric(metrics, "stream_rnn_dropped_total")),
        "lateness_ms": percentiles(crowd.late),
        "gateway_us_per_symbol": microseconds(alone["gateway"], rate),
        "gateway_us_per_further_viewer": microseconds(further[0], rate * (viewers - 1)),
        "system_us_per_further_viewer": microseconds(further[1], rate * (viewers - 1)),
        "engine_us_per_symbol": microseconds(together["engine"], rate),
        "busy": {name: round(share, 3) for name, share in together.items()},
    }


def breaches(result: dict[str, Any]) -> list[str]:
    """The bounds, meant for an idle machine, that this result misses; a line for each."""
    per = result["symbols_per_viewer"]
    said = late_or_lost(result, LATE)
    # A viewer may have one symbol more or less, depending on when the measurement begins.
    if per["least"] < per["expected"] - 1:
        said.append(f"one viewer had {per['least']} symbols of {per['expected']}")
    if result["dropped"]:
        said.append(f"{result['dropped']} symbols were dropped for slow viewers")
    return said


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    per = result["symbols_per_viewer"]
    return "\n".join(
        (
            f"{result['viewers']:,} viewers of one session of {result['model']!r} at "
            f"{result['rate']:g} symbols a second for {result['seconds']:g} s: "
            f"{result['symbols']:,} symbols arrived",
            arrived(result),
            f"  symbols a viewer    {per['least']} to {per['most']}, {per['expected']} expected; "
            f"{result['lost']} lost, {result['doubled']} doubled, {result['dropped']} dropped",
            f"  collections of garbage over 2 ms: {result['long_pauses']}",
            f"  processor           {result['gateway_us_per_further_viewer']} µs of the gateway "
            f"for each further viewer ({result['system_us_per_further_viewer']} µs of them in the "
            "system)",
            shares(result),
        )
    )
