"""Floods of what is small, from a process of its own: `python flooder.py ADDRESS SECONDS KIND...`.

Each kind takes so many seconds, one after the other. Most of it no library would send. For each
kind it prints a line of JSON: when it began and ended, and how many bytes it sent and heard.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

MODEL = "verse"


def frame(opcode: int, data: bytes, *, last: bool = True) -> bytes:
    """A WebSocket frame, masked as clients have to, with zeros."""
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + size.to_bytes(2, "big")
    return bytes([0x80 * last | opcode]) + length + bytes(4) + data


def said(type: str, **fields: Any) -> bytes:
    return frame(1, json.dumps({"type": type, **fields}, ensure_ascii=False).encode())


FRAMES = {
    # kind: connections, and what each sends at once, again and again
    "pings": (1, frame(9, b"") * 5000),
    "pings of fifty": (50, frame(9, b"") * 1000),
    "pings that are not read": (5, frame(9, b"x" * 100) * 500),
    "pongs": (5, frame(10, b"") * 5000),
    "fragments": (
        5, frame(1, b"{", last=False) + frame(0, b"", last=False) * 1000 + frame(0, b"")
    ),
    "controls": (5, said("control", session="flooded", controls={"temperature": 1.1}) * 500),
    "attaches": (5, said("attach", session="flooded") * 500),
    "mistakes": (5, frame(1, b"{") * 2000),
    # Texts whose normal forms once took seconds, or did not end.
    "marks": (5, said("feed", session="flooded", symbols="a" + "\u0315\u0300" * 10_000)),
    "signs": (5, said("feed", session="flooded", symbols="\u33c2" * 20_000)),
}  # fmt: skip
UNREAD = {"pings that are not read"}
REQUESTS = {
    # kind: connections, what is asked on each, and whether each is used once only
    "lists": (20, "/v1/sessions", False),
    "metrics": (20, "/metrics", True),
    "pages": (20, "/", False),
    "pipelined": (5, "/healthz", False),
    # OSCQuery's, which the test serves at another address
    "trees": (20, "/", False),
    "trees on new connections": (20, "/rnn", True),
}
COMMANDS = {
    "listening": (5, b'{"COMMAND": "LISTEN", "DATA": "/rnn/flooded/temperature"}', 1000),
}


class Flood:
    """One kind, from many threads until the time is over."""

    def __init__(self, address: str, seconds: float) -> None:
        host, port = address.removeprefix("http://").split(":")
        self._where = (host, int(port))
        self._seconds = seconds
        self.bytes = Counter[str]()
        self._made: list[socket.socket] = []

    def run(self, each: Callable[[], None], count: int) -> None:
        """Does something `count` times at once, again and again."""
        self._end = time.monotonic() + self._seconds
        threads = [threading.Thread(target=self._repeat, args=[each]) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for made in self._made:
            made.close()

    def _repeat(self, each: Callable[[], None]) -> None:
        while time.monotonic() < self._end:
            with contextlib.suppress(OSError):  # a server may close what sends too much
                each()

    def connect(self) -> socket.socket:
        made = socket.create_connection(self._where, timeout=self._seconds)
        self._made.append(made)
        return made

    def head(self, path: str, *lines: str) -> bytes:
        host = f"{self._where[0]}:{self._where[1]}"
        return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()

    def shaken(self, path: str) -> socket.socket:
        """A WebSocket whose client sees to the bytes itself."""
        made = self.connect()
        made.sendall(
            self.head(
                path,
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            )
        )
        heard = made.recv(1 << 16)
        assert b" 101 " in heard, heard
        return made

    def send(self, made: socket.socket, data: bytes) -> None:
        """Sends as much as is taken, until the time is over."""
        made.settimeout(0.1)
        left = memoryview(data)
        while time.monotonic() < self._end:
            with contextlib.suppress(TimeoutError):
                sent = made.send(left)
                self.bytes["sent"] += sent
                left = left[sent:] or memoryview(data)

    def hear(self, made: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while time.monotonic() < self._end:
                with contextlib.suppress(TimeoutError):
                    data = made.recv(1 << 16)
                    if not data:
                        return
                    self.bytes["heard"] += len(data)

    def frames(self, data: bytes, *, path: str, reads: bool) -> None:
        made = self.shaken(path)
        if reads:
            threading.Thread(target=self.hear, args=[made], daemon=True).start()
        self.send(made, data)

    def requests(self, path: str, *, once: bool) -> None:
        """One request after the other."""
        with self.connect() as made:
            self._made.remove(made)
            while time.monotonic() < self._end:
                made.sendall(self.head(path))
                self._answer(made)
                if once:
                    return

    def _answer(self, made: socket.socket) -> None:
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += self._more(made)
        head, _, body = heard.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < size:
            body += self._more(made)
        self.bytes["heard"] += len(head) + len(body)

    def _more(self, made: socket.socket) -> bytes:
        data = made.recv(1 << 16)
        if not data:
            raise ConnectionError
        return data

    def pipelined(self, path: str) -> None:
        """Requests that wait for no answer."""
        made = self.connect()
        threading.Thread(target=self.hear, args=[made], daemon=True).start()
        self.send(made, self.head(path) * 500)

    def halves(self) -> None:
        """A request that does not end; its connection stays open."""
        if len(self._made) < 400:
            made = self.connect()
            made.sendall(self.head("/")[:-2])
            self.bytes["heard"] += 1
        else:
            time.sleep(0.1)

    def connections(self) -> None:
        """A connection that says nothing, and ends."""
        self._made.remove(made := self.connect())
        made.close()
        self.bytes["heard"] += 1


def do(flood: Flood, kind: str) -> None:
    if kind in FRAMES:
        count, data = FRAMES[kind]
        reads = kind not in UNREAD
        flood.run(lambda: flood.frames(data, path="/v1/stream", reads=reads), count)
    elif kind in COMMANDS:
        count, data, times = COMMANDS[kind]
        flood.run(lambda: flood.frames(frame(1, data) * times, path="/", reads=True), count)
    elif kind == "pipelined":
        flood.run(lambda: flood.pipelined("/healthz"), 5)
    elif kind in REQUESTS:
        count, path, once = REQUESTS[kind]
        flood.run(lambda: flood.requests(path, once=once), count)
    else:
        flood.run({"halves": flood.halves, "connections": flood.connections}[kind], 5)


def main() -> None:
    address, seconds, *kinds = sys.argv[1:]
    for kind in kinds:
        flood, began = Flood(address, float(seconds)), time.monotonic()
        do(flood, kind)
        said = {"kind": kind, "began": began, "ended": time.monotonic(), **flood.bytes}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    os._exit(0)  # without a farewell, as attackers go


if __name__ == "__main__":
    main()
