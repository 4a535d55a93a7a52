"""Builds a past again on a server, by its script: paused, and never more at once than is told."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from .judge import Shown
from .script import Change, Cut, Feed, Open, Renew, Request, Step
from .view import Message, shown

PATIENCE = 60.0  # seconds for one answer
MOST = 4096  # steps at once


class CannotBuild(Exception):
    """The server does not do what another one is said to have done; the message says at what."""


class Builder:
    """A client that builds one past after the other."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count()
        self._session = ""
        self._symbols: dict[int, Shown] = {}

    async def build(self, session: str, script: Iterable[Request]) -> dict[int, Shown]:
        """A past's symbols.

        Raises:
            CannotBuild: the server did something else.
        """
        self._session, self._symbols = session, {}
        for request in script:
            await self._do(request)
        await self._ask("close")
        return self._symbols

    async def _do(self, request: Request) -> None:
        match request:
            case Open(model, controls, seed, prime, expected):
                opened = await self._ask(
                    "open", model=model, controls=controls, seed=seed, prime=prime, play=False
                )
                self._hold(opened["controls"], expected, request)
            case Renew(model, controls, expected):
                opened = await self._ask("control", model=model, controls=controls)
                self._hold(opened["controls"], expected, request)
            case Cut(to):
                if to < await self._position():
                    await self._ask("rewind", to=to)
            case Step(to):
                while (left := to - await self._position()) > 0:
                    await self._say("step", count=min(left, MOST))
                    last = to - left + min(left, MOST) - 1
                    await self._until(lambda m, n=last: m["type"] == "symbol" and m["n"] == n)  # type: ignore[misc]
            case Change(changes, expected):
                told = await self._ask("control", controls=changes)
                if expected is not None:
                    self._hold(told["controls"], expected, request)
            case Feed(symbols):
                await self._ask("feed", symbols=symbols)

    async def _position(self) -> int:
        position: int = (await self._ask("pause"))["position"]
        return position

    def _hold(self, found: Any, expected: Any, request: Request) -> None:
        if found != expected:
            raise CannotBuild(f"{request}: the controls are {found}, and not {expected}")

    async def _say(self, type: str, **fields: Any) -> int:
        id = next(self._ids)
        request = {"type": type, "id": id, "session": self._session, **fields}
        await self._socket.send(json.dumps(request))
        return id

    async def _ask(self, type: str, **fields: Any) -> Message:
        id = await self._say(type, **fields)
        answer = await self._until(lambda message: message.get("id") == id)
        if answer["type"] == "error":
            raise CannotBuild(f"{type} {str(fields)[:200]}: {answer['message']}")
        return answer

    async def _until(self, wanted: Callable[[Message], bool]) -> Message:
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    message: Message = json.loads(await self._socket.recv())
            except TimeoutError:
                raise CannotBuild(f"no answer within {PATIENCE:g} s") from None
            match message["type"]:
                case "symbol":
                    self._symbols[message["n"]] = shown(message)
                case "reset" | "rewound":
                    left = self._symbols.items()
                    self._symbols = {n: s for n, s in left if n < message["position"]}
            if wanted(message):
                return message


async def build_all(
    address: str, scripts: Iterable[tuple[str, Iterable[Request]]], builders: int = 8
) -> dict[str, dict[int, Shown] | CannotBuild]:
    """Builds several pasts, some at a time; by the name that each was given."""
    url = address.replace("http", "ws") + "/v1/stream"
    left = iter(scripts)
    built: dict[str, dict[int, Shown] | CannotBuild] = {}

    async def work() -> None:
        for name, script in left:
            # Each over a connection of its own: what is left of one that failed is nobody's.
            async with connect(url, compression=None, ping_interval=None, max_size=None) as socket:
                try:
                    built[name] = await Builder(socket).build(name, script)
                except CannotBuild as error:
                    built[name] = error

    async with asyncio.TaskGroup() as group:
        for _ in range(builders):
            group.create_task(work())
    return built
