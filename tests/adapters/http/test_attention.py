"""All clients together have a share of the time, and those that have used little come first."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from stream_rnn.adapters.http.attention import DEBT, SHARE, STRETCH, Account, Attention
from stream_rnn.adapters.http.reading import PIECE, Gate


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

    def call_soon(self, action: Callable[[], None]) -> None:
        self.call_later(0.0, action)

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
    account = attention.account()
    for _ in range(1000):
        assert account.is_free
        with account.busy():
            loop.now += 0.0002
        loop.now += 0.001


class Asker:
    """A client that asks again as soon as it had its turn.

    Attributes:
        waited: seconds until each turn.
    """

    def __init__(self, loop: Loop, account: Account, seconds: float) -> None:
        self._loop, self._account, self._seconds = loop, account, seconds
        self.waited: list[float] = []
        self.worked = 0.0

    def ask(self) -> None:
        self._asked = self._loop.now
        self._account.wait(self._turn)

    def _turn(self) -> None:
        self.waited.append(self._loop.now - self._asked)
        with self._account.busy():
            self._loop.now += self._seconds
        self.worked += self._seconds
        self.ask()


def test_the_share_is_kept_to_and_divided_evenly(loop: Loop, attention: Attention) -> None:
    askers = [Asker(loop, attention.account(), seconds) for seconds in (0.001, 0.002, 0.02)]
    for asker in askers:
        asker.ask()
    loop.run(loop.now + 20.0)
    worked = [asker.worked for asker in askers]
    assert 0.7 * SHARE < sum(worked) / 20.0 <= 1.01 * SHARE
    assert max(worked) < min(worked) + 0.05, "however long one turn is"


def test_a_performer_does_not_wait_behind_fifty_floods(loop: Loop, attention: Attention) -> None:
    performer = attention.account()
    for _ in range(5000):  # who has played for long, while nobody else was there
        with performer.busy():
            loop.now += 0.0002
        loop.now += 0.01
    floods = [Asker(loop, attention.account(), 0.003) for _ in range(50)]
    for flood in floods:
        flood.ask()
    waited = list[float]()
    for _ in range(100):
        asked = loop.now

        def turn(asked: float = asked) -> None:
            waited.append(loop.now - asked)
            with performer.busy():
                loop.now += 0.0002

        performer.wait(turn)
        loop.run(loop.now + 0.5)
    assert len(waited) == 100
    assert max(waited[5:]) < 0.02, "a turn that has begun, and the rest after it"
    assert max(waited) < 0.4, "at first, those who were there before have a turn each"
    assert min(len(flood.waited) for flood in floods) > 10, "and nobody is forgotten"


def test_new_connections_without_end_hold_up_nobody(loop: Loop, attention: Attention) -> None:
    old = Asker(loop, attention.account(), 0.001)
    old.ask()

    def come() -> None:
        """Somebody who has one turn, and in whose place another one comes."""
        account = attention.account()

        def turn() -> None:
            with account.busy():
                loop.now += 0.001
            come()

        account.wait(turn)

    for _ in range(20):
        come()
    loop.run(loop.now + 1.0)
    assert len(old.waited) > 10


def test_no_more_than_a_stretch_is_saved_up(loop: Loop, attention: Attention) -> None:
    loop.now += 60.0
    account, turns = attention.account(), 0
    while account.is_free:
        with account.busy():
            loop.now += 0.0005
        turns += 1
    assert turns * 0.0005 == pytest.approx(STRETCH / (1 - SHARE), rel=0.2)


def test_a_processor_that_was_taken_away_is_not_paid_for_at_length(
    loop: Loop, attention: Attention
) -> None:
    account = attention.account()
    with account.busy():
        loop.now += 60.0
    loop.now += DEBT / SHARE + 0.001
    assert account.is_free


def test_a_turn_that_fails_does_not_hold_up_the_others(loop: Loop, attention: Attention) -> None:
    def fails() -> None:
        raise RuntimeError

    done: list[int] = []
    attention.account().wait(fails)
    attention.account().wait(lambda: done.append(1))
    with pytest.raises(RuntimeError):
        loop.run(loop.now + 1.0)
    loop.run(loop.now + 1.0)
    assert done


def test_tasks_have_their_turns_too_and_one_that_is_cancelled_holds_up_nobody() -> None:
    async def scene() -> list[int]:
        attention, done = Attention(asyncio.get_running_loop()), list[int]()
        attention.account().charge(0.02)

        async def ask(n: int) -> None:
            account = attention.account()
            await account.turn()
            with account.busy():
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
    """What a connection is read from; it does not like to be told twice, or after its end."""

    def __init__(self) -> None:
        self.reads, self.closing = True, False
        self.write: list[bytes] = []

    def pause_reading(self) -> None:
        assert self.reads and not self.closing
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads and not self.closing
        self.reads = True

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True


def opened(
    loop: Loop, attention: Attention, read: Callable[[bytes], Any]
) -> tuple[Transport, Gate]:
    transport = Transport()
    gate = Gate(transport, loop, attention.account())  # type: ignore[arg-type]
    gate.read = read
    return transport, gate


def test_what_comes_is_read_in_pieces_each_in_its_turn(loop: Loop, attention: Attention) -> None:
    read: list[tuple[float, bytes]] = []

    def slowly(piece: bytes) -> None:
        loop.now += 0.003
        read.append((loop.now, piece))

    transport, gate = opened(loop, attention, slowly)
    data = bytes(i % 251 for i in range(20 * PIECE + 7))
    gate.came(data)
    assert not transport.reads and len(read) < 5
    loop.run(loop.now + 1.0)
    assert b"".join(piece for _, piece in read) == data and transport.reads
    assert max(len(piece) for _, piece in read) == PIECE
    spent = read[-1][0] - read[0][0]
    assert spent >= 0.9 * (len(read) - 3) * 0.003 / SHARE


def test_nothing_is_read_while_the_protocol_wants_nothing(loop: Loop, attention: Attention) -> None:
    read: list[bytes] = []

    def one(piece: bytes) -> None:
        read.append(piece)
        gate.pause_reading()

    transport, gate = opened(loop, attention, one)
    gate.came(b"x" * 3 * PIECE)
    for count in (1, 2):
        assert len(read) == count and not transport.reads
        gate.resume_reading()
        gate.resume_reading()
        assert len(read) == count and not transport.reads, "what is there comes first"
        loop.run(loop.now)
    assert len(read) == 3 and not transport.reads
    gate.resume_reading()
    assert transport.reads and b"".join(read) == b"x" * 3 * PIECE


def test_a_protocol_that_wants_only_for_a_moment_gets_nothing(
    loop: Loop, attention: Attention
) -> None:
    read: list[bytes] = []
    transport, gate = opened(loop, attention, read.append)
    gate.pause_reading()
    gate.came(b"request")
    gate.resume_reading()
    gate.pause_reading()
    loop.run(loop.now)
    assert not read and not transport.reads


def test_who_does_not_read_is_not_read(loop: Loop, attention: Attention) -> None:
    room, read = [False], list[bytes]()
    transport, gate = opened(loop, attention, read.append)
    gate.may_read = lambda: room[0]
    gate.came(b"ping")
    assert not read and not transport.reads
    room[0] = True
    gate.go_on()
    assert read == [b"ping"] and transport.reads


@pytest.mark.parametrize("when", ["reading", "waiting"])
def test_of_a_connection_that_ends_nothing_is_read(
    loop: Loop, attention: Attention, when: str
) -> None:
    def ends(piece: bytes) -> None:
        read.append(piece)
        transport.closing = when == "reading"
        loop.now += 1.0  # so that the next piece has to wait

    read: list[bytes] = []
    transport, gate = opened(loop, attention, ends)
    gate.came(b"x" * 3 * PIECE)
    transport.closing = True
    loop.run(loop.now + 9.0)
    gate.pause_reading()
    gate.resume_reading()
    loop.run(loop.now + 9.0)
    assert len(read) == 1


@pytest.mark.parametrize("waits", [False, True])
def test_a_protocol_that_fails_loses_its_connection_and_holds_up_nobody(
    loop: Loop, attention: Attention, waits: bool
) -> None:
    def fails(piece: bytes) -> None:
        raise RuntimeError

    read: list[bytes] = []
    (bad, first), (_, second) = opened(loop, attention, fails), opened(loop, attention, read.append)
    if waits:
        attention.account().charge(1.0)
        first.came(b"x")
        second.came(b"y")
        with pytest.raises(RuntimeError):
            loop.run(loop.now + 1.0)
        loop.run(loop.now + 1.0)
    else:
        with pytest.raises(RuntimeError):
            first.came(b"x")
        second.came(b"y")
    assert bad.closing and read == [b"y"]


def test_who_reads_next_begins_with_what_was_put_back(loop: Loop, attention: Attention) -> None:
    read: list[bytes] = []

    def upgrade(piece: bytes) -> None:
        gate.read = read.append
        gate.put_back(piece[-1:])

    _, gate = opened(loop, attention, upgrade)
    gate.came(b"x" * (PIECE - 1) + b"y" * (PIECE + 1))
    assert read == [b"y", b"y" * PIECE]
