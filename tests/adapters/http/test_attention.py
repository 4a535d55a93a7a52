"""All clients together have a share of the time, and turns in the order in which they ask."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from stream_rnn.adapters.http.attention import REST, SHARE, STRETCH, Attention
from stream_rnn.adapters.http.reading import PIECE, Gate, Reading


class Loop:
    """An event loop whose time passes only while something is done, or waited for."""

    def __init__(self) -> None:
        self.now = 100.0
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._calls, (self.now + seconds, next(self._numbers), action))

    def run(self, until: float) -> None:
        while self._calls and self._calls[0][0] <= until:
            at, _, action = heapq.heappop(self._calls)
            self.now = max(self.now, at)
            action()
        self.now = max(self.now, until)


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def attention(loop: Loop) -> Attention:
    return Attention(loop)  # type: ignore[arg-type]


def test_who_asks_little_never_waits(loop: Loop, attention: Attention) -> None:
    for _ in range(1000):
        assert attention.is_free
        with attention.busy():
            loop.now += 0.0002
        loop.now += 0.001


def test_the_share_is_kept_to_and_turns_come_in_order(loop: Loop, attention: Attention) -> None:
    done: list[tuple[str, float]] = []

    def ask(name: str, seconds: float) -> None:
        def turn() -> None:
            with attention.busy():
                loop.now += seconds
            done.append((name, loop.now))
            ask(name, seconds)

        attention.wait(turn)

    for name in "abc":
        ask(name, 0.001)
    ask("d", 0.02)  # for whom alone all that are behind wait
    began = loop.now
    loop.run(began + 10.0)
    worked = sum(0.02 if name == "d" else 0.001 for name, _ in done)
    assert 0.7 * SHARE < worked / 10.0 <= 1.01 * SHARE
    assert "".join(name for name, _ in done[:8]) == "abcdabcd"
    # Once the saved-up time is used, the loop is free for others between two turns.
    rests = [b - a for (_, a), (_, b) in itertools.pairwise(done)]
    assert sum(rest > REST for rest in rests) > len(rests) / 5


def test_no_more_than_a_stretch_is_saved_up(loop: Loop, attention: Attention) -> None:
    loop.now += 60.0
    turns = 0
    while attention.is_free:
        with attention.busy():
            loop.now += 0.0005
        turns += 1
    assert turns * 0.0005 == pytest.approx(STRETCH / (1 - SHARE), rel=0.2)


def test_tasks_have_their_turns_too_and_one_that_is_cancelled_holds_up_nobody() -> None:
    async def scene() -> list[int]:
        attention, done = Attention(asyncio.get_running_loop()), list[int]()
        attention.charge(0.02)

        async def ask(n: int) -> None:
            await attention.turn()
            with attention.busy():
                done.append(n)

        tasks = [asyncio.create_task(ask(n)) for n in range(6)]
        await asyncio.sleep(0)
        assert not done
        tasks[0].cancel()
        tasks[3].cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks, return_exceptions=True)
        return done

    assert asyncio.run(scene()) == [1, 2, 4, 5]


class Transport:
    """What a connection is read from."""

    def __init__(self) -> None:
        self.reads, self.closing = True, False

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return self.closing


def reader(
    attention: Attention, read: Callable[[bytes], Any], may_read: Callable[[], bool] = lambda: True
) -> tuple[Transport, Gate, Reading]:
    transport = Transport()
    gate = Gate(transport)  # type: ignore[arg-type]
    return transport, gate, Reading(gate, attention, read, may_read)


def test_what_comes_is_read_in_pieces_each_in_its_turn(loop: Loop, attention: Attention) -> None:
    read: list[tuple[float, bytes]] = []

    def slowly(piece: bytes) -> None:
        loop.now += 0.003
        read.append((loop.now, piece))

    transport, _, reading = reader(attention, slowly)
    data = bytes(i % 251 for i in range(20 * PIECE + 7))
    reading.came(data)
    assert not transport.reads and len(read) < 5
    loop.run(loop.now + 1.0)
    assert b"".join(piece for _, piece in read) == data and transport.reads
    assert max(len(piece) for _, piece in read) == PIECE
    spent = read[-1][0] - read[0][0]
    assert spent >= 0.9 * (len(read) - 3) * 0.003 / SHARE


def test_nothing_is_read_while_the_protocol_wants_nothing(attention: Attention) -> None:
    read: list[bytes] = []

    def one(piece: bytes) -> None:
        read.append(piece)
        gate.pause_reading()

    transport, gate, reading = reader(attention, one)
    reading.came(b"x" * 3 * PIECE)
    assert len(read) == 1 and not transport.reads
    gate.resume_reading()
    assert len(read) == 2 and not transport.reads, "what is there comes first"
    gate.resume_reading()
    assert len(read) == 3 and not transport.reads
    gate.resume_reading()
    assert transport.reads and b"".join(read) == b"x" * 3 * PIECE


def test_who_does_not_read_is_not_read(attention: Attention) -> None:
    room, read = [True], list[bytes]()
    transport, _, reading = reader(attention, read.append, lambda: room[0])
    room[0] = False
    reading.came(b"ping")
    assert not read and not transport.reads
    room[0] = True
    reading.go_on()
    assert read == [b"ping"] and transport.reads


def test_of_a_connection_that_ends_nothing_is_read(loop: Loop, attention: Attention) -> None:
    def ends(piece: bytes) -> None:
        read.append(piece)
        transport.closing = True

    read: list[bytes] = []
    transport, _, reading = reader(attention, ends)
    reading.came(b"x" * 3 * PIECE)
    loop.run(loop.now + 1.0)
    assert len(read) == 1


def test_what_was_not_read_can_be_handed_on(attention: Attention) -> None:
    def upgrade(piece: bytes) -> None:
        assert reading.take() == b"y" * PIECE

    _, _, reading = reader(attention, upgrade)
    reading.came(b"x" * PIECE + b"y" * PIECE)
