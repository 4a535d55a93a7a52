"""Measures a real server's memory for an hour, while simulated people come and go.

    python -m tests.soak --minutes 60 --people 40

Each person opens a session, returns to one that was left, or listens to somebody else's; then
controls, feeds, steps and rewinds it; and leaves: in good order, without closing the session, or
by a lost connection. Each minute prints a line: the resident memory of gateway and engine, and
the numbers of sessions and symbols. The end prints the slope of the memory after the first ten
minutes, with its standard error. Whether that is level is for the reader to say.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import random
import statistics
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from stream_rnn.bench.serve import children
from tests.oracle.plan import Model, some_controls, some_symbols
from tests.oracle.servers import MODELS, Server, served, some_models
from tests.support import resident

SETTLED = 10  # minutes, before the slope is looked at
AWAY, THERE, BETWEEN = 20.0, 60.0, 3.0  # mean seconds: between visits, of one, between operations
SAMPLES = 12  # measurements of the memory for each line
# What people do who play a session, with weights.
DOES = {"control": 6, "feed": 4, "step": 2, "pause": 1, "play": 2, "rewind": 1, "reset": 0.3,
        "fork": 0.3, "model": 0.3}  # fmt: skip
LEAVES = {"close": 4, "go": 3, "vanish": 3}


@dataclass
class Town:
    """What all people share.

    Attributes:
        models: those that the server has.
        sessions: the open sessions' models, by name.
        counts: what people did and heard, counted.
    """

    url: str
    models: Sequence[Model]
    sessions: dict[str, Model] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


class Person:
    """A simulated person who comes and goes."""

    def __init__(self, number: int, town: Town, seed: str) -> None:
        self._name, self._town = f"p{number}", town
        self._dice = random.Random(seed)
        self._opened = 0
        self._mine: dict[str, tuple[int, int]] = {}  # sessions left: last symbol heard, and epoch

    async def live(self) -> None:
        """Comes and goes until cancelled."""
        dice = self._dice
        await asyncio.sleep(dice.uniform(0, AWAY))
        while True:
            try:
                async with connect(self._town.url, compression=None, max_size=None) as socket:
                    await self._visit(socket)
            except (ConnectionClosed, OSError) as error:
                self._town.counts[f"lost: {type(error).__name__}"] += 1
            await asyncio.sleep(dice.expovariate(1 / AWAY))

    async def _visit(self, socket: ClientConnection) -> None:
        town, dice = self._town, self._dice
        town.counts["visits"] += 1
        self._socket = socket
        session, plays = await self._enter()
        listening = asyncio.create_task(self._listen(session))
        end = time.monotonic() + dice.expovariate(1 / THERE)
        while time.monotonic() < end and not listening.done():
            await asyncio.sleep(dice.expovariate(1 / BETWEEN))
            if plays:
                await self._do(session)
        if plays and session in town.sessions:
            how = dice.choices(list(LEAVES), list(LEAVES.values()))[0]
            if how == "close":
                await self._say("close", session=session)
                town.sessions.pop(session, None)
                self._mine.pop(session, None)
            if how == "vanish":
                socket.transport.abort()
        await socket.close()
        await listening

    async def _enter(self) -> tuple[str, bool]:
        """Goes to some session; returns it, and whether the person plays it."""
        town, dice = self._town, self._dice
        mine = [name for name in self._mine if name in town.sessions]
        way = dice.random()
        if mine and way < 0.4:
            session = dice.choice(mine)
            after, epoch = self._mine[session]
            await self._say("attach", session=session, after=after, epoch=epoch)
            return session, True
        if town.sessions and way < 0.6:
            session = dice.choice(sorted(town.sessions))
            await self._say("attach", session=session)
            return session, False
        self._opened += 1
        session, model = f"{self._name}-{self._opened}", dice.choice(town.models)
        town.sessions[session] = model
        self._mine[session] = -1, 0
        prime = some_symbols(dice, model) if dice.random() < 0.5 else ""
        controls = _calm(some_controls(dice, model)) if dice.random() < 0.5 else {}
        await self._say("open", session=session, model=model.name, prime=prime, controls=controls)
        return session, True

    async def _do(self, session: str) -> None:
        town, dice = self._town, self._dice
        model = town.sessions.get(session)
        if model is None:
            return
        do = dice.choices(list(DOES), list(DOES.values()))[0]
        last, _ = self._mine.get(session, (-1, 0))
        match do:
            case "control":
                at = dice.choice(("now", "beat", "bar"))
                await self._say(do, session=session, at=at,
                                controls=_calm(some_controls(dice, model)))  # fmt: skip
            case "feed":
                await self._say(do, session=session, symbols=some_symbols(dice, model),
                                in_time=dice.random() < 0.5)  # fmt: skip
            case "step":
                await self._say("pause", session=session)
                await self._say(do, session=session, count=dice.choice((1, 5, 40)))
                await self._say("play", session=session)
            case "rewind":
                await self._say(do, session=session, to=int((last + 1) * dice.random()))
            case "fork":
                self._opened += 1
                fork = f"{self._name}-{self._opened}"
                town.sessions[fork] = model
                await self._say(do, session=session, **{"as": fork})
            case "model":
                town.sessions[session] = model = dice.choice(town.models)
                await self._say("control", session=session, controls={}, model=model.name)
            case _:
                await self._say(do, session=session)

    async def _say(self, type: str, **fields: Any) -> None:
        self._town.counts["requests"] += 1
        await self._socket.send(json.dumps({"type": type, **fields}))

    async def _listen(self, session: str) -> None:
        counts = self._town.counts
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = json.loads(await self._socket.recv())
                kind = message["type"]
                if kind == "error":
                    counts[f"error: {message['code']}"] += 1
                    if message["code"] == "unknown_session":  # it was closed while nobody was there
                        self._town.sessions.pop(message.get("session", ""), None)
                elif kind == "symbol":
                    counts["symbols"] += 1
                    if message["session"] in self._mine:
                        self._mine[message["session"]] = message["n"], message.get("epoch", 0)
                elif kind == "gap":
                    counts["gaps"] += 1
                elif kind in ("reset", "rewound") and message["session"] in self._mine:
                    self._mine[message["session"]] = message["position"] - 1, message["epoch"]


def _calm(controls: dict[str, Any]) -> dict[str, Any]:
    """Controls without a tempo, so that people play at about the model's speed."""
    return {name: v for name, v in controls.items() if name not in ("rate", "bpm")}


@dataclass(frozen=True)
class Line:
    """One minute.

    Attributes:
        gateway: resident memory in megabytes, the mean of some measurements.
        engine: the same.
        counts: the town's counts so far.
    """

    minute: float
    gateway: float
    engine: float
    sessions: Counter[str]
    counts: Counter[str]


HEAD = " minute  gateway MB  engine MB  sessions: playing  paused  away    visits     symbols"


def shown(line: Line) -> str:
    """A line of the table."""
    there = line.sessions
    return (
        f"{line.minute:7.1f}  {line.gateway:10.1f}  {line.engine:9.1f}  {there['playing']:17}"
        f"  {there['paused']:6}  {there['away']:4}  {line.counts['visits']:8,}"
        f"  {line.counts['symbols']:10,}"
    )


def slope(points: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The slope of the line through points (least squares), and its standard error.

    Both are in units of y per unit of x; the error is not a number for fewer than three points.
    """
    xs, ys = zip(*points, strict=True)
    if len(set(xs)) < 2:
        return math.nan, math.nan
    steep, start = statistics.linear_regression(xs, ys)
    if len(xs) < 3:
        return steep, math.nan
    left = sum((y - start - steep * x) ** 2 for x, y in zip(xs, ys, strict=True))
    middle = statistics.fmean(xs)
    spread = sum((x - middle) ** 2 for x in xs)
    return steep, math.sqrt(left / (len(xs) - 2) / spread)


def verdict(lines: Sequence[Line], settled: float) -> str:
    """How the memory went after the first `settled` minutes, in words."""
    after = [line for line in lines if line.minute > settled]
    if len(after) < 2:
        return f"fewer than two lines after the first {settled:g} minutes: no slope"
    said = []
    for name in ("gateway", "engine"):
        values = [getattr(line, name) for line in after]
        steep, error = slope([(line.minute, getattr(line, name)) for line in after])
        said.append(
            f"{name}: {60 * steep:+.2f} ± {60 * error:.2f} MB an hour from minute "
            f"{after[0].minute:.1f} to {after[-1].minute:.1f} "
            f"({min(values):.1f} to {max(values):.1f} MB)"
        )
    return "\n".join(said)


def _sessions(address: str) -> Counter[str]:
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        text = answer.read().decode()
    lines = [line for line in text.splitlines() if line.startswith("stream_rnn_sessions{")]
    return Counter({line.split('"')[1]: int(float(line.split()[-1])) for line in lines})


def _models(address: str) -> list[Model]:
    with urllib.request.urlopen(f"{address}/v1/models") as answer:
        return [Model.of(said) for said in json.load(answer)["models"]]


async def _watch(server: Server, town: Town, minutes: float, every: float) -> list[Line]:
    began, lines = time.monotonic(), []
    print(HEAD, flush=True)
    try:
        while time.monotonic() < began + 60 * minutes:
            samples = []
            for _ in range(SAMPLES):
                await asyncio.sleep(every / SAMPLES)
                pids = server.process.pid, children(server.process.pid)[0]
                samples.append([resident(pid) / 1e6 for pid in pids])
            gateway, engine = (statistics.fmean(part) for part in zip(*samples, strict=True))
            sessions = await asyncio.to_thread(_sessions, server.address)
            minute = (time.monotonic() - began) / 60
            lines.append(Line(minute, gateway, engine, sessions, town.counts.copy()))
            print(shown(lines[-1]), flush=True)
    except asyncio.CancelledError:
        print("interrupted", flush=True)
    return lines


async def _soak(server: Server, options: argparse.Namespace) -> tuple[list[Line], Town]:
    models = await asyncio.to_thread(_models, server.address)
    town = Town(server.address.replace("http", "ws") + "/v1/stream", models)
    people = [
        asyncio.create_task(Person(n, town, f"{options.seed}/{n}").live())
        for n in range(options.people)
    ]
    lines = await _watch(server, town, options.minutes, options.every)
    for person in people:
        person.cancel()
    ended = await asyncio.gather(*people, return_exceptions=True)
    for end in ended:
        if isinstance(end, Exception) and not isinstance(end, asyncio.CancelledError):
            raise end
    return lines, town


def main() -> int:
    """Runs it, and prints the table.

    Returns:
        0; 1 where the server ended, or people were told of internal errors.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=60.0, metavar="SECONDS", help="a line")
    parser.add_argument("--settled", type=float, default=SETTLED, metavar="MINUTES",
                        help="after which the slope is looked at (%(default)s)")  # fmt: skip
    parser.add_argument("--models", type=lambda text: text.split(","), default=MODELS)
    parser.add_argument("--log", type=Path, default=Path("build/soak.log"), help="the server's")
    options = parser.parse_args()
    options.log.parent.mkdir(parents=True, exist_ok=True)
    with some_models(options.models) as folder, options.log.open("w") as said:
        with served(folder, said=said) as server:
            began = children(server.process.pid)
            lines, town = asyncio.run(_soak(server, options))
            engines_died = children(server.process.pid) != began
            ended = not server.runs
    print(verdict(lines, options.settled))
    print(", ".join(f"{name} {count:,}" for name, count in sorted(town.counts.items())))
    if engines_died:
        print("the engine is another one than in the beginning")
    if ended:
        print("the server ended")
    return int(ended or engines_died or town.counts["error: internal"] > 0)


if __name__ == "__main__":
    sys.exit(main())
