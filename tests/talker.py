"""A WebSocket client for tests, by a library that the server does not use for sending."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from websockets.sync.client import ClientConnection, connect


class Talker:
    """One connection: says things, and remembers what it hears."""

    def __init__(self, address: str, **options: Any) -> None:
        url = address.replace("http", "ws") + "/v1/stream"
        self._stack = contextlib.ExitStack()
        self.socket: ClientConnection = self._stack.enter_context(connect(url, **options))
        self.heard: list[dict[str, Any]] = []
        self.hello = self.next()

    def __enter__(self) -> Talker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def next(self, timeout: float = 10.0) -> dict[str, Any]:
        """The next message; `arrived` is added to it."""
        message: dict[str, Any] = json.loads(self.socket.recv(timeout))
        message["arrived"] = time.monotonic()
        self.heard.append(message)
        return message

    def say(self, type: str, **fields: Any) -> None:
        self.socket.send(json.dumps({"type": type, **fields}))

    def ask(self, type: str, answer: str, **fields: Any) -> dict[str, Any]:
        """Says something and waits for the answer, or for an error."""
        self.say(type, **fields)
        return self.until(answer, "error")

    def until(self, *kinds: str, timeout: float = 10.0) -> dict[str, Any]:
        """The next message of some types."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if (message := self.next(timeout))["type"] in kinds:
                return message
        raise TimeoutError(f"no {kinds} within {timeout} s; heard {self.heard[-3:]}")

    def symbols(self, count: int, timeout: float = 30.0) -> list[dict[str, Any]]:
        """The next so many symbols."""
        return [self.until("symbol", timeout=timeout) for _ in range(count)]
