"""An attack on a server from a process of its own: `python attacker.py KIND ADDRESS SECONDS`.

What it sends is legal, only too much. It reads all answers, and prints what it heard by type.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import socket
import sys
import threading
import time
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

heard: collections.Counter[str] = collections.Counter()
LETTERS = "abcdefgh" * 512  # as many as a feed may have


def rewinds(say: Any, seconds: float) -> None:
    """A past as long as it may be, and back into it again and again."""
    say("open", session="bad", play=False)
    for _ in range(122):
        say("feed", session="bad", symbols=LETTERS)
    while heard["fed"] + heard["error"] < 122:
        time.sleep(0.05)
    reached = heard["fed"] * len(LETTERS)
    for n in range(40):
        say("rewind", session="bad", to=reached * (50 - n) // 50)


def feeds(say: Any, seconds: float) -> None:
    """Long feeds to many sessions, as fast as they are taken."""
    for n in range(16):
        say("open", session=f"bad-{n}", play=False)
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end and sent < 600:
        say("feed", session=f"bad-{sent % 16}", symbols=LETTERS)
        sent += 1


def replays(say: Any, seconds: float) -> None:
    """A whole history asked for a hundred times a second."""
    say("open", session="bad", play=False)
    for _ in range(8):
        say("feed", session="bad", symbols=LETTERS)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        say("attach", session="bad", after=-1)
        time.sleep(0.01)


def masked(opcode: int, data: bytes) -> bytes:
    """A WebSocket frame, as clients send them."""
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + data


def said(type: str, **fields: Any) -> bytes:
    return masked(1, json.dumps({"type": type, **fields}).encode())


RAW = {
    # name: what is sent at once on a WebSocket, again and again.
    "pings": masked(9, b"") * 20_000,
    "controls": said("control", session="bad", controls={"temperature": 1.1}) * 3000,
    "attaches": said("attach", session="bad") * 3000,
    "mistakes": masked(1, b"{") * 10_000,
}
TEXTS = {
    # name: what is fed to a text once a second; each kept a server for seconds, or for ever.
    "marks": "a" + "\u0315\u0300" * 10_000,
    "signs": "\u33c2" * 20_000,
}
PATHS = {"lists": "/v1/sessions", "metrics": "/metrics"}


def shaken(host: str, port: int) -> socket.socket:
    """A WebSocket whose client sees to the bytes itself."""
    made = socket.create_connection((host, port))
    made.sendall(
        f"GET /v1/stream HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return made


def flood(kind: str, host: str, port: int, end: float) -> None:
    """Bytes as fast as they are taken; what is answered is read."""
    with shaken(host, port) as made:

        def read() -> None:
            with contextlib.suppress(OSError):
                while data := made.recv(1 << 16):
                    heard["bytes"] += len(data)

        threading.Thread(target=read, daemon=True).start()
        made.sendall(said("open", model="verse", session="bad", play=False))
        if kind in TEXTS:
            text = json.dumps(
                {"type": "feed", "session": "bad", "symbols": TEXTS[kind]}, ensure_ascii=False
            )
            data = masked(1, text.encode())
        else:
            data = RAW[kind]
        while time.monotonic() < end:
            made.sendall(data)
            heard["floods"] += 1
            time.sleep(1.0 if kind in TEXTS else 0.0)


def ask(path: str, host: str, port: int, end: float) -> None:
    """One request after the other."""
    while time.monotonic() < end:
        with socket.create_connection((host, port)) as made:
            made.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            heard["bytes"] += len(made.recv(1 << 20))
            heard["requests"] += 1


def raw(kind: str, address: str, seconds: float) -> None:
    """What no library sends."""
    host, port = address.removeprefix("http://").split(":")
    end = time.monotonic() + seconds
    threading.Timer(seconds + 0.5, finish).start()  # some wait for ever to send
    with contextlib.suppress(OSError):
        if kind in PATHS:
            askers = [
                threading.Thread(target=ask, args=(PATHS[kind], host, int(port), end), daemon=True)
                for _ in range(20)
            ]
            for asker in askers:
                asker.start()
            for asker in askers:
                asker.join()
        else:
            flood(kind, host, int(port), end)
    finish()


def finish() -> None:
    sys.stdout.write(json.dumps(heard))
    sys.stdout.flush()
    os._exit(0)  # without a farewell, as attackers go


def main() -> None:
    kind, address, seconds = sys.argv[1:]
    if kind in RAW or kind in TEXTS or kind in PATHS:
        raw(kind, address, float(seconds))
    url = address.replace("http", "ws") + "/v1/stream"
    with connect(url, max_size=None, ping_interval=None) as client:

        def read() -> None:
            for message in client:
                kind = json.loads(message)["type"]
                heard[kind] += 1

        threading.Thread(target=read, daemon=True).start()

        def say(type: str, **fields: Any) -> None:
            fields = {"model": "verse", **fields} if type == "open" else fields
            client.send(json.dumps({"type": type, **fields}))

        began = time.monotonic()
        try:
            {"rewinds": rewinds, "feeds": feeds, "replays": replays}[kind](say, float(seconds))
            time.sleep(max(0.0, began + float(seconds) - time.monotonic()))
        except ConnectionClosed:
            heard["closed by the server"] += 1
        finish()


if __name__ == "__main__":
    main()
