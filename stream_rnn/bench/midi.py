"""`stream-rnn bench midi`: notes on the wire against the moments they are due.

A JACK server without a sound card, a stream-rnn server that plays every session to three
places at once (a WebSocket client, an OSC target, a MIDI port), and listeners of our own at all
three. What the server's MIDI process says of its own lateness stands beside it.

MIDI is stamped in JACK's process callback, on the period in which it arrives; python-rtmidi hands
its messages over at the beginning of a period, so a period (0.7 ms at 32 frames) is added to what
our own process is late.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop
from websockets.asyncio.client import connect

from stream_rnn.bench.serve import WARM_UP, percentiles, running_server
from stream_rnn.errors import StreamRnnError

PERIOD = 32  # frames, at 48 kHz
CHANNELS = 16
NEAR = 0.1  # seconds within which a note on the wire is held to be the one that was due
OSC_LATENCY = 0.05  # seconds that the target plays after the due time, as configured for it
NTP_TO_UNIX = 2_208_988_800
Due = dict[tuple[str, int, int], list[float]]  # by listener, channel, pitch


def bench_midi(
    *, models: Path, model: str | None, sessions: int, rate: float, seconds: float
) -> dict[str, Any]:
    """Runs the measurement; see `describe` for what the result says.

    Raises:
        StreamRnnError: jackd is not installed or does not start.
    """
    ears = [f"ear{n}" for n in range((sessions - 1) // CHANNELS + 1)]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(_jack())
        heard = {ear: stack.enter_context(_listener(ear)) for ear in ears}
        packets = stack.enter_context(_OscEar())
        config = folder / "serve.toml"
        config.write_text(_config(ears, packets.port))
        options = ("--config", str(config), "--max-sessions", str(sessions))
        process, address = stack.enter_context(running_server(models, *options))
        del process
        measured = uvloop.run(_load(address, model, ears, sessions, rate, seconds))
        time.sleep(0.3)
        due: Due = measured.pop("due")
        begin, end = measured.pop("span")
        late, unexpected = _match(due, heard, begin, end)
        expected = sum(begin <= t < end for moments in due.values() for t in moments)
        osc = [arrived - due_at for arrived, due_at in packets.arrivals if begin <= arrived < end]
    return {
        "sessions": sessions,
        "rate": rate,
        "seconds": seconds,
        **measured,
        "midi_notes": {"expected": expected, "heard": len(late), "unexpected": unexpected},
        "midi_lateness_ms": percentiles(late),
        "osc_packets": len(osc),
        "osc_after_timetag": sum(x >= 0 for x in osc),
        "osc_lateness_ms": percentiles(osc),
        "jack_period_ms": round(1000 * PERIOD / 48000, 2),
    }


@contextlib.contextmanager
def _jack() -> Iterator[None]:
    """A JACK server of our own, for this process and its children."""
    name = "stream-rnn-bench"
    before = {k: os.environ.get(k) for k in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")}
    os.environ.update(JACK_DEFAULT_SERVER=name, JACK_NO_START_SERVER="1")
    driver = ["-d", "dummy", "-r", "48000", "-p", str(PERIOD)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        server = subprocess.Popen(["jackd", "-R", "-P", "50", "--name", name, *driver], **quiet)  # type: ignore[call-overload]
    except FileNotFoundError:
        raise StreamRnnError("bench midi needs jackd (Debian: jackd2)") from None
    try:
        waited = subprocess.run(["jack_wait", "-s", name, "-w", "-t", "10"], **quiet)  # type: ignore[call-overload]
        if waited.returncode or server.poll() is not None:
            raise StreamRnnError("jackd does not start; is another bench running?")
        yield
    finally:
        server.terminate()
        server.wait()
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextlib.contextmanager
def _listener(client: str) -> Iterator[list[tuple[float, bytes]]]:
    """What comes to a JACK port, as it comes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_rnn.bench.jack_listener", client],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    lines, heard = process.stdout, []
    if not lines.readline():
        raise StreamRnnError("the JACK listener does not start")

    def listen() -> None:
        for line in lines:
            moment, data = line.split()
            heard.append((float(moment), bytes.fromhex(data)))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield heard
    finally:
        process.stdin.close()
        process.wait()
        thread.join()
        lines.close()


class _OscEar:
    """A UDP socket that notes when each bundle comes, and when it is due by its timetag."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[float, float]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port: int = self._socket.getsockname()[1]
        self._open = True
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> _OscEar:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                data = self._socket.recv(1 << 16)
                now = time.monotonic()
                if data.startswith(b"#bundle\0"):
                    (stamp,) = struct.unpack_from(">Q", data, 8)
                    due = stamp / 2**32 - NTP_TO_UNIX - time.time() + time.monotonic()
                    self.arrivals.append((now, due))


def _config(ears: list[str], osc_port: int) -> str:
    outs = [f'[[midi.out]]\nport = "{ear}:in"\nsession = "{ear}-*"\n' for ear in ears]
    return (
        '[midi]\napi = "jack"\n'
        + "".join(outs)
        + f"[[osc.target]]\nport = {osc_port}\nlatency = {OSC_LATENCY}\n"
    )


async def _load(
    address: str, model: str | None, ears: list[str], sessions: int, rate: float, seconds: float
) -> dict[str, Any]:
    url = address.replace("http", "ws") + "/v1/stream"
    due: Due = defaultdict(list)
    late: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connect(url, compression=None)) for _ in range(sessions)
        ]
        hello = json.loads(await clients[0].recv())
        rolls = [m["name"] for m in hello["models"] if m["domain"] == "pianoroll"]
        if model not in (None, *rolls) or not rolls:
            raise StreamRnnError(f"bench midi plays piano rolls; there are: {', '.join(rolls)}")
        name = model or ("nottingham" if "nottingham" in rolls else rolls[0])
        for number, client in enumerate(clients):
            ear, channel = ears[number // CHANNELS], number % CHANNELS + 1
            opening = {
                "type": "open", "model": name, "seed": number, "session": f"{ear}-{channel}",
                "controls": {"rate": rate, "channel": channel},
            }  # fmt: skip
            await client.send(json.dumps(opening))
            await asyncio.sleep(1.0 / rate / sessions)  # not all in the same millisecond
        begin = time.monotonic() + WARM_UP
        end = begin + seconds
        before = await asyncio.to_thread(_handed_over, address)
        async with asyncio.TaskGroup() as group:
            for number, client in enumerate(clients):
                ear, channel = ears[number // CHANNELS], number % CHANNELS
                group.create_task(_listen(client, ear, channel, due, late, begin, end))
    after = await asyncio.to_thread(_handed_over, address)
    return {
        "model": name,
        "midi_handed_over_within_ms": _shares(before, after),
        "symbols": len(late),
        "websocket_lateness_ms": percentiles(late),
        "due": due,
        "span": (begin, end),
    }


def _handed_over(address: str) -> dict[float, float]:
    """By lateness in seconds: how many messages the driver had taken no later than that."""
    with urllib.request.urlopen(f"{address}/metrics") as response:
        lines = response.read().decode().splitlines()
    found = (
        re.match(r'stream_rnn_midi_lateness_seconds_bucket\{le="(.+)"\} (.+)', x) for x in lines
    )
    return {float(edge[1]): float(edge[2]) for edge in found if edge}


def _shares(before: dict[float, float], after: dict[float, float]) -> dict[str, float]:
    """The same between two moments, in per cent, by milliseconds."""
    counts = {edge: after[edge] - before[edge] for edge in after}
    total = counts.pop(math.inf) or math.nan
    return {f"{1000 * edge:g}": round(100 * n / total, 2) for edge, n in counts.items()}


async def _listen(
    client: Any, ear: str, channel: int, due: Due, late: list[float], begin: float, end: float
) -> None:
    """Notes when each key begins, by what a WebSocket client is told."""
    held: set[int] = set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + end - time.monotonic()):
            while True:
                message = json.loads(await client.recv())
                now = time.monotonic()
                if message["type"] != "symbol":
                    continue
                if begin <= now < end:
                    late.append(now - message["due"])
                notes = set(message["notes"])
                for pitch in notes - held:
                    due[ear, channel, pitch].append(message["due"])
                held = notes


def _match(
    due: Due, heard: dict[str, list[tuple[float, bytes]]], begin: float, end: float
) -> tuple[list[float], int]:
    """How late each note-on came, and how many came that nobody knows of."""
    late, unexpected = [], 0
    for ear, messages in heard.items():
        for moment, data in messages:
            if data[0] >> 4 != 9 or not begin <= moment < end:
                continue
            moments = due.get((ear, data[0] & 15, data[1]), [])
            place = bisect_left(moments, moment)
            nearest = min(moments[max(0, place - 1) : place + 1], key=lambda t: abs(moment - t),
                          default=None)  # fmt: skip
            if nearest is None or abs(moment - nearest) > NEAR:
                unexpected += 1
            else:
                late.append(moment - nearest)
    return late, unexpected


def describe(result: dict[str, Any]) -> str:
    """A result for people."""

    def shown(name: str) -> str:
        figures = result[name]
        return ", ".join(f"{key} {value} ms" for key, value in figures.items())

    notes = result["midi_notes"]
    within = result["midi_handed_over_within_ms"].items()
    handed = ", ".join(f"{share} % within {edge} ms" for edge, share in within)
    return "\n".join(
        (
            f"{result['sessions']} sessions of {result['model']!r} at {result['rate']:g} frames a "
            f"second for {result['seconds']:g} s, each to MIDI, OSC and WebSocket",
            f"  MIDI, taken by the driver minus due  {handed}",
            f"  MIDI note-ons, arrived minus due     {shown('midi_lateness_ms')} "
            f"(a JACK period of {result['jack_period_ms']} ms included)",
            f"  of {notes['expected']:,} notes {notes['heard']:,} were heard, and "
            f"{notes['unexpected']} that nobody sent",
            f"  OSC, arrived minus timetag           {shown('osc_lateness_ms')} "
            f"(due and {1000 * OSC_LATENCY:g} ms); "
            f"{result['osc_after_timetag']} of {result['osc_packets']:,} came after it",
            f"  WebSocket, arrived minus due         {shown('websocket_lateness_ms')}",
        )
    )
