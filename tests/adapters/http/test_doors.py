"""The doors with real sockets: silent clients, incomplete requests, and too many connections."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stream_rnn.adapters.http import doors as module
from stream_rnn.adapters.http import websocket_door
from stream_rnn.adapters.http.attention import Attention
from stream_rnn.adapters.http.doors import DoorConfig, HttpDoor
from stream_rnn.adapters.http.line import LINE
from stream_rnn.adapters.http.reading import PIECE
from stream_rnn.adapters.http.refusals import RefusalLog
from stream_rnn.adapters.http.room import SPARE, Doors
from stream_rnn.adapters.http.websocket_door import WebSocketDoor
from stream_rnn.bench.crowd import cut
from stream_rnn.wire.frames import text_frame

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def test_connections_are_counted_by_address_and_in_all() -> None:
    doors = Doors(total=4, each=2)
    assert doors.enter("10.0.0.1") is None and doors.enter("10.0.0.1") is None
    refused = doors.enter("10.0.0.1")
    assert refused is not None and "--max-per-address" in refused
    doors.leave("10.0.0.1")
    assert doors.enter("10.0.0.1") is None
    assert doors.enter("10.0.0.2") is None and doors.enter("::1") is None
    refused = doors.enter("10.0.0.3")
    assert refused is not None and "--max-connections" in refused
    # A supervisor on this machine still asks for health, and is not limited by its address.
    for _ in range(SPARE):
        assert doors.enter("127.0.0.1") is None
    assert doors.enter("127.0.0.1") is not None
    assert len(doors) == 4 + SPARE


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Served:
    port: int
    doors: Doors

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port))
        made.settimeout(10)
        return made


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


@contextlib.asynccontextmanager
async def served(doors: Doors, app: ASGIApp | None = None) -> AsyncIterator[Served]:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            client = WebSocket(scope, receive, send)
            await client.accept()
            with contextlib.suppress(Exception):
                while True:
                    await client.send_text(await client.receive_text())
        elif scope["path"] == "/large":
            await PlainTextResponse("x" * 50_000_000)(scope, receive, send)
        else:
            await PlainTextResponse("hello")(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    attention = Attention(asyncio.get_running_loop())
    config = DoorConfig(app or echo, doors, attention, RefusalLog(), timeout_graceful_shutdown=1)
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    await until(lambda: server.started)
    try:
        yield Served(listener.getsockname()[1], doors)
    finally:
        server.should_exit = True
        await task


def said(client: socket.socket) -> bytes:
    """All that comes until the server closes."""
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(1 << 16):
            heard += data
    return heard


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    made: Callable[[Any], Any] = request.param
    return made


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER", 0.6)
    for part in (module, websocket_door):
        monkeypatch.setattr(part, "REQUEST", 0.6)
        monkeypatch.setattr(part, "LINGER", 0.3)


@pytest.mark.parametrize(
    ("half", "answered"),
    [
        (b"", b""),
        (b"G", b"408"),
        (GET, b"408"),
        (UPGRADE, b"408"),
        (GET + b"\r\n", b"200"),  # and nothing more
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", b"200"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
            b"200",
        ),
        (GET + b"\r\n" + GET, b"200"),
    ],
)
def test_a_client_that_says_half_is_let_go(
    half: bytes, answered: bytes, run: Callable[[Any], Any]
) -> None:
    async def main() -> None:
        async with served(Doors(50, 50)) as there:
            with there.connect() as client:
                client.sendall(half)
                heard = await asyncio.to_thread(said, client)
                assert heard[9:12] == answered
            await until(lambda: len(there.doors) == 0)

    run(main())


def test_a_client_that_sends_a_byte_now_and_then_is_let_go(run: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with served(Doors(50, 50)) as there:
            for begin in (GET + b"X: ", POST + b"\r\n"):
                with there.connect() as client:
                    client.sendall(begin)
                    began = time.monotonic()
                    with contextlib.suppress(OSError):
                        while time.monotonic() - began < 20:
                            client.sendall(b"x")
                            await asyncio.sleep(0.05)
                    assert time.monotonic() - began < 15
                await until(lambda: len(there.doors) == 0)

    run(main())


def test_a_client_that_reads_nothing_is_let_go(run: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with served(Doors(50, 50)) as there:
            with there.connect() as client:
                client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
                await until(lambda: len(there.doors) == 1)
                await until(lambda: len(there.doors) == 0)
                assert len(said(client)) < 50_000_000

    run(main())


def test_a_connection_that_is_used_is_kept(
    run: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in (module, websocket_door):
        monkeypatch.setattr(part, "REQUEST", 2.0)

    async def main() -> None:
        async with served(Doors(50, 50)) as there:
            async with connect(f"ws://127.0.0.1:{there.port}/") as client:
                with there.connect() as plain:
                    for _ in range(6):
                        plain.sendall(GET + b"\r\n")
                        heard = b""
                        while not heard.endswith(b"hello"):
                            heard += await asyncio.to_thread(plain.recv, 1 << 16)
                            assert heard
                        await asyncio.sleep(0.5)  # longer together than a request may take
                await client.send("still there")
                assert await client.recv() == "still there"
                assert len(there.doors) <= 2
            await until(lambda: len(there.doors) == 0)

    run(main())


def test_one_too_many_is_told_so_in_its_own_protocol(run: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with served(Doors(2 - SPARE, 50)) as there:
            url = f"ws://127.0.0.1:{there.port}/"
            async with connect(url), connect(url):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url)
                assert refused.value.response.status_code == 503
                assert b"--max-connections" in (refused.value.response.body or b"")
                with there.connect() as client:
                    client.sendall(GET + b"\r\n")
                    heard = await asyncio.to_thread(said, client)
                    assert heard.startswith(b"HTTP/1.1 503 ") and b"--max-connections" in heard
                with there.connect() as silent:  # it is told, too
                    assert b" 503 " in await asyncio.to_thread(said, silent)
                assert len(there.doors) == 2
            await until(lambda: len(there.doors) == 0)
            async with connect(url) as client:
                await client.send("room again")
                assert await client.recv() == "room again"

    run(main())


def test_three_hundred_too_many_are_all_told(run: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with served(Doors(-SPARE, 50)) as there:
            crowd = [there.connect() for _ in range(300)]
            try:
                heard = await asyncio.gather(*(asyncio.to_thread(said, one) for one in crowd))
            finally:
                for one in crowd:
                    one.close()
            assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in heard)
            await until(lambda: there.doors.lingering == 0)
            assert len(there.doors) == 0

    run(main())


def test_text_that_is_not_utf8_closes_its_connection_without_a_traceback(
    run: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with served(Doors(50, 50)) as there:
            async with connect(f"ws://127.0.0.1:{there.port}/") as client:
                await client.send([b"\xf0\x9f", b"\x8e\xb9"], text=True)
                assert await client.recv() == "🎹", "a character may be cut between two frames"
                await client.send(b"half \xe2\x82", text=True)
                with pytest.raises(ConnectionClosed) as closed:
                    await client.recv()
                assert closed.value.rcvd is not None and closed.value.rcvd.code == 1007

    run(main())
    assert not [record for record in caplog.records if record.exc_info]


def test_https_on_this_port_is_named_in_the_log(
    run: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with served(Doors(50, 50)) as there:
            with there.connect() as client:
                client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
                await asyncio.to_thread(said, client)

    run(main())
    assert any("https" in message for message in caplog.messages)


def masked(opcode: int, data: bytes, *, last: bool = True) -> bytes:
    """A short WebSocket frame, as clients send them."""
    return bytes([opcode | 0x80 * last, 0x80 | len(data), 0, 0, 0, 0]) + data


def test_a_line_is_free_while_its_client_reads_and_ends_with_it(run: Callable[[Any], Any]) -> None:
    full, changes, ended = list[int](), list[bool](), threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        line, sent = scope["extensions"][LINE], 0
        assert not line.free, "before the handshake"
        line.on_change = lambda: changes.append(line.free)
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        await websocket.receive_text()
        with contextlib.suppress(ConnectionError):
            while True:
                await line.ready()
                while line.free:
                    line.write(text_frame(b"%01000d" % sent))
                    sent += 1
                    if sent % 100 == 0:
                        await asyncio.sleep(0)  # or it would never hear of the end
                full.append(sent)
        assert not line.free
        ended.set()

    def read(client: socket.socket) -> list[int]:
        shake_hands(client)
        client.sendall(masked(1, b"begin"))
        while not full:
            time.sleep(0.01)
        frames, rest = list[tuple[int, bytes]](), b""
        while len(frames) < full[0]:
            found, rest = cut(rest + client.recv(1 << 16))
            frames += found
        while len(full) < 2:  # it goes on where it was
            time.sleep(0.01)
        return [int(payload) for _, payload in frames]

    async def scene() -> None:
        async with served(Doors(50, 50), app) as there:
            with there.connect() as client:
                heard = await asyncio.to_thread(read, client)
            await until(lambda: ended.is_set() and len(there.doors) == 0)
            assert heard == list(range(len(heard)))

    run(scene())
    assert changes[:4] == [True, False, True, False] and full[1] > full[0] > 10


def test_a_connection_that_ended_leaves_nothing_to_the_garbage_collector(
    run: Callable[[Any], Any],
) -> None:
    def come_and_go(there: Served) -> None:
        for last in (b"", masked(1, b"hello"), masked(8, b"\x03\xe8"), b"\xff" * 9):
            with there.connect() as client:
                shake_hands(client)
                client.sendall(last)
                time.sleep(0.02)
        for begun in (GET + b"\r\n", GET, b"", UPGRADE):
            with there.connect() as client:
                client.sendall(begun)
                time.sleep(0.02)

    async def scene() -> None:
        async with served(Doors(50, 50)) as there:
            await asyncio.to_thread(come_and_go, there)
            await until(lambda: len(there.doors) == 0)
            await asyncio.sleep(0.1)  # their tasks end, too
            left = [o for o in gc.get_objects() if type(o) in (HttpDoor, WebSocketDoor)]
            assert not left

    gc.collect()
    gc.disable()
    try:
        run(scene())
    finally:
        gc.enable()


FLOODS = {
    "pings": masked(9, b"") * 20_000,
    "pongs": masked(10, b"") * 20_000,
    "fragments": masked(1, b"x", last=False) + masked(0, b"", last=False) * 20_000 + masked(0, b""),
}


def shake_hands(client: socket.socket) -> None:
    client.sendall(UPGRADE + b"\r\n")
    assert client.recv(4096).startswith(b"HTTP/1.1 101")


async def longest_wait(seconds: float) -> float:
    """The loop's longest delay, without the worst 2 %: other programs may have caused those."""
    loop = asyncio.get_running_loop()
    waits, last, stop = list[float](), loop.time(), loop.time() + seconds
    while last < stop:
        await asyncio.sleep(0.005)
        now = loop.time()
        waits.append(now - last)
        last = now
    return sorted(waits)[len(waits) * 98 // 100]


@pytest.mark.parametrize("kind", FLOODS)
def test_small_frames_by_the_thousand_keep_nobody_waiting(
    run: Callable[[Any], Any], kind: str
) -> None:
    def flood(client: socket.socket) -> None:
        shake_hands(client)
        client.settimeout(0.2)
        stop = time.monotonic() + 2.0
        with contextlib.suppress(ConnectionError), client:
            while time.monotonic() < stop:
                with contextlib.suppress(TimeoutError):
                    client.sendall(FLOODS[kind])
                with contextlib.suppress(TimeoutError):
                    client.recv(1 << 20)

    async def scene() -> None:
        async with served(Doors(50, 50)) as there:
            flooding = asyncio.create_task(asyncio.to_thread(flood, there.connect()))
            assert await longest_wait(2.0) < 0.1
            await flooding

    run(scene())


def remember(monkeypatch: pytest.MonkeyPatch, kind: type) -> list[Any]:
    """The protocols of a kind that are made from now on."""
    made: list[Any] = []
    connection_made = kind.connection_made  # type: ignore[attr-defined]

    def remembered(door: Any, transport: Any) -> None:
        made.append(door)
        connection_made(door, transport)

    monkeypatch.setattr(kind, "connection_made", remembered)
    return made


def test_who_sends_pings_and_never_reads_takes_no_memory(
    run: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_door, "UNREAD", 100_000)
    made = remember(monkeypatch, module.WebSocketDoor)

    stop = threading.Event()

    def ping(client: socket.socket) -> None:
        # With less the system drops packets, acknowledgements among them, and both sides stand.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        shake_hands(client)
        client.settimeout(0.1)
        data, at = masked(9, b"x" * 100) * 100, 0
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                at = (at + client.send(data[at:])) % len(data)

    async def scene() -> None:
        most, since = 0, 0.0
        async with served(Doors(50, 50)) as there:
            with there.connect() as client:
                pinging = asyncio.create_task(asyncio.to_thread(ping, client))
                loop = asyncio.get_running_loop()
                end = loop.time() + 30.0
                # Until it is too much, or has not grown for a second.
                while most < 200_000 and loop.time() < (since + 1.0 if most > 50_000 else end):
                    await asyncio.sleep(0.01)
                    if made and (size := made[0].transport.get_write_buffer_size()) > most:
                        most, since = size, loop.time()
                stop.set()
                await pinging
        assert 50_000 < most < 200_000

    run(scene())


def test_a_body_in_the_smallest_chunks_keeps_nobody_waiting(run: Callable[[Any], Any]) -> None:
    def send(client: socket.socket) -> None:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.settimeout(0.2)
        stop = time.monotonic() + 1.5
        with contextlib.suppress(ConnectionError), client:
            while time.monotonic() < stop:
                with contextlib.suppress(TimeoutError):
                    client.sendall(b"1\r\nx\r\n" * 40_000)

    async def scene() -> None:
        async with served(Doors(50, 50)) as there:
            sending = asyncio.create_task(asyncio.to_thread(send, there.connect()))
            assert await longest_wait(1.5) < 0.1
            await sending

    run(scene())


def test_messages_that_come_together_are_read_in_their_order(run: Callable[[Any], Any]) -> None:
    said = [f"{n:06d}".encode() for n in range(3000)]

    def talk(client: socket.socket) -> bytes:
        shake_hands(client)
        client.sendall(b"".join(masked(1, text) for text in said))
        heard = b""
        while len(heard) < 8 * len(said):
            heard += client.recv(1 << 16)
        client.close()
        return heard

    async def scene() -> None:
        async with served(Doors(50, 50)) as there:
            heard = await asyncio.to_thread(talk, there.connect())
            assert heard == b"".join(bytes([0x81, 6]) + text for text in said)

    run(scene())


def test_frames_right_behind_the_handshake_are_answered_after_it(run: Callable[[Any], Any]) -> None:
    def talk(client: socket.socket) -> bytes:
        said = b"".join(masked(1, b"%06d" % n) for n in range(1000))  # in more than one piece
        client.sendall(UPGRADE + b"\r\n" + masked(9, b"") + said)
        heard = b""
        while not heard.endswith(b"000999"):
            heard += client.recv(1 << 16)
        client.close()
        return heard

    async def scene() -> None:
        async with served(Doors(50, 50)) as there:
            heard = await asyncio.to_thread(talk, there.connect())
            head, _, frames = heard.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101")
            echoed = b"".join(b"\x81\x06%06d" % n for n in range(1000))
            assert frames.replace(masked(10, b"")[:1] + b"\0", b"", 1) == echoed

    run(scene())


def test_a_message_is_read_though_its_client_has_gone(run: Callable[[Any], Any]) -> None:
    """Its last words wait for their turn, and the end of the connection waits behind them."""
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        client = WebSocket(scope, receive, send)
        await client.accept()
        with contextlib.suppress(Exception):
            while True:
                heard.append(await client.receive_text())
                await asyncio.sleep(0.001)

    def talk(client: socket.socket) -> None:
        with client:
            shake_hands(client)
            client.sendall(b"".join(masked(1, b"%06d" % n) for n in range(1000)))

    async def scene() -> None:
        async with served(Doors(50, 50), app) as there:
            await asyncio.to_thread(talk, there.connect())
            await until(lambda: len(heard) == 1000)
            await until(lambda: len(there.doors) == 0)

    run(scene())


def test_requests_by_the_thousand_on_one_connection_take_no_memory(
    run: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = remember(monkeypatch, module.HttpDoor)

    def ask(client: socket.socket) -> int:
        client.setblocking(False)
        heard, stop = 0, time.monotonic() + 1.5
        while time.monotonic() < stop:
            with contextlib.suppress(BlockingIOError):
                client.send((GET + b"\r\n") * 1000)
            with contextlib.suppress(BlockingIOError):
                heard += client.recv(1 << 16).count(b"hello")
            time.sleep(0.001)
        return heard

    async def scene() -> None:
        async with served(Doors(50, 50)) as there:
            client = there.connect()
            assert await asyncio.to_thread(ask, client) > 50
            assert len(made[0].conn.trailing_data[0]) < 4 * PIECE
            client.close()

    run(scene())


@pytest.mark.parametrize("fragment", [b"", b"x"])
def test_a_message_without_end_is_refused(
    run: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch, fragment: bytes
) -> None:
    def talk(client: socket.socket) -> bytes:
        with client:
            shake_hands(client)
            client.sendall(masked(1, b"x", last=False) + masked(0, fragment, last=False) * 2000)
            return said(client)

    async def scene() -> None:
        async with served(Doors(50, 50)) as there:
            heard = await asyncio.to_thread(talk, there.connect())
            assert heard[:1] == b"\x88" and heard[2:4] == (1009).to_bytes(2, "big")

    run(scene())
