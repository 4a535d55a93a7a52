"""A WebSocket client for tests, by a library that the server does not use for sending."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from typing import Any

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket
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


def timetag(bundle: bytes) -> float:
    """An OSC bundle's timetag, in seconds since 1970. (python-osc gives late ones as now.)"""
    assert bundle.startswith(b"#bundle\0")
    seconds, fraction = struct.unpack(">II", bundle[8:16])
    return float(seconds - 2_208_988_800 + fraction / 2**32)


class Witness:
    """A session in a thread of its own, while something is done to the server.

    The end of the `with` asserts that every symbol came once, half of them nearly in time, and that
    the timeline never stalled; with `calm`, also that 99 of 100 came about as much in time as
    before. The bounds are loose, since the machine is shared: they tell a server that stood still
    from one that did not. `stream-rnn bench serve` has the figures.

    Args:
        calm: seconds to observe before anything is done.
        osc: the server's OSC port, to observe that sink by its timetags, too.
    """

    RATE = 50
    SLACK = 0.1  # seconds by which another program may keep the machine for itself

    def __init__(self, address: str, *, calm: float = 0.0, osc: int | None = None) -> None:
        self._calm, self._osc = calm, osc
        self._talker = Talker(address)
        opened = self._talker.ask(
            "open", "opened", model="verse", session="witness", controls={"rate": self.RATE}
        )
        assert opened["type"] == "opened", opened
        self._stop = threading.Event()
        self._symbols: list[dict[str, float]] = []
        self._thread = threading.Thread(target=self._listen)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self._bundles: list[dict[str, float]] = []
        self._ear = threading.Thread(target=self._listen_to_bundles)
        self._began = 0.0  # when something was first done to the server

    def _listen(self) -> None:
        while not self._stop.is_set():
            message = self._talker.next()
            if message["type"] == "symbol":
                self._symbols.append({k: message[k] for k in ("n", "due", "arrived")})

    def _listen_to_bundles(self) -> None:
        while not self._stop.is_set():
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            arrived, wall = time.monotonic(), time.time() - time.monotonic()
            for timed in OscPacket(data).messages:
                if timed.message.address == "/rnn/witness/char":
                    n, due = timed.message.params[1], timetag(data) - wall
                    self._bundles.append({"n": n, "due": due, "arrived": arrived})

    def __enter__(self) -> Witness:
        self._thread.start()
        if self._osc is not None:
            subscribe = OscMessageBuilder("/rnn/subscribe")
            subscribe.add_arg("witness")
            self._socket.sendto(subscribe.build().dgram, ("127.0.0.1", self._osc))
            self._ear.start()
        time.sleep(self._calm)
        self._began = time.monotonic()
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        time.sleep(0.3)
        self._stop.set()
        self._thread.join()
        if self._osc is not None:
            self._ear.join()
        self._socket.close()
        self._talker.ask("close", "closed", session="witness")
        self._talker.close()
        if kind is not None:
            return
        symbols = self._symbols
        assert [s["n"] for s in symbols] == list(range(len(symbols)))
        if self._calm:
            self._compare("WebSocket", symbols)
        if self._osc is not None:
            numbers = [int(s["n"]) for s in self._bundles]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert len(numbers) > 0.8 * len(symbols)
            self._compare("OSC", self._bundles)
        late = sorted(s["arrived"] - s["due"] for s in symbols)
        # On an idle machine the median is -0.018; a server that stands still is seconds late.
        assert late[len(late) // 2] < 0.1, (
            f"half of the symbols came {late[len(late) // 2]:.3f} s late"
        )
        gaps = [b["due"] - a["due"] for a, b in zip(symbols, symbols[1:], strict=False)]
        assert sum(gap > 1.05 / self.RATE for gap in gaps) <= 1, "the timeline never stalled"

    @property
    def worst(self) -> tuple[float, float]:
        """The greatest lateness of a symbol, in seconds: before something was done, and since."""
        late = [(s["due"] >= self._began, s["arrived"] - s["due"]) for s in self._symbols]
        before, since = (max(x for began, x in late if began == which) for which in (False, True))
        return before, since

    def _compare(self, sink: str, symbols: list[dict[str, float]]) -> None:
        before = [s["arrived"] - s["due"] for s in symbols if s["due"] < self._began]
        after = [s["arrived"] - s["due"] for s in symbols if s["due"] >= self._began]
        usual, late = (sorted(lateness)[len(lateness) * 99 // 100] for lateness in (before, after))
        assert late <= max(usual, 0.0) + self.SLACK, (
            f"{sink}: 99 of 100 came at most {late:.3f} s after they were due; before, {usual:.3f}"
        )
