"""Bytes that are no UTF-8, wherever a client can put them: an answer, and no traceback."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.programs import Served, stream_rnn
from talker import Talker

BAD = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f", b"\x80\xfe")
REQUESTS = {
    "path": b"GET /%s HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "query": b"GET /v1/models?token=%s HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "host": b"GET /v1/models HTTP/1.1\r\nHost: %s\r\n\r\n",
    "origin": b"GET /v1/models HTTP/1.1\r\nHost: {host}\r\nOrigin: http://%s\r\n\r\n",
    "token": b"GET /v1/models HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer %s\r\n\r\n",
    "any header": b"GET /v1/models HTTP/1.1\r\nHost: {host}\r\nX: %s\r\nCookie: a=%s\r\n\r\n",
    "a header's name": b"GET /v1/models HTTP/1.1\r\nHost: {host}\r\n%s: x\r\n\r\n",
    "forwarded": b"GET / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: %s\r\n"
    b"X-Forwarded-Proto: %s\r\n\r\n",
    "method": b"%s / HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "preflight": b"OPTIONS /v1/models HTTP/1.1\r\nHost: {host}\r\nOrigin: %s\r\n"
    b"Access-Control-Request-Method: %s\r\n\r\n",
}
HANDSHAKE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
REQUESTS |= {
    f"WebSocket: {name.decode()}": HANDSHAKE.replace(name, name + b"%s") + b"\r\n"
    for name in (b"/v1/stream", b"Host: ", b"Upgrade: ", b"Version: ", b"Key: ")
}
REQUESTS |= {
    f"WebSocket: {header.decode()}": HANDSHAKE + header + b": %s\r\n\r\n"
    for header in (b"Origin", b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"Cookie")
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[tuple[Served, Path]]:
    """A server with OSCQuery, and its log."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "serve.toml").write_text("[discovery]\nport = 0\n")
    log = folder / "log"
    with stream_rnn(models, log, "--config", str(folder / "serve.toml")) as server:
        yield server, log


def ports(served: tuple[Served, Path]) -> tuple[int, int]:
    """Those of the page and of OSCQuery."""
    server, log = served
    found = re.search(r"OSCQuery on http://127\.0\.0\.1:(\d+)", log.read_text())
    assert found
    return int(server.http.rpartition(":")[2]), int(found[1])


def answer(port: int, request: bytes) -> bytes:
    """The first bytes of what comes back; none if the connection just ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(request.replace(b"{host}", b"127.0.0.1:%d" % port))
        with contextlib.suppress(ConnectionResetError):
            return client.recv(4096)
    return b""


@pytest.mark.parametrize("where", REQUESTS)
def test_in_a_request(served: tuple[Served, Path], where: str) -> None:
    _, log = served
    for port in ports(served):
        for bad in BAD:
            whole = REQUESTS[where].replace(b"%s", bad)
            quoted = REQUESTS[where].replace(b"%s", b"".join(b"%%%02x" % byte for byte in bad))
            for request in (whole, quoted):
                status = re.match(rb"HTTP/1\.1 (\d{3}) ", answer(port, request))
                assert status and status[1] != b"500", (request, status)
    assert "Traceback" not in log.read_text()


FRAMES = {
    "text": lambda bad: frame(1, b'{"type":"ping","t0":0,"id":"' + bad + b'"}'),
    "text in two frames": lambda bad: frame(1, b'"', end=False) + frame(0, bad),
    "binary": lambda bad: frame(2, bad),
    "ping": lambda bad: frame(9, bad),
    "pong": lambda bad: frame(10, bad),
    "close": lambda bad: frame(8, b"\x03\xe8" + bad),
    "close with half a code": lambda bad: frame(8, bad[:1]),
}


def frame(kind: int, payload: bytes, *, end: bool = True) -> bytes:
    """A client's frame, masked by zeros."""
    assert len(payload) < 126
    return bytes([end << 7 | kind, 0x80 | len(payload), 0, 0, 0, 0]) + payload


@pytest.mark.parametrize("where", FRAMES)
def test_in_a_frame(served: tuple[Served, Path], where: str) -> None:
    server, log = served
    for port, path in zip(ports(served), (b"/v1/stream", b"/"), strict=True):
        for bad in BAD:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                hands = HANDSHAKE.replace(b"/v1/stream", path)
                client.sendall(hands.replace(b"{host}", b"127.0.0.1:%d" % port) + b"\r\n")
                assert client.recv(20).startswith(b"HTTP/1.1 101 ")
                # What follows is answered, by a pong or a close, whichever fits.
                client.sendall(FRAMES[where](bad) + frame(9, b"still there"))
                heard = b""
                with contextlib.suppress(ConnectionResetError):
                    while b"still there" not in heard and (more := client.recv(1 << 16)):
                        heard += more
                closed = re.search(rb"\x88[\x02-\x7d]\x03[\xe8-\xf7]", heard) is not None
                assert closed is ("text" in where or "close" in where), heard[-100:]
    with Talker(server.http) as talker:
        assert talker.ask("ping", "pong", t0=0)["type"] == "pong"
    assert "Traceback" not in log.read_text()
