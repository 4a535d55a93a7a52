"""A viewer that was away, or is slow, never takes a symbol of one past for one of another."""

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from support import Ear, House

from stream_rnn.adapters.web.outbox import Outbox
from stream_rnn.sessions.epochs import KEPT, Epochs
from stream_rnn.stage.limits import Limits
from stream_rnn.wire import events


@pytest.fixture
def house(models: Path) -> House:
    return House(models, limits=Limits(history=400))


class SlowEar(Ear):
    """A viewer that reads its history when `read` is called, as a slow connection does."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: list[events.Event | Iterator[events.Past]] = []

    def tell(self, event: events.Event) -> None:
        self.queue.append(event)

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        self.queue.append(past())

    def read(self, most: int = 10**9) -> None:
        while self.queue and most:
            first = self.queue[0]
            item = first if isinstance(first, events.Event) else next(first, None)
            if item is None or item is first:
                self.queue.pop(0)
            if item is not None:
                super().tell(item)
                most -= 1


def client_view(messages: list[dict[str, Any]]) -> dict[int, str]:
    """The text, by position, that a client which follows the protocol has at the end. Also checks
    that symbols come in order, and that each is of the epoch that the client was last told.
    """
    text: dict[int, str] = {}
    n, epoch = None, 0
    for m in messages:
        match m["type"]:
            case "opened":
                epoch = m["epoch"]
            case "reset" | "rewound":
                epoch, n = m["epoch"], m["position"]
                text = {k: v for k, v in text.items() if k < n}
            case "gap":
                assert n is None or m["after"] + 1 == n
                n = m["before"]
            case "symbol":
                assert n is None or m["n"] == n
                assert m.get("epoch", 0) == epoch
                n = m["n"] + 1
                text[m["n"]] = m["text"]
    return text


def true_text(house: House, name: str) -> dict[int, str]:
    session = house.stage.sessions[name]
    return {
        c.n: session.codec.event(c.symbol)["text"] for c in session.since(session.journal.first)
    }


def test_every_new_past_is_told_by_its_number(house: House) -> None:
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=1, controls={"rate": 100})
    house.run(0.5)
    assert ear.last("opened")["epoch"] == 0
    assert not any("epoch" in m for m in ear.of("symbol"))  # as it always was
    house.say(ear, "rewind", session="s", to=5)
    assert ear.last("rewound")["epoch"] == 1
    house.run(0.2)
    assert ear.last("symbol")["epoch"] == 1
    house.say(ear, "reset", session="s")
    assert ear.last("reset")["epoch"] == 2
    late = house.join()
    house.say(late, "attach", session="s")
    assert late.last("opened")["epoch"] == 2
    house.say(ear, "fork", session="s", **{"as": "t"})
    assert ear.last("opened")["epoch"] == 0


def test_who_was_away_while_it_was_rewound_is_told_where_the_pasts_part(house: House) -> None:
    ear, other = house.join(), house.join()
    house.say(ear, "open", model="verse", session="s", seed=1, controls={"rate": 100})
    house.run(0.5)
    seen = ear.last("symbol")["n"]
    house.stage.leave(ear, house.clock.now())
    house.say(other, "attach", session="s")
    house.say(other, "control", session="s", controls={"temperature": 3, "seed": 7})
    house.say(other, "rewind", session="s", to=12)
    house.say(other, "control", session="s", controls={"seed": 9})
    house.run(0.3)
    house.say(other, "rewind", session="s", to=17)
    house.run(0.6)
    house.say(ear, "attach", session="s", after=seen, epoch=0)
    kinds = [m["type"] for m in ear.messages[-100:] if m["type"] in ("opened", "rewound")]
    assert kinds[-2:] == ["opened", "rewound"]
    assert ear.last("rewound")["position"] == 12
    assert ear.last("rewound")["epoch"] == ear.last("opened")["epoch"] == 2
    house.run(0.2)
    assert client_view(ear.messages) == true_text(house, "s")


def test_what_was_seen_before_the_pasts_parted_still_holds(house: House) -> None:
    ear, other = house.join(), house.join()
    house.say(ear, "open", model="verse", session="s", seed=1, controls={"rate": 100})
    house.run(0.5)
    house.say(ear, "rewind", session="s", to=20)
    house.run(0.2)
    house.say(other, "attach", session="s", after=10, epoch=0)
    assert not other.of("rewound")
    assert [m["n"] for m in other.of("symbol")][0] == 11
    house.say(other, "attach", session="s", after=19, epoch=1)
    assert not other.of("rewound")


@pytest.mark.parametrize("epoch", [0, 9])
def test_a_position_that_the_new_past_has_not_reached_is_no_error(house: House, epoch: int) -> None:
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=1, controls={"rate": 100})
    house.run(0.5)
    seen = ear.last("symbol")["n"]
    house.say(ear, "reset", session="s")
    house.say(ear, "attach", session="s", after=seen)
    assert ear.last("error")["code"] == "bad_position"
    house.say(ear, "attach", session="s", after=seen, epoch=epoch)
    assert (ear.last("rewound")["position"], ear.last("rewound")["epoch"]) == (0, 1)
    assert len(ear.of("error")) == 1


def test_an_epoch_without_after_is_refused(house: House) -> None:
    ear = house.join()
    house.say(ear, "open", model="verse", session="s")
    house.say(ear, "attach", session="s", epoch=0)
    assert (ear.last("error")["code"], ear.last("error")["field"]) == ("bad_value", "epoch")


def test_a_slow_reader_is_told_what_is_let_go_while_it_reads(house: House) -> None:
    ear, slow = house.join(), SlowEar()
    house.say(ear, "open", model="verse", session="s", seed=1, controls={"rate": 100})
    house.say(ear, "feed", session="s", symbols="a" * 300)
    house.say(slow, "attach", session="s", after=-1)
    slow.read(50)
    for _ in range(4):
        house.say(ear, "feed", session="s", symbols="b" * 200)
        house.engine.pump(house.clock.now())  # the journal keeps what is not computed
    first = house.stage.sessions["s"].journal.first
    assert first > 300
    slow.read()
    gaps = slow.of("gap")
    assert [(g["after"] >= 48, g["before"]) for g in gaps][0] == (True, 300)
    text = client_view(slow.messages)
    assert {n: text[n] for n in text if n >= first} == true_text(house, "s")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_while_a_slow_reader_reads_it_ends_with_the_true_past(
    house: House, seed: int
) -> None:
    dice = random.Random(seed)
    ear, slow = house.join(), SlowEar()
    house.say(ear, "open", model="verse", session="s", seed=1, controls={"rate": 200})
    house.run(1.0)
    house.say(slow, "attach", session="s", after=-1)
    for _ in range(25):
        session = house.stage.sessions["s"]
        match dice.choice(["run", "read", "rewind", "feed", "reset", "read", "run"]):
            case "run":
                house.run(dice.random() * 0.5)
            case "read":
                slow.read(dice.randrange(120))
            case "rewind":
                to = dice.randint(session.journal.earliest(), session.position)
                if session.journal.first == 0 or session.journal.snapshot_before(to):
                    house.say(ear, "rewind", session="s", to=to)
            case "feed":
                house.say(ear, "feed", session="s", symbols="x" * dice.randrange(1, 300))
            case "reset":
                if dice.random() < 0.3:
                    house.say(ear, "reset", session="s")
    slow.read()
    held, true = client_view(slow.messages), true_text(house, "s")
    assert {n: held[n] for n in held if n in true} == {n: true[n] for n in held if n in true}
    last = max(true, default=None)
    assert last is None or held[last] == true[last]


def test_of_many_pasts_little_is_kept_and_no_parting_is_told_too_late() -> None:
    dice, epochs = random.Random(2), Epochs()
    began: list[int] = []
    for _ in range(3000):
        began.append(dice.randrange(10**6))
        epochs.begin(began[-1])
        assert len(epochs._partings) <= KEPT
    for i in range(20):
        began.append(10**6 + i)  # rising, so none ends another
        epochs.begin(began[-1])
    for epoch in range(epochs.now):
        told = epochs.parting(epoch)
        assert told is not None and told <= min(began[epoch:])
        if epoch >= epochs.now - 20:
            assert told == began[epoch]
    assert epochs.parting(epochs.now) is None
    assert epochs.parting(epochs.now + 1) == 0


def test_rising_partings_beyond_what_is_kept_are_told_as_earlier_ones() -> None:
    epochs = Epochs()
    for position in range(3 * KEPT):
        epochs.begin(position)
    assert len(epochs._partings) == KEPT
    for epoch in range(3 * KEPT):
        told = epochs.parting(epoch)
        assert told is not None and told <= epoch


def test_a_gap_ends_where_a_new_past_begins() -> None:
    class Line:
        free, on_change = False, None

    outbox = Outbox(cast(Any, Line()), symbols=0)
    outbox.symbol("s", 5, b"")
    outbox.tell(b"rewound to 6")
    outbox.symbol("s", 6, b"", 1)

    async def read() -> list[bytes | None]:
        return [await outbox.next() for _ in range(3)]

    told = asyncio.run(read())
    assert [b'"after":4,"before":6' in (told[0] or b""), told[1]] == [True, b"rewound to 6"]
    assert b'"after":5,"before":7' in (told[2] or b"")
