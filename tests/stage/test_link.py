"""What the stage says to an engine, and when. `test_engines` has the rest of the conversation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from stream_rnn.engine.messages import Batch, Caution, Command, Credits
from stream_rnn.sessions.flow import Credit
from stream_rnn.stage.link import GATHER, EngineLink, rows_of


class Engine:
    """Keeps what it is told.

    Attributes:
        said: each message as its commands; credits as a dict, key to `until`.
    """

    def __init__(self) -> None:
        self.room, self.said = True, list[list[Any]]()

    def send(self, commands: Sequence[Command]) -> None:
        self.said.append([told(command) for command in commands])

    def has_room(self) -> bool:
        return self.room


def told(command: Command) -> Any:
    if not isinstance(command, Credits):
        return command
    keys, until = (np.frombuffer(c, np.int64).tolist() for c in (command.keys, command.until))
    assert np.frombuffer(command.interval).tolist() == [0.5] * len(keys)
    return dict(zip(keys, until, strict=True))


class Session:
    def __init__(self, key: int) -> None:
        self.key, self.until = key, 10 * key

    def credit(self, now: float) -> Credit:
        return Credit(self.until, 0, now, 0.5)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def link(engine: Engine) -> Any:
    return EngineLink(engine)


def test_renewed_credits_are_gathered_and_read_when_they_are_sent(
    link: Any, engine: Engine
) -> None:
    one, two, three = map(Session, (1, 2, 3))
    link.renew(one)
    assert link.next_time() <= 100.0
    link.flush(100.0)
    assert engine.said == [[{1: 10}]] and link.next_time() == math.inf
    link.renew(one)
    link.flush(100.0 + GATHER / 2)
    link.renew(two)
    one.until = 11
    link.flush(100.0 + 0.9 * GATHER)
    assert len(engine.said) == 1 and link.next_time() == 100.0 + GATHER
    link.flush(link.next_time())
    assert engine.said[1:] == [[{1: 11, 2: 20}]]
    link.renew(three)
    link.flush(101.0)
    assert engine.said[2:] == [[{3: 30}]], "after a pause, none waits"


def test_what_is_urgent_takes_them_along(link: Any, engine: Engine) -> None:
    one, two = map(Session, (1, 2))
    link.credit(one)
    link.flush(100.0)
    link.renew(one)
    link.credit(two)
    link.flush(100.001)
    assert engine.said == [[{1: 10}], [{1: 10, 2: 20}]]
    link.renew(one)
    link.be_cautious(1)
    link.flush(100.002)
    assert engine.said[2:] == [[Caution(1), {1: 10}]]
    link.renew(two)
    link.flush(100.003)
    assert len(engine.said) == 3, "what was urgent is so no longer"


def test_an_engine_without_room_is_sent_all_of_it_later(link: Any, engine: Engine) -> None:
    engine.room = False
    link.credit(Session(1))
    link.renew(Session(2))
    link.flush(100.0)
    engine.room = True
    link.flush(100.001)
    assert engine.said == [[{1: 10, 2: 20}]]


def test_one_that_is_down_is_sent_nothing_of_it(link: Any, engine: Engine) -> None:
    link.up = False
    link.credit(Session(1))
    link.renew(Session(2))
    link.flush(100.0)
    link.up = True
    link.flush(200.0)
    assert not engine.said and link.next_time() == math.inf


@pytest.mark.parametrize("width", [4, 11])
def test_a_batch_is_read_by_rows(width: int) -> None:
    columns = [np.array(c, np.int64).tobytes() for c in ([7, 8, 9], [0, 3, 0], [2**40, 1, 0])]
    symbols = b"".join(s.to_bytes(width, "little") for s in (5, 0, 2**31))
    assert list(rows_of(Batch(*columns, symbols))) == [
        (7, 0, 2**40, 5), (8, 3, 1, 0), (9, 0, 0, 2**31),
    ]  # fmt: skip
