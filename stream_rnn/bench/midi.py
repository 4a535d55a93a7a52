"""`stream-rnn bench midi`: notes on the wire against the moments they are due.

A JACK server without a sound card, a stream-rnn server that plays every session to three
places at once (a WebSocket client, an OSC target, a MIDI port), and listeners of our own at all
three. What the server's MIDI process says of its own lateness stands beside it.

MIDI is stamped in JACK's process callback, on the period in which it arrives; python-rtmidi hands
its messages over at the beginning of a period, so a period (0.7 ms at 32 frames) is added to what
our own process is late. OSC is stamped by the kernel.

What was due when is told by the WebSocket clients, and compared when all is over and they have
heard everything, however slow they were.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from stream_rnn.bench.ears import PERIOD, OscEar, jack, listener
from stream_rnn.bench.matching import PATIENCE, align
from stream_rnn.bench.serve import WARM_UP, percentiles, running_server
from stream_rnn.errors import StreamRnnError
from stream_rnn.system import run

CHANNELS = 16
OSC_LATENCY = 0.05  # seconds that the target plays after the due time, as configured for it
LATE = 1.0  # milliseconds that MIDI may be, in 99 of 100 cases
Key = tuple[str, int, int]  # listener, channel, pitch


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
        stack.enter_context(jack())
        heard = {ear: stack.enter_context(listener(ear)) for ear in ears}
        packets = stack.enter_context(OscEar())
        config = folder / "serve.toml"
        config.write_text(_config(ears, packets.port))
        options = ("--config", str(config), "--max-sessions", str(sessions))
        process, address = stack.enter_context(running_server(models, *options))
        del process
        parts, name, handed_over, begin = run(_load(address, model, ears, sessions, rate, seconds))
        time.sleep(2 * PATIENCE)
    end = begin + seconds
    late, notes = _compare(parts, heard, begin, end)
    arrived = [late for due, late in packets.arrivals if begin <= due - OSC_LATENCY < end]
    on_time = [late for part in parts for late in part.late]
    return {
        "model": name,
        "sessions": sessions,
        "rate": rate,
        "seconds": seconds,
        "midi_handed_over_within_ms": handed_over,
        "midi_notes": notes,
        "midi_lateness_ms": percentiles(late),
        "jack_period_ms": round(1000 * PERIOD / 48000, 2),
        "symbols": sum(begin <= due < end for part in parts for due, _ in part.frames.values()),
        "osc_packets": len(arrived),
        "osc_after_timetag": sum(late >= 0 for late in arrived),
        "osc_lateness_ms": percentiles(arrived),
        "websocket_symbols": len(on_time),
        "websocket_lateness_ms": percentiles(on_time),
    }


def _config(ears: list[str], osc_port: int) -> str:
    outs = [f'[[midi.out]]\nport = "{ear}:in"\nsession = "{ear}-*"\n' for ear in ears]
    return (
        '[midi]\napi = "jack"\n'
        + "".join(outs)
        + f"[[osc.target]]\nport = {osc_port}\nlatency = {OSC_LATENCY}\n"
    )


@dataclass
class _Part:
    """What one session plays, by what its WebSocket client is told.

    Attributes:
        frames: by number, when it is due and its keys.
        late: of each that came while it was measured, arrived minus due.
    """

    session: str
    ear: str
    channel: int
    frames: dict[int, tuple[float, set[int]]] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)

    def onsets(self) -> Iterator[tuple[Key, float]]:
        """When each key begins."""
        held: set[int] = set()
        for _, (due, keys) in sorted(self.frames.items()):
            for pitch in keys - held:
                yield (self.ear, self.channel, pitch), due
            held = keys


async def _load(
    address: str, model: str | None, ears: list[str], sessions: int, rate: float, seconds: float
) -> tuple[list[_Part], str, dict[str, float], float]:
    """Plays; returns what was played, of which model, what the driver took, and the beginning."""
    url = address.replace("http", "ws") + "/v1/stream"
    parts = [
        _Part(f"{ear}-{channel + 1}", ear, channel)
        for ear, channel in ((ears[n // CHANNELS], n % CHANNELS) for n in range(sessions))
    ]
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connect(url, compression=None)) for _ in range(sessions)
        ]
        hello = json.loads(await clients[0].recv())
        rolls = [m["name"] for m in hello["models"] if m["domain"] == "pianoroll"]
        if model not in (None, *rolls) or not rolls:
            raise StreamRnnError(f"bench midi plays piano rolls; there are: {', '.join(rolls)}")
        name = model or ("nottingham" if "nottingham" in rolls else rolls[0])
        for number, (client, part) in enumerate(zip(clients, parts, strict=True)):
            opening = {
                "type": "open", "model": name, "seed": number, "session": part.session,
                "controls": {"rate": rate, "channel": part.channel + 1},
            }  # fmt: skip
            await client.send(json.dumps(opening))
            await asyncio.sleep(1.0 / rate / sessions)  # not all in the same millisecond
        begin = time.monotonic() + WARM_UP
        end = begin + seconds
        before = await asyncio.to_thread(_handed_over, address)
        async with asyncio.TaskGroup() as group:
            for client, part in zip(clients, parts, strict=True):
                group.create_task(_listen(client, part, begin, end))
            await asyncio.sleep(end - time.monotonic())
            after = await asyncio.to_thread(_handed_over, address)
    return parts, name, _shares(before, after), begin


async def _listen(client: Any, part: _Part, begin: float, end: float) -> None:
    """Hears a session out: all that it played until it is paused, a little after the end."""

    async def stop() -> None:
        await asyncio.sleep(end + PATIENCE - time.monotonic())
        await client.send(json.dumps({"type": "pause", "session": part.session}))

    stopping = asyncio.create_task(stop())
    position = None
    while position is None or len(part.frames) < position:
        message = json.loads(await client.recv())
        now = time.monotonic()
        match message["type"]:
            case "symbol":
                due = message["due"]
                part.frames[message["n"]] = due, set(message["notes"])
                if position is None and begin <= due < end:
                    part.late.append(now - due)
            case "paused":
                position = message["position"]
                if len(part.frames) < position:  # it was too slow for some, and asks for them
                    again = {"type": "attach", "session": part.session, "after": -1}
                    await client.send(json.dumps(again))
            case "error":
                raise StreamRnnError(f"the server refused: {message['message']}")
    await stopping


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


def _compare(
    parts: list[_Part], heard: dict[str, list[tuple[float, bytes]]], begin: float, end: float
) -> tuple[list[float], dict[str, int]]:
    """How late each note-on came; how many were due, came, and came that nobody sent."""
    due: dict[Key, list[float]] = defaultdict(list)
    came: dict[Key, list[float]] = defaultdict(list)
    for part in parts:
        for key, moment in part.onsets():
            due[key].append(moment)
    for ear, messages in heard.items():
        for moment, data in messages:
            if data[0] >> 4 == 9:
                came[ear, data[0] & 15, data[1]].append(moment)
    pairs = [pair for key in due.keys() | came.keys() for pair in align(due[key], came[key])]
    asked = [(d, c) for d, c in pairs if d is not None and begin <= d < end]
    late = [c - d for d, c in asked if c is not None]
    nobodys = sum(d is None and c is not None and begin <= c < end for d, c in pairs)
    return late, {"expected": len(asked), "heard": len(late), "unexpected": nobodys}


def breaches(result: dict[str, Any]) -> list[str]:
    """What a machine with nothing else to do must keep, and this one did not; a line each."""
    notes, period = result["midi_notes"], result["jack_period_ms"]
    late = result["midi_lateness_ms"]["p99"]
    within = result["midi_handed_over_within_ms"][f"{LATE:g}"]
    symbols, packets = result["symbols"], result["osc_packets"]
    said = []
    if notes["heard"] < notes["expected"] or not notes["expected"]:
        said.append(f"of {notes['expected']} notes {notes['heard']} were heard")
    if notes["unexpected"]:
        said.append(f"{notes['unexpected']} notes were heard that nobody sent")
    if late is None or late > LATE + period:
        said.append(f"MIDI arrived {late} ms late at p99; {LATE:g} ms and a period are allowed")
    if not within >= 99:
        said.append(f"the driver took {within} % of MIDI within {LATE:g} ms, not 99 %")
    if packets != symbols:
        said.append(f"of {symbols} symbols {packets} arrived over OSC")
    if result["osc_after_timetag"]:
        said.append(f"{result['osc_after_timetag']} OSC bundles arrived after their timetag")
    return said


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
            f"{result['osc_packets']:,} of {result['symbols']:,} came, "
            f"{result['osc_after_timetag']} of them after it",
            f"  WebSocket, arrived minus due         {shown('websocket_lateness_ms')}; "
            f"{result['websocket_symbols']:,} came live",
        )
    )
