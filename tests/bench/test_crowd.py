"""Clients that cut frames by hand, against the library that servers use."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from stream_rnn import descriptors
from stream_rnn.bench import crowd as module
from stream_rnn.bench.crowd import TEXT, Client, Crowd, check_room, client_frame, cut, tally
from stream_rnn.errors import StreamRnnError


def frame(payload: bytes, kind: Opcode = Opcode.TEXT) -> bytes:
    return Frame(kind, payload).serialize(mask=False, extensions=[])


@given(
    st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([bytes(126), bytes(70_000)]))),
    st.integers(1, 200),
)
def test_frames_are_cut_wherever_their_bytes_are_parted(sent: list[bytes], piece: int) -> None:
    data = b"".join(map(frame, sent))
    found, rest = list[tuple[int, bytes]](), b""
    step = piece if len(data) < 10_000 else 10_007
    for at in range(0, len(data), step):
        frames, rest = cut(rest + data[at : at + step])
        found += frames
    assert found == [(TEXT, payload) for payload in sent] and not rest


def as_a_server_reads(data: bytes) -> list[tuple[Opcode, bytes]]:
    protocol = ServerProtocol()
    protocol.receive_data(
        b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    (request,) = protocol.events_received()
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    protocol.receive_data(data)
    frames = [event for event in protocol.events_received() if isinstance(event, Frame)]
    return [(frame.opcode, bytes(frame.data)) for frame in frames]


@pytest.mark.parametrize("size", [0, 125, 126, 60_000])
def test_a_server_reads_what_they_send(size: int) -> None:
    assert as_a_server_reads(client_frame(TEXT, b"x" * size)) == [(Opcode.TEXT, b"x" * size)]


@pytest.fixture
def ends() -> Iterator[tuple[Client, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Client(ours), theirs


def symbol(n: int, due: float) -> bytes:
    return frame(b'{"type":"symbol","session":"s","n":%d,"due":%.3f,"text":"a"}' % (n, due))


def test_symbols_are_counted_and_gaps_are_seen(ends: tuple[Client, socket.socket]) -> None:
    client, theirs = ends
    crowd = Crowd("http://127.0.0.1:1")
    crowd.clients.append(client)
    crowd.measure(10.0, 20.0)
    crowd.take(client, symbol(5, 9.9), 9.9)
    data = symbol(6, 10.0) + frame(b'{"type":"paused","session":"s","position":7}')
    crowd.take(client, data[:20], 10.1)
    crowd.take(client, data[20:] + frame(b"ping", Opcode.PING) + symbol(9, 10.0), 10.2)
    crowd.take(client, symbol(9, 10.0), 10.3)
    crowd.take(client, symbol(10, 20.0), 20.0)
    assert tally(crowd.clients) == {"lost": 2, "doubled": 1}
    assert client.counted == 3 and [round(x, 3) for x in crowd.late] == [0.2, 0.2, 0.3]
    assert as_a_server_reads(theirs.recv(100)) == [(Opcode.PONG, b"ping")]
    crowd.measure(30.0, 40.0)
    assert not client.counted and not crowd.late


def test_clients_settle_when_each_has_its_session(
    ends: tuple[Client, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = ends
    crowd = Crowd("http://127.0.0.1:1")
    crowd.clients.append(client)
    monkeypatch.setattr(module, "SETTLE", 0.0)
    with pytest.raises(StreamRnnError, match="1 clients have no session"):
        crowd.settle()
    crowd.take(client, frame(b'{"type":"opened","session":"s","position":0}'), 1.0)
    crowd.settle()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (frame(b'{"type":"error","code":"bad_value","message":"too much"}'), "refused: too much"),
        (frame((1013).to_bytes(2, "big") + b"unread", Opcode.CLOSE), "closed .*: unread"),
    ],
)
def test_a_refusal_ends_the_measurement(
    ends: tuple[Client, socket.socket], data: bytes, said: str
) -> None:
    with pytest.raises(StreamRnnError, match=said):
        Crowd("http://127.0.0.1:1").take(ends[0], data, 1.0)


def test_where_there_is_no_server_it_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(StreamRnnError, match="client 1 cannot connect"):
            Crowd(f"http://127.0.0.1:{taken.getsockname()[1]}").join()


def test_too_few_files_are_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(10)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1000, 1000))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: None)
    assert descriptors.allow(4000, each=1) == 904
    with pytest.raises(StreamRnnError, match=r"open 1000 files, so at most 904 .*ulimit -Hn 4096"):
        check_room(4000)
