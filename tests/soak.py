"""People who come and go, for as long as you like, and what memory the server takes meanwhile.

    python -m tests.soak --minutes 60 --people 40

A real server of the bundled models is visited by simulated people. Each comes by a connection of
its own, opens a session or looks in at one that is there, listens, turns knobs, feeds, rewinds,
forks, and leaves: by closing its session, by closing the connection, or without a word. The
resident memory of gateway and engine is printed by the minute, and at the end how fast each grew
after the first ten.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from stream_rnn.bench.serve import children, running_server

sys.path.append(str(Path(__file__).parent))
from support import resident  # noqa: E402

MODELS = Path(__file__).parents[1] / "models"
SETTLED = 10  # minutes that memory may take to come to rest
STAY = (5.0, 90.0)  # seconds that somebody stays
PAUSE = (0.5, 15.0)  # and is away
KNOBS: dict[str, tuple[float, float]] = {"temperature": (0.2, 2.0), "rate": (2.0, 40.0)}


@dataclass
class Town:
    """What all people share.

    Attributes:
        sessions: names that were opened at some time; their owners may have closed them.
        seen: messages by type.
    """

    url: str
    seed: int
    sessions: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    visits: int = 0


async def person(town: Town, number: int) -> None:
    """One who comes again and again, until cancelled."""
    dice = random.Random(f"{town.seed}/{number}")
    await asyncio.sleep(dice.uniform(0, 20))
    while True:
        with contextlib.suppress(ConnectionClosed, OSError, TimeoutError):
            await visit(town, dice)
        await asyncio.sleep(dice.uniform(*PAUSE))


async def visit(town: Town, dice: random.Random) -> None:
    """From coming to leaving."""
    town.visits += 1
    async with connect(town.url, max_size=None, ping_interval=None) as socket:
        models = json.loads(await socket.recv())["models"]
        listener = asyncio.create_task(listen(town, socket))
        try:
            await act(town, dice, socket, models)
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await listener
        if dice.random() < 0.3:
            socket.transport.abort()  # without a word


async def listen(town: Town, socket: ClientConnection) -> None:
    async for message in socket:
        town.seen[json.loads(message)["type"]] += 1


async def act(
    town: Town, dice: random.Random, socket: ClientConnection, models: list[dict[str, Any]]
) -> None:
    async def say(type: str, **fields: Any) -> None:
        await socket.send(json.dumps({"type": type, **fields}))

    looks_in = town.sessions and dice.random() < 0.4
    if looks_in:
        name = dice.choice(town.sessions[-60:])
        await say("attach", session=name, after=dice.choice((-1, 0, 50)))
    else:
        model = dice.choice(models)
        name = f"s{town.visits}-{dice.randrange(10**6)}"
        town.sessions.append(name)
        await say("open", session=name, model=model["name"], seed=dice.randrange(10**6))
    end = time.monotonic() + dice.uniform(*STAY)
    while time.monotonic() < end:
        await asyncio.sleep(dice.uniform(0.5, 5.0))
        match dice.choice(("knob", "knob", "knob", "step", "pause", "rewind", "fork", "feed")):
            case "knob":
                knob = dice.choice(list(KNOBS))
                value = round(dice.uniform(*KNOBS[knob]), 3)
                await say("control", session=name, controls={knob: value})
            case "step":
                await say("step", session=name, count=dice.randrange(1, 20))
            case "pause":
                await say("pause", session=name)
                await asyncio.sleep(dice.uniform(0.2, 3.0))
                await say("play", session=name)
            case "rewind":
                await say("rewind", session=name, to=dice.randrange(40))
                await say("play", session=name)
            case "fork":
                fork = f"{name[:40]}-f{dice.randrange(10**6)}"
                town.sessions.append(fork)
                await say("fork", session=name, **{"as": fork})
            case "feed":
                await say("feed", session=name, symbols="the night is long " * dice.randrange(9))
    if not looks_in and dice.random() < 0.4:
        await say("close", session=name)


async def watch(town: Town, gateway: int, minutes: float) -> list[tuple[float, float, float]]:
    """Minute, MB of the gateway, MB of the engine; printed as they come."""
    print("| minute | gateway, MB | engine, MB | visits | symbols | errors |")
    print("|---|---|---|---|---|---|", flush=True)
    rows, begun = [], time.monotonic()
    while True:
        minute = (time.monotonic() - begun) / 60
        engine = sum(resident(pid) for pid in children(gateway))
        rows.append((minute, resident(gateway) / 1e6, engine / 1e6))
        print(
            f"| {minute:.0f} | {rows[-1][1]:.1f} | {rows[-1][2]:.1f} | {town.visits:,} "
            f"| {town.seen['symbol']:,} | {town.seen['error']:,} |", flush=True,
        )  # fmt: skip
        if minute >= minutes:
            return rows
        await asyncio.sleep(min(60.0, (minutes - minute) * 60 + 0.1))


def told(rows: list[tuple[float, float, float]]) -> str:
    """How memory went once it had come to rest."""
    late = np.array([row for row in rows if row[0] >= SETTLED - 0.1])
    if len(late) < 3:
        return f"it takes {SETTLED + 2} minutes to tell how memory goes"
    lines = []
    for column, name in ((1, "gateway"), (2, "engine")):
        slope = np.polyfit(late[:, 0], late[:, column], 1)[0]
        low, high = late[:, column].min(), late[:, column].max()
        lines.append(
            f"{name}: {low:.1f} to {high:.1f} MB from minute {late[0, 0]:.0f} on, "
            f"{slope * 60:+.1f} MB an hour"
        )
    return "\n".join(lines)


async def soak(address: str, gateway: int, options: argparse.Namespace) -> None:
    town = Town(address.replace("http", "ws") + "/v1/stream", options.seed)
    people = [asyncio.create_task(person(town, n)) for n in range(options.people)]
    try:
        rows = await watch(town, gateway, options.minutes)
    finally:
        for task in people:
            task.cancel()
        await asyncio.gather(*people, return_exceptions=True)
    print(told(rows))
    print(", ".join(f"{kind} {count:,}" for kind, count in sorted(town.seen.items())))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=Path, default=MODELS)
    options = parser.parse_args()
    with (
        running_server(options.models) as (process, address),
        contextlib.suppress(KeyboardInterrupt),
    ):
        asyncio.run(soak(address, process.pid, options))


if __name__ == "__main__":
    main()
