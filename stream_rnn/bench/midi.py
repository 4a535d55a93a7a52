"""`stream-rnn bench midi`: compares the arrival of notes with their due times.

The benchmark starts a JACK server without a sound card, a stream-rnn server that plays every
session to three places at once (a WebSocket client, an OSC target, a MIDI port), and a listener
at each of the three. It also reports the lateness that the server's MIDI process measures itself.

MIDI is stamped in JACK's process callback, in the period in which it arrives; python-rtmidi
delivers at the beginning of a period, so up to a period (0.7 ms at 32 frames) is added to the
lateness of our own process. OSC is stamped by the kernel.

The WebSocket clients learn what was due when. The comparison comes at the end, when they have
received everything, so slow clients do not distort it.
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
OSC_LATENCY = 0.05  # seconds from the due time to the timetag, as configured for the target
LATE = 1.0  # milliseconds of lateness allowed for MIDI, in 99 of 100 cases
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
    """What one session plays, as its WebSocket client receives it.

    Attributes:
        frames: for each frame's number, its due time and its keys.
        late: arrival minus due time, in seconds, of each frame within the measurement.
    """

    session: str
    ear: str
    channel: int
    frames: dict[int, tuple[float, set[int]]] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)

    def onsets(self) -> Iterator[tuple[Key, float]]:
        """Each note's key and its due time."""
        held: set[int] = set()
        for _, (due, keys) in sorted(self.frames.items()):
            for pitch in keys - held:
                yield (self.ear, self.channel, pitch), due
            held = keys


async def _load(
    address: str, model: str | None, ears: list[str], sessions: int, rate: float, seconds: float
) -> tuple[list[_Part], str, dict[str, float], float]:
    """Plays; returns the parts, the model, shares of messages by lateness, and the start time."""
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
    """Receives a whole session: pauses it a little after the end, and fetches missing symbols."""

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
                if len(part.frames) < position:  # the client was too slow for some frames
                    again = {"type": "attach", "session": part.session, "after": -1}
                    await client.send(json.dumps(again))
            case "error":
                raise StreamRnnError(f"the server refused: {message['message']}")
    await stopping


def _handed_over(address: str) -> dict[float, float]:
    """For each bound on lateness, in seconds: how many messages reached the driver within it."""
    with urllib.request.urlopen(f"{address}/metrics") as response:
        lines = response.read().decode().splitlines()
    found = (
        re.match(r'stream_rnn_midi_lateness_seconds_bucket\{le="(.+)"\} (.+)', x) for x in lines
    )
    return {float(edge[1]): float(edge[2]) for edge in found if edge}


def _shares(before: dict[float, float], after: dict[float, float]) -> dict[str, float]:
    """The same for the time between two readings, in per cent, with bounds in milliseconds."""
    counts = {edge: after[edge] - before[edge] for edge in after}
    total = counts.pop(math.inf) or math.nan
    return {f"{1000 * edge:g}": round(100 * n / total, 2) for edge, n in counts.items()}


def _compare(
    parts: list[_Part], heard: dict[str, list[tuple[float, bytes]]], begin: float, end: float
) -> tuple[list[float], dict[str, int]]:
    """The lateness of each note-on; the numbers of expected, received and unexpected ones."""
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
    """The bounds, meant for an idle machine, that this result misses; a line for each."""
    notes, period = result["midi_notes"], result["jack_period_ms"]
    late = result["midi_lateness_ms"]["p99"]
    within = result["midi_handed_over_within_ms"][f"{LATE:g}"]
    symbols, packets = result["symbols"], result["osc_packets"]
    said = []
    if notes["heard"] < notes["expected"] or not notes["expected"]:
        said.append(f"{notes['heard']} of {notes['expected']} notes arrived")
    if notes["unexpected"]:
        said.append(f"{notes['unexpected']} notes arrived that the server did not report")
    if late is None or late > LATE + period:
        said.append(f"MIDI arrived {late} ms late at p99; {LATE:g} ms and a period are allowed")
    if not within >= 99:
        said.append(f"the driver took {within} % of MIDI within {LATE:g} ms, not 99 %")
    if packets != symbols:
        said.append(f"{packets} of {symbols} symbols arrived over OSC")
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
            f"  {notes['heard']:,} of {notes['expected']:,} notes arrived, and "
            f"{notes['unexpected']} unexpected ones",
            f"  OSC, arrived minus timetag           {shown('osc_lateness_ms')} "
            f"(due plus {1000 * OSC_LATENCY:g} ms); "
            f"{result['osc_packets']:,} of {result['symbols']:,} arrived, "
            f"{result['osc_after_timetag']} of them after it",
            f"  WebSocket, arrived minus due         {shown('websocket_lateness_ms')}; "
            f"{result['websocket_symbols']:,} arrived live",
        )
    )
