"""`stream-rnn bench serve`: many sessions, each on a connection of its own, on a new server.

Lateness is measured where it matters, at the client: the time of a symbol's arrival minus its due
time, both on the machine's monotonic clock. It is negative for symbols that came in time, and
never less than the server's "sent minus due".
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from stream_rnn.bench.crowd import Crowd, check_room, tally
from stream_rnn.bench.processes import busy, in_system
from stream_rnn.bench.processes import children as children
from stream_rnn.bench.processes import peak_memory as peak_memory
from stream_rnn.errors import StreamRnnError

WARM_UP = 2.0
OPENING = 0.002  # seconds from one opening to the next, at least
FAVOURITE = "lyrics"  # the model to measure, if it is there and no other is named
LATE, VERY_LATE = 10.0, 25.0  # milliseconds of lateness allowed at p99 and at p99.9
MEMORY = 1500  # megabytes of server and engine together


@contextlib.contextmanager
def running_server(
    models: Path, *options: str, said: IO[str] | None = None, spare: bool = False
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Runs a server on a free port of the loopback; yields its process and its address.

    Args:
        said: a file for the server's log; None: our own stderr.
        spare: whether a spare engine waits, which takes time as it starts.

    Raises:
        StreamRnnError: the server did not start.
    """
    command = [sys.executable, "-m", "stream_rnn", "serve", "--port", "0", "--osc-port", "0"]
    command += ["--no-spare"] * (not spare)
    command += ["--max-busy", "inf"]  # what is measured is what happens if nobody is refused
    process = subprocess.Popen(
        [*command, "--models", str(models), *options],
        stdout=subprocess.PIPE, stderr=said, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "listening on " not in line:
            raise StreamRnnError("the server did not start; its messages are above")
        yield process, line.split("listening on ")[1].strip()
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def bench_serve(
    *, models: Path, model: str | None, sessions: int, rate: float, seconds: float
) -> dict[str, Any]:
    """Runs the measurement; see `describe` for what the result says."""
    check_room(sessions)
    options = ("--max-sessions", str(sessions), "--max-connections", str(sessions))
    with running_server(models, *options) as (process, address):
        measured = _load(process.pid, address, model, sessions, rate, seconds)
        memory = {
            "server": peak_memory(process.pid),
            "engine": sum(peak_memory(child) for child in children(process.pid)),
        }
        with urllib.request.urlopen(f"{address}/metrics") as response:
            metrics = response.read().decode()
    return {
        "sessions": sessions,
        "rate": rate,
        "seconds": seconds,
        **measured,
        "stalls": int(metric(metrics, "stream_rnn_stalls_total")),
        "long_pauses": long_pauses(metrics),
        "memory_mb": {name: round(value / 1e6) for name, value in memory.items()},
    }


def _load(
    process: int, address: str, model: str | None, sessions: int, rate: float, seconds: float
) -> dict[str, Any]:
    with contextlib.closing(Crowd(address)) as crowd:
        name = open_sessions(crowd, model, sessions, rate)
        measured = measure(crowd, process, seconds)
    counts = [client.counted for client in crowd.clients]
    return {
        "model": name,
        "symbols": sum(counts),
        "symbols_per_session": {
            "least": min(counts),
            "most": max(counts),
            "expected": round(rate * seconds),
        },
        **tally(crowd.clients),
        "lateness_ms": percentiles(crowd.late),
        "gateway_us_per_symbol": microseconds(measured["gateway"] * seconds, sum(counts)),
        "system_us_per_symbol": microseconds(measured["system"] * seconds, sum(counts)),
        "engine_us_per_symbol": microseconds(measured["engine"] * seconds, sum(counts)),
        "busy": {name: round(share, 3) for name, share in measured.items()},
    }


def open_sessions(crowd: Crowd, model: str | None, sessions: int, rate: float) -> str:
    """Clients join, and each opens a session whose seed is its number; returns the model's name."""
    for _ in range(sessions):
        _, hello = crowd.join()
    name = pick_model([m["name"] for m in hello["models"]], model, "be played")
    for number, client in enumerate(crowd.clients):
        client.say(type="open", model=name, seed=number, controls={"rate": rate})
        # Like performers, sessions do not all start in the same millisecond.
        crowd.listen(time.monotonic() + max(1.0 / rate / sessions, OPENING))
    return name


def measure(crowd: Crowd, process: int, seconds: float) -> dict[str, float]:
    """Lets a crowd listen, for `WARM_UP` seconds after all view a session, and then measures.

    Args:
        process: the server's.

    Returns:
        The shares of one processor's time that the gateway, its part in the system, the engine
        and the crowd took.
    """
    crowd.settle()
    engines = children(process)

    def used() -> tuple[float, ...]:
        return busy([process]), in_system(process), busy(engines), time.process_time()

    begin = time.monotonic() + WARM_UP
    crowd.measure(begin, begin + seconds)
    crowd.listen(begin)
    before = used()
    crowd.listen(begin + seconds)
    names = "gateway", "system", "engine", "load"
    return {n: (b - a) / seconds for n, a, b in zip(names, before, used(), strict=True)}


def microseconds(seconds: float, symbols: float) -> float | None:
    """Microseconds a symbol; none if there were no symbols."""
    return round(1e6 * seconds / symbols, 1) if symbols > 0 else None


def pick_model(able: Sequence[str], asked: str | None, to: str) -> str:
    """The model to measure: the one asked for, or the favourite, or else the first.

    Args:
        able: the models that can be measured.
        asked: the name of the wanted model, if any.
        to: what these models can do, for the error message.

    Raises:
        StreamRnnError: `asked` is not one of them, or there is none.
    """
    if not able or asked not in (None, *able):
        raise StreamRnnError(f"models that can {to}: {', '.join(able) or 'none'}")
    return asked or (FAVOURITE if FAVOURITE in able else able[0])


def percentiles(late: Sequence[float]) -> dict[str, float | None]:
    """Percentiles from 50 to 99.9, and the maximum, of some seconds; in milliseconds."""
    ordered = sorted(late)
    return {
        **{f"p{p:g}": _percentile(ordered, p) for p in (50, 90, 99, 99.9)},
        "max": _percentile(ordered, 100),
    }


def _percentile(ordered: list[float], percent: float) -> float | None:
    """A percentile in milliseconds; None if the list is empty."""
    if not ordered:
        return None
    return round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))], 2)


def metric(text: str, name: str) -> float:
    """A figure of `/metrics` that has no labels; 0 if it is not there."""
    lines = [line for line in text.splitlines() if line.startswith(name + " ")]
    return float(lines[0].split()[1]) if lines else 0.0


def long_pauses(metrics: str) -> int:
    """How many collections of garbage held up the gateway for more than 2 ms."""
    name = "stream_rnn_gateway_garbage_seconds"
    found = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line.startswith(f"{name}_bucket")
    }
    return int(found[f'{name}_bucket{{le="+Inf"}}'] - found[f'{name}_bucket{{le="0.002"}}'])


def breaches(result: dict[str, Any]) -> list[str]:
    """The bounds, meant for an idle machine, that this result misses; a line for each."""
    per, memory = result["symbols_per_session"], sum(result["memory_mb"].values())
    said = late_or_lost(result, LATE, VERY_LATE)
    # A session may have one symbol more or less, depending on when the measurement begins.
    if per["least"] < per["expected"] - 1:
        said.append(f"one session had {per['least']} symbols of {per['expected']}")
    if result["stalls"]:
        said.append(f"{result['stalls']} stalls")
    if memory > MEMORY:
        said.append(f"{memory} MB of memory, not {MEMORY} MB")
    return said


def late_or_lost(result: dict[str, Any], *bounds: float) -> list[str]:
    """A line for each bound on lateness at p99 (and p99.9) that is missed, and for what is lost."""
    said = []
    for name, bound in zip(("p99", "p99.9"), bounds, strict=False):
        late = result["lateness_ms"][name]
        if late is None or late > bound:
            said.append(f"arrived {late} ms late at {name}, not {bound:g} ms")
    for name in ("lost", "doubled"):
        if result[name]:
            said.append(f"{result[name]} symbols {name}")
    if result["long_pauses"]:
        said.append(f"{result['long_pauses']} collections of garbage took over 2 ms")
    return said


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    per, memory = result["symbols_per_session"], result["memory_mb"]
    return "\n".join(
        (
            f"{result['sessions']} sessions of {result['model']!r} at {result['rate']:g} symbols "
            f"a second for {result['seconds']:g} s: {result['symbols']:,} symbols",
            arrived(result),
            f"  symbols a session   {per['least']} to {per['most']}, {per['expected']} expected; "
            f"{result['lost']} lost, {result['doubled']} doubled",
            f"  stalls              {result['stalls']}; collections of garbage over 2 ms: "
            f"{result['long_pauses']}",
            f"  processor           {result['gateway_us_per_symbol']} µs of the gateway for each "
            f"symbol ({result['system_us_per_symbol']} µs of them in the system), "
            f"{result['engine_us_per_symbol']} µs of the engine",
            shares(result),
            f"  memory, peak        server {memory['server']} MB, engine {memory['engine']} MB",
        )
    )


def arrived(result: dict[str, Any]) -> str:
    """The line about lateness."""
    late = result["lateness_ms"]
    shown = ", ".join(f"{name} {late[name]} ms" for name in ("p50", "p90", "p99", "p99.9", "max"))
    return f"  arrived minus due   {shown}"


def shares(result: dict[str, Any]) -> str:
    """The line about processors."""
    busy = result["busy"].items()
    return f"  of one processor    {', '.join(f'{name} {share:.0%}' for name, share in busy)}"
