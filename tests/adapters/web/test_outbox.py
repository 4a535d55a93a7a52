import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stream_rnn.adapters.web.outbox import Outbox
from stream_rnn.bench.crowd import cut
from stream_rnn.wire.frames import text_frame

Take = Callable[..., list[dict[str, Any]]]


class Line:
    """A client that reads while it is free.

    Attributes:
        sent: what it was sent, by way of an outbox's reader or straight.
    """

    def __init__(self, *, free: bool = False) -> None:
        self.free = free
        self.on_change: Callable[[], None] = lambda: None
        self.sent: list[bytes] = []

    def turn(self) -> None:
        """The client begins to read."""
        self.free = True
        self.on_change()

    def write(self, frame: bytes) -> None:
        self.sent.append(frame)

    async def ready(self) -> None:
        raise NotImplementedError  # it is for whoever takes frames out of the outbox


def outbox_of(**bounds: int) -> Outbox:
    """One whose client reads nothing, so that all is queued."""
    return Outbox(Line(), **bounds)


def encode(kind: str, **fields: object) -> bytes:
    return text_frame(json.dumps({"type": kind, **fields}).encode())


def decode(frame: bytes) -> dict[str, Any]:
    ((_, payload),), rest = cut(frame)
    assert not rest
    found: dict[str, Any] = json.loads(payload)
    return found


def show(outbox: Outbox, session: str, *positions: int) -> None:
    for n in positions:
        outbox.symbol(session, n, encode("symbol", session=session, n=n))


@pytest.fixture
def take() -> Iterator[Take]:
    """What a client reads now: so many messages, or all that waits."""

    async def read(outbox: Outbox, count: int) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        while len(messages) < count:
            reading = asyncio.ensure_future(outbox.next())
            await asyncio.sleep(0)
            if not reading.done():
                reading.cancel()
                break
            message = reading.result()
            if message is None:
                break
            messages.append(decode(message))
        return messages

    with asyncio.Runner() as runner:
        yield lambda outbox, count=10_000: runner.run(read(outbox, count))


def brief(messages: list[dict[str, Any]]) -> list[object]:
    """The `n` of symbols, (after, before) of gaps, and the type of everything else."""
    shown: dict[str, Callable[[dict[str, Any]], object]] = {
        "symbol": lambda m: m["n"],
        "gap": lambda m: (m["after"], m["before"]),
    }
    return [shown.get(m["type"], lambda m: m["type"])(m) for m in messages]


def test_messages_come_in_the_order_they_were_put_in(take: Take) -> None:
    outbox = outbox_of()
    outbox.tell(encode("opened"))
    show(outbox, "a", 0)
    outbox.tell(encode("paused"))
    show(outbox, "a", 1)
    assert brief(take(outbox)) == ["opened", 0, "paused", 1]
    assert take(outbox) == []


def test_symbols_beyond_the_bound_become_one_gap_that_names_its_neighbours(take: Take) -> None:
    outbox = outbox_of(symbols=3)
    show(outbox, "a", *range(10, 20))
    assert outbox.take_dropped() == 7
    assert outbox.take_dropped() == 0
    outbox.tell(encode("paused"))
    assert brief(take(outbox)) == [10, 11, 12, (12, 20), "paused"]
    show(outbox, "a", 20, 21)
    assert brief(take(outbox)) == [20, 21]


def test_each_session_has_its_own_gap(take: Take) -> None:
    outbox = outbox_of(symbols=2)
    for n in range(5):
        show(outbox, "a", n)
        show(outbox, "b", 100 + n)
    gaps = [m for m in take(outbox) if m["type"] == "gap"]
    assert [(g["session"], g["after"], g["before"]) for g in gaps] == [
        ("a", 0, 5),
        ("b", 100, 105),
    ]


def test_a_gap_grows_until_it_is_read_so_that_nothing_overtakes_it(take: Take) -> None:
    outbox = outbox_of(symbols=2)
    show(outbox, "a", 0, 1, 2)
    assert brief(take(outbox, 2)) == [0, 1]  # there is room again, but the gap still waits
    show(outbox, "a", 3, 4)
    assert brief(take(outbox, 1)) == [(1, 5)]
    show(outbox, "a", 5)
    assert brief(take(outbox)) == [5]


def test_a_rewind_among_dropped_symbols_begins_another_gap(take: Take) -> None:
    outbox = outbox_of(symbols=1)
    show(outbox, "a", 50, 51, 52)
    outbox.tell(encode("rewound"))
    show(outbox, "a", 40, 41)
    assert brief(take(outbox)) == [50, (50, 53), "rewound", (39, 42)]
    show(outbox, "a", 42)
    assert brief(take(outbox)) == [42]


def test_other_sessions_go_on_while_one_has_a_gap(take: Take) -> None:
    outbox = outbox_of(symbols=1)
    show(outbox, "a", 0, 1)
    assert brief(take(outbox, 1)) == [0]
    show(outbox, "b", 7)
    show(outbox, "a", 2)
    assert brief(take(outbox)) == [(0, 3), 7]


def test_history_is_made_only_as_it_is_read_and_in_its_place(take: Take) -> None:
    outbox = outbox_of(symbols=1)
    made: list[int] = []

    def past() -> Iterator[bytes]:
        for n in range(1000):
            made.append(n)
            yield encode("symbol", session="a", n=n)

    outbox.tell(encode("opened"))
    outbox.history(past)
    show(outbox, "a", 1000)
    assert brief(take(outbox, 3)) == ["opened", 0, 1]
    assert made == [0, 1]
    assert brief(take(outbox)) == [*range(2, 1001)]


def test_an_empty_history_is_passed_over(take: Take) -> None:
    outbox = outbox_of()
    outbox.history(lambda: iter(()))
    outbox.tell(encode("paused"))
    assert brief(take(outbox)) == ["paused"]


def test_a_client_that_reads_no_answers_is_given_up(take: Take) -> None:
    outbox = outbox_of(events=8)
    for _ in range(9):
        outbox.tell(encode("pong"))
    assert not outbox.overrun
    outbox.tell(encode("pong"))
    assert outbox.overrun
    assert take(outbox) == []


def test_symbols_never_count_as_answers(take: Take) -> None:
    outbox = outbox_of(symbols=100, events=4)
    show(outbox, "a", *range(500))
    outbox.tell(encode("pong"))
    assert not outbox.overrun
    assert len(take(outbox)) == 102


def test_a_client_is_not_heard_while_a_quarter_of_the_bound_is_unread() -> None:
    async def run() -> None:
        outbox = outbox_of(events=8)
        await outbox.room()
        for _ in range(3):
            outbox.tell(encode("pong"))
        hearing = asyncio.ensure_future(outbox.room())
        await asyncio.sleep(0)
        assert not hearing.done()
        for _ in range(3):
            await outbox.next()
        reading = asyncio.ensure_future(outbox.next())  # finds nothing more
        await hearing
        reading.cancel()

    asyncio.run(run())


def test_a_waiting_reader_is_woken() -> None:
    async def run() -> bytes | None:
        outbox = outbox_of()
        reading = asyncio.ensure_future(outbox.next())
        await asyncio.sleep(0)
        show(outbox, "a", 3)
        return await reading

    assert decode(asyncio.run(run()) or b"")["n"] == 3


def test_what_passes_is_dropped_without_a_word_where_symbols_are(take: Take) -> None:
    outbox = outbox_of(symbols=2)
    outbox.passing(encode("touch"))
    show(outbox, "a", 0)
    outbox.passing(encode("touch"))
    show(outbox, "a", 1)
    outbox.passing(encode("touch"))
    assert brief(take(outbox)) == ["touch", 0, (0, 2)]
    outbox.passing(encode("touch"))
    assert brief(take(outbox)) == ["touch"] and outbox.take_dropped() == 1


def test_while_the_client_reads_frames_go_straight_to_it(take: Take) -> None:
    line = Line(free=True)
    outbox = Outbox(line, symbols=0, events=0)
    outbox.tell(encode("opened"))
    show(outbox, "a", 0)
    outbox.passing(encode("touch"))
    assert brief([decode(frame) for frame in line.sent]) == ["opened", 0, "touch"]
    assert take(outbox) == [] and not outbox.overrun


def test_nothing_overtakes_what_waits_or_what_the_reader_still_holds() -> None:
    async def run() -> None:
        line = Line()
        outbox = Outbox(line)
        show(outbox, "a", 0)
        held = await outbox.next()  # and the client reads again, before it is written
        line.turn()
        show(outbox, "a", 1)
        assert not line.sent and decode(held or b"")["n"] == 0
        assert decode(await outbox.next() or b"")["n"] == 1
        reading = asyncio.ensure_future(outbox.next())
        await asyncio.sleep(0)
        show(outbox, "a", 2)
        assert [decode(frame)["n"] for frame in line.sent] == [2]
        reading.cancel()

    asyncio.run(run())


def test_a_history_that_waits_is_not_overtaken() -> None:
    line = Line(free=True)
    outbox = Outbox(line)
    outbox.history(lambda: iter([encode("symbol", session="a", n=0)]))
    show(outbox, "a", 1)
    assert not line.sent
