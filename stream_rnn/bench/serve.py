"""`stream-rnn bench serve`: many sessions, each on a connection of its own, on a new server.

Lateness is measured where it matters, at the client: the time of a symbol's arrival minus its due
time, both on the machine's monotonic clock. It is negative for symbols that came in time, and
never less than the server's "sent minus due".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from stream_rnn.errors import StreamRnnError
from stream_rnn.system import run

WARM_UP = 2.0
FAVOURITE = "lyrics"  # the model to measure, if it is there and no other is named
LATE = 10.0  # milliseconds of lateness allowed for symbols, in 99 of 100 cases
MEMORY = 1500  # megabytes of server and engine together


@contextlib.contextmanager
def running_server(
    models: Path, *options: str, said: IO[str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Runs a server on a free port of the loopback; yields its process and its address.

    Args:
        said: a file for the server's log; None: our own stderr.

    Raises:
        StreamRnnError: the server did not start.
    """
    command = [sys.executable, "-m", "stream_rnn", "serve", "--port", "0", "--osc-port", "0"]
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
    options = ("--max-sessions", str(max(sessions, 1)))
    with running_server(models, *options) as (process, address):
        measured = run(_load(address, model, sessions, rate, seconds))
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
        "stalls": int(_metric(metrics, "stream_rnn_stalls_total")),
        "memory_mb": {name: round(value / 1e6) for name, value in memory.items()},
    }


async def _load(
    address: str, model: str | None, sessions: int, rate: float, seconds: float
) -> dict[str, Any]:
    url = address.replace("http", "ws") + "/v1/stream"
    lateness: list[list[float]] = [[] for _ in range(sessions)]
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connect(url, compression=None)) for _ in range(sessions)
        ]
        hello = json.loads(await clients[0].recv())
        name = pick_model([m["name"] for m in hello["models"]], model, "be played")
        for number, client in enumerate(clients):
            await client.send(
                json.dumps(
                    {"type": "open", "model": name, "seed": number, "controls": {"rate": rate}}
                )
            )
            # Like performers, sessions do not all start in the same millisecond.
            await asyncio.sleep(1.0 / rate / sessions)
        begin = time.monotonic() + WARM_UP
        end = begin + seconds
        async with asyncio.TaskGroup() as group:
            for client, late in zip(clients, lateness, strict=True):
                group.create_task(_listen(client, late, begin, end))
    counts = [len(late) for late in lateness]
    late = [x for part in lateness for x in part]
    return {
        "model": name,
        "symbols": sum(counts),
        "symbols_per_session": {
            "least": min(counts),
            "most": max(counts),
            "expected": round(rate * seconds),
        },
        "lateness_ms": percentiles(late),
    }


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


async def _listen(client: ClientConnection, late: list[float], begin: float, end: float) -> None:
    decode = msgspec.json.Decoder().decode
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + end - time.monotonic()):
            while True:
                text = await client.recv()
                now = time.monotonic()
                message = decode(text)
                if message["type"] == "symbol" and begin <= now < end:
                    late.append(now - message["due"])


def percentiles(late: list[float]) -> dict[str, float | None]:
    """The percentiles 50, 90 and 99 and the maximum of some seconds, in milliseconds."""
    ordered = sorted(late)
    return {
        **{f"p{p}": _percentile(ordered, p) for p in (50, 90, 99)},
        "max": _percentile(ordered, 100),
    }


def _percentile(ordered: list[float], percent: int) -> float | None:
    """A percentile in milliseconds; None if the list is empty."""
    if not ordered:
        return None
    return round(1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2)


def _metric(text: str, name: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith(name + " ")]
    return float(lines[0].split()[1]) if lines else 0.0


def children(pid: int) -> list[int]:
    """Process ids of a process's children (Linux)."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in text.split()]
    return []


def peak_memory(pid: int) -> int:
    """Peak resident bytes of a process (Linux; 0 elsewhere)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


def breaches(result: dict[str, Any]) -> list[str]:
    """The bounds, meant for an idle machine, that this result misses; a line for each."""
    per, late = result["symbols_per_session"], result["lateness_ms"]["p99"]
    memory = sum(result["memory_mb"].values())
    said = []
    if late is None or late > LATE:
        said.append(f"arrived {late} ms late at p99, not {LATE:g} ms")
    # A session may have one symbol more or less, depending on when the measurement begins.
    if per["least"] < per["expected"] - 1:
        said.append(f"one session had {per['least']} symbols of {per['expected']}")
    if result["stalls"]:
        said.append(f"{result['stalls']} stalls")
    if memory > MEMORY:
        said.append(f"{memory} MB of memory, not {MEMORY} MB")
    return said


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    per, late, memory = result["symbols_per_session"], result["lateness_ms"], result["memory_mb"]
    return "\n".join(
        (
            f"{result['sessions']} sessions of {result['model']!r} at {result['rate']:g} symbols "
            f"a second for {result['seconds']:g} s: {result['symbols']:,} symbols",
            f"  arrived minus due   p50 {late['p50']} ms, p90 {late['p90']} ms, "
            f"p99 {late['p99']} ms, max {late['max']} ms",
            f"  symbols a session   {per['least']} to {per['most']}, {per['expected']} expected",
            f"  stalls              {result['stalls']}",
            f"  memory, peak        server {memory['server']} MB, engine {memory['engine']} MB",
        )
    )
