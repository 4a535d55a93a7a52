"""`stream-rnn bench restart`: kills the engine under many sessions; how long is anybody silent?

A client's silence is the time from one symbol's arrival to the next one's, less the usual interval.
Afterwards each stream is made again here, and compared with what arrived.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from stream_rnn.bench.crowd import TEXT, Client, Crowd, check_room, cut, tally
from stream_rnn.bench.processes import busy, children
from stream_rnn.bench.serve import open_sessions, running_server
from stream_rnn.checkpoint import read_card
from stream_rnn.engine.kernels import prepare
from stream_rnn.engine.library import load_kernel
from stream_rnn.engine.offline import generate
from stream_rnn.errors import StreamRnnError
from stream_rnn.sessions.controls import default_controls, engine_settings

KILLS = 3
BETWEEN = 8.0  # seconds from one kill to the next: by then another engine waits
PATIENCE = 30.0  # seconds in which every session has to go on
LOOK = 0.3  # seconds in which the engine that plays is told from one that waits
SILENCE = 250.0  # milliseconds that nobody may be silent for longer


class _Symbol(msgspec.Struct):
    type: str
    n: int = -1
    text: str | None = None
    notes: list[int] | None = None
    event: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Symbol).decode


@dataclass
class Ear:
    """What one client has heard.

    Attributes:
        symbols: what came, by position.
        last: when the latest symbol came.
        silence: the longest time from a symbol's arrival to the next one's.
    """

    symbols: dict[int, _Symbol] = field(default_factory=dict)
    last: float = 0.0
    silence: float = 0.0

    def hear(self, symbol: _Symbol, now: float) -> None:
        """Takes a symbol."""
        if self.symbols:
            self.silence = max(self.silence, now - self.last)
        self.last = now
        self.symbols[symbol.n] = symbol


class Listeners(Crowd):
    """Clients that remember what they hear."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.ears: dict[Client, Ear] = {}

    def take(self, client: Client, data: bytes, now: float) -> None:
        """Takes bytes that a client has received."""
        ear = self.ears.setdefault(client, Ear())
        for kind, payload in cut(client.rest + data)[0]:
            if kind == TEXT and (symbol := _decode(payload)).type == "symbol":
                ear.hear(symbol, now)
        super().take(client, data, now)


def bench_restart(*, models: Path, model: str | None, sessions: int, rate: float) -> dict[str, Any]:
    """Runs the measurement; see `describe` for what the result says."""
    check_room(sessions)
    options = ("--max-sessions", str(sessions), "--max-connections", str(sessions))
    with (
        running_server(models, *options, spare=True) as (process, address),
        contextlib.closing(Listeners(address)) as crowd,
    ):
        name = open_sessions(crowd, model, sessions, rate)
        silences = [
            _silence(crowd, process.pid, rate, kill=number > 0) for number in range(1 + KILLS)
        ]
    wrong = sum(
        _changed(models / name, seed, list(crowd.ears[client].symbols.values()))
        for seed, client in enumerate(crowd.clients)
    )
    return {
        "model": name,
        "sessions": sessions,
        "rate": rate,
        "silence_without_ms": silences[0],
        "silence_ms": silences[1:],
        "symbols": sum(len(ear.symbols) for ear in crowd.ears.values()),
        **tally(crowd.clients),
        "changed": wrong,
    }


def _silence(crowd: Listeners, server: int, rate: float, *, kill: bool) -> float:
    """Kills the engine, if asked to; the longest silence from then on, in milliseconds.

    Raises:
        StreamRnnError: a session did not go on.
    """
    crowd.listen(time.monotonic() + BETWEEN - LOOK)
    engine = _playing(crowd, server)
    ears = [crowd.ears.setdefault(client, Ear()) for client in crowd.clients]
    for ear in ears:
        ear.silence = 0.0
    now = time.monotonic()
    if kill:
        os.kill(engine, signal.SIGKILL)
    enough, give_up = now + BETWEEN / 2, now + PATIENCE
    while now < enough or any(now - ear.last > 2 / rate for ear in ears):
        if now > give_up:
            raise StreamRnnError(f"a session did not go on within {PATIENCE:g} s")
        crowd.listen(now + LOOK)
        now = time.monotonic()
    return round(1000 * (max(ear.silence for ear in ears) - 1 / rate), 1)


def _playing(crowd: Listeners, server: int) -> int:
    """The engine that plays: of a server's children, the one that uses the most time."""
    pids = children(server)
    before = {pid: busy([pid]) for pid in pids}
    crowd.listen(time.monotonic() + LOOK)
    return max(pids, key=lambda pid: busy([pid]) - before[pid])


def _changed(folder: Path, seed: int, heard: list[_Symbol]) -> int:
    """How many of a stream's symbols are not those that its seed makes."""
    card = read_card(folder)
    codec = card.make_codec()
    settings = engine_settings(default_controls(card, seed), card)
    prepare()
    made = generate(load_kernel(folder, card), codec, settings, prime=[], length=len(heard))
    return sum(
        any(getattr(symbol, name) != value for name, value in codec.event(right).items())
        for symbol, right in zip(heard, made, strict=True)
    )


def breaches(result: dict[str, Any]) -> list[str]:
    """The bounds, meant for an idle machine, that this result misses; a line for each."""
    worst = max(result["silence_ms"])
    said = [f"a client was silent for {worst} ms, not {SILENCE:g} ms"] if worst > SILENCE else []
    return said + [
        f"{result[name]} symbols {name}" for name in ("lost", "doubled", "changed") if result[name]
    ]


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    silences = ", ".join(f"{silence:g} ms" for silence in result["silence_ms"])
    return "\n".join(
        (
            f"{result['sessions']} sessions of {result['model']!r} at {result['rate']:g} symbols "
            f"a second, whose engine was killed {len(result['silence_ms'])} times: "
            f"{result['symbols']:,} symbols",
            f"  longest silence     {silences}; {result['silence_without_ms']:g} ms where nothing "
            "was killed",
            f"  symbols             {result['lost']} lost, {result['doubled']} doubled, "
            f"{result['changed']} changed",
        )
    )
