"""One client of a round: what it asks for, and what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .view import Message, View

PATIENCE = 40.0  # seconds for an answer; an engine takes some to come back


class Client:
    """One client, over as many connections as it makes.

    Attributes:
        heard: all that it was told, each with the request that it answers, if it is one.
        asked: what it asked for and has not been answered, by `id`.
        views: of sessions, by name.
        there: whether it may be spoken to.
        awake: cleared while it does not read.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self._url = address.replace("http", "ws") + "/v1/stream"
        self.heard: list[tuple[Message, Message | None]] = []
        self.asked: dict[int, Message] = {}
        self.views: dict[str, View] = {}
        self.there = False
        self.awake = asyncio.Event()
        self.awake.set()
        self.problems: list[str] = []
        self.refused: Counter[str] = Counter()
        self._told = asyncio.Condition()

    async def come(self) -> None:
        """Connects."""
        self._socket: ClientConnection = await connect(
            self._url, compression=None, ping_interval=None, max_size=None
        )
        self.there = True
        self._reader = asyncio.create_task(self._read())

    async def go(self, how: str = "close") -> None:
        """Leaves: in good order, or without a word."""
        self.there = False
        for view in self.views.values():
            view.there = False
        if how == "abort":
            self._socket.transport.abort()
        await self._socket.close()
        await self._reader

    async def say(self, id: int, type: str, **fields: Any) -> None:
        """Asks for something."""
        request = {"type": type, "id": id, **fields}
        if type != "step":  # what answers that are the symbols
            self.asked[id] = request
        try:
            await self._socket.send(json.dumps(request))
        except ConnectionClosed:
            self._lost()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.awake.wait()
                self._hear(json.loads(await self._socket.recv()))
                async with self._told:
                    self._told.notify_all()
        if self.there:
            self._lost()

    def _lost(self) -> None:
        self.there = False
        self.problems.append(f"the server closed the connection of {self.name}")

    def _hear(self, message: Message) -> None:
        answers = self.asked.pop(message["id"], None) if "id" in message else None
        self.heard.append((message, answers))
        name = message.get("session")
        if message["type"] == "error":
            self.refused[message["code"]] += 1
            if message["code"] == "internal" or "id" not in message:
                self.problems.append(f"{self.name} was told {message}")
        elif name is not None:
            if message["type"] == "closed" and "reason" in message:
                self.problems.append(f"{self.name} was told {message}")
            self.views.setdefault(name, View()).hear(message, answers)

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Waits until something holds after a message; returns whether it does."""
        try:
            async with asyncio.timeout(seconds), self._told:
                await self._told.wait_for(lambda: condition() or self._reader.done())
        except TimeoutError:
            pass
        return condition()

    def came_to(self, session: str) -> int:
        """How many symbols a session has, as far as it knows."""
        view = self.views.get(session)
        return view.next or 0 if view else 0
