"""Very many WebSocket clients in one thread, so cheap that the server is measured and not they.

A client here is a socket and a few numbers. Frames are cut from the bytes by hand: a server's
frames are not masked, and ours come without compression and mostly one to a packet. Bytes are
taken at most once in `REST` seconds, many sockets at a time, as a network card hands them over.
"""

from __future__ import annotations

import json
import select
import socket
import time
from array import array
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from stream_rnn.descriptors import RESERVE, allow
from stream_rnn.errors import StreamRnnError

REST = 0.001  # seconds
SIZE = 1 << 16  # bytes that are read at once
OFTEN = 32  # new clients, after which those that were there before have a turn
SETTLE = 60.0  # seconds for the answers to all clients
PATIENCE = 20.0  # seconds for an answer
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A  # first bytes of whole frames

_KEY = "AAAAAAAAAAAAAAAAAAAAAA=="


class _Message(msgspec.Struct):
    """What is read of a message."""

    type: str
    n: int = -1
    due: float = 0.0
    message: str = ""


_decode = msgspec.json.Decoder(_Message).decode


class Client:
    """One connection.

    Attributes:
        counted: symbols that came in the measured time.
        viewing: whether its session was opened for it.
        lost: positions that were left out between two symbols, at any time.
        doubled: symbols that came again, or too late.
    """

    __slots__ = ("counted", "doubled", "last", "lost", "rest", "socket", "viewing")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.rest = b""
        self.last = -1
        self.viewing = False
        self.counted = self.lost = self.doubled = 0

    def say(self, **message: Any) -> None:
        """Sends a message."""
        self.socket.sendall(client_frame(TEXT, json.dumps(message).encode()))

    def pong(self, payload: bytes) -> None:
        """Answers a ping."""
        self.socket.sendall(client_frame(PONG, payload))


def client_frame(kind: int, payload: bytes) -> bytes:
    """A client's frame. Clients have to mask; a mask of zeros leaves the payload as it is."""
    if len(payload) < 126:
        head = bytes((kind, 0x80 | len(payload)))
    else:
        head = bytes((kind, 0x80 | 126)) + len(payload).to_bytes(2, "big")
    return head + bytes(4) + payload


def cut(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames of a server in some bytes, as (first byte, payload), and what is left."""
    frames, at, end = list[tuple[int, bytes]](), 0, len(data)
    while end - at >= 2:
        length, start = data[at + 1], at + 2
        if length >= 126:
            start += 2 if length == 126 else 8
            length = int.from_bytes(data[at + 2 : start], "big")
        if start + length > end:
            break
        frames.append((data[at], data[start : start + length]))
        at = start + length
    return frames, data[at:]


class Crowd:
    """Clients of one server.

    Args:
        address: the server's, such as `http://127.0.0.1:8765`.

    Attributes:
        clients: those that have joined.
        late: arrival minus due time, in seconds, of each symbol in the measured time.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None and parts.port is not None
        self._where = parts.hostname, parts.port
        self._poll = select.epoll()
        self._by_number: dict[int, Client] = {}
        self._known: tuple[bytes, _Message] = b"", _Message("")
        self._measured = (0.0, 0.0)
        self.clients: list[Client] = []
        self.late = array("d")

    def close(self) -> None:
        """Ends all connections."""
        for client in self.clients:
            client.socket.close()
        self._poll.close()

    def join(self) -> tuple[Client, dict[str, Any]]:
        """Connects one more client; also returns the server's `hello`.

        Now and then, those that have joined before take what came for them.

        Raises:
            StreamRnnError: the server does not let it in.
        """
        number = len(self.clients) + 1
        if number % OFTEN == 0:
            self.listen(time.monotonic() + REST)
        try:
            connected = socket.create_connection(self._where, PATIENCE)
        except OSError as error:
            raise StreamRnnError(f"client {number} cannot connect: {error}") from None
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(connected)
        connected.sendall(
            f"GET /v1/stream HTTP/1.1\r\nHost: {self._where[0]}:{self._where[1]}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {_KEY}\r\n\r\n".encode()
        )
        head, end, client.rest = self._receive(client).partition(b"\r\n\r\n")
        if not (head.startswith(b"HTTP/1.1 101 ") and end):
            connected.close()
            said = (client.rest or head).decode("latin-1").strip()
            raise StreamRnnError(f"client {number} is not let in: {said}")
        frames, client.rest = cut(client.rest)
        while not frames:
            frames, client.rest = cut(client.rest + self._receive(client))
        connected.setblocking(False)
        self._poll.register(connected.fileno(), select.EPOLLIN)
        self._by_number[connected.fileno()] = client
        self.clients.append(client)
        return client, json.loads(frames[0][1])

    def _receive(self, client: Client) -> bytes:
        try:
            return client.socket.recv(SIZE)
        except OSError as error:
            raise StreamRnnError(
                f"client {len(self.clients) + 1} is not answered: {error}"
            ) from None

    def measure(self, begin: float, end: float) -> None:
        """Measures what arrives in this time: begins to count anew."""
        self._measured = begin, end
        self.late = array("d")
        for client in self.clients:
            client.counted = 0

    def settle(self) -> None:
        """Listens until each client's session has been opened for it.

        Raises:
            StreamRnnError: that takes too long, or the server refused it.
        """
        end = time.monotonic() + SETTLE
        while not all(client.viewing for client in self.clients):
            if time.monotonic() > end:
                waiting = sum(not client.viewing for client in self.clients)
                raise StreamRnnError(f"{waiting} clients have no session after {SETTLE:g} s")
            self.listen(time.monotonic() + 0.1)

    def listen(self, until: float) -> None:
        """Takes what comes, until a time on the monotonic clock.

        Raises:
            StreamRnnError: the server refused something, or closed a connection.
        """
        while (now := time.monotonic()) < until:
            ready = self._poll.poll(until - now, len(self._by_number) + 1)
            for number, _ in ready:
                client = self._by_number[number]
                data = client.socket.recv(SIZE)
                if not data:
                    raise StreamRnnError("the server closed a connection")
                self.take(client, data, time.monotonic())
            time.sleep(min(REST, max(0.0, until - time.monotonic())))

    def take(self, client: Client, data: bytes, now: float) -> None:
        """Takes bytes that a client has received.

        Raises:
            StreamRnnError: the server refused something, or closes the connection.
        """
        frames, client.rest = cut(client.rest + data if client.rest else data)
        begin, end = self._measured
        known, message = self._known
        for kind, payload in frames:
            if kind == PING:
                client.pong(payload)
                continue
            if kind == CLOSE:
                raise StreamRnnError(f"the server closed a connection: {payload[2:].decode()}")
            if payload != known:  # all viewers of a session get the same bytes
                known, message = self._known = payload, _decode(payload)
            if message.n < 0:
                if message.type == "error":
                    raise StreamRnnError(f"the server refused: {message.message}")
                client.viewing |= message.type == "opened"
                continue
            if client.last >= 0:
                if message.n > client.last + 1:
                    client.lost += message.n - client.last - 1
                elif message.n <= client.last:
                    client.doubled += 1
            client.last = max(client.last, message.n)
            if begin <= now < end:
                client.counted += 1
                self.late.append(now - message.due)


def tally(clients: Sequence[Client]) -> dict[str, int]:
    """What was lost and what came twice, of all."""
    return {
        "lost": sum(client.lost for client in clients),
        "doubled": sum(client.doubled for client in clients),
    }


def check_room(clients: int) -> None:
    """Makes room for the files of so many clients.

    Raises:
        StreamRnnError: this process may not open so many.
    """
    if (room := allow(clients, each=1)) < clients:
        raise StreamRnnError(
            f"this process may open {room + RESERVE} files, so at most {room} clients can be "
            f"measured, not {clients}; raise the limit: ulimit -Hn {clients + RESERVE}"
        )
