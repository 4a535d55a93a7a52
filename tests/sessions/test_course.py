from __future__ import annotations

from pathlib import Path

import pytest
from support import Ear, House

from stream_rnn.engine import messages as engine
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.course import AHEAD, FORKS, PART, Course
from stream_rnn.sessions.session import MOST_BEHIND
from stream_rnn.stage import link as engine_link
from stream_rnn.stage.limits import Limits

FEED = "abcdefgh" * 512


def test_a_long_past_is_told_in_parts_as_the_engine_comes_through_them() -> None:
    course, stop, told, most = Course(), 100_000, 0, 0
    course.begin(1, 0, stop)
    reached = 0
    while course.untold is not None or reached < stop:
        while (part := course.next_part(stop)) is not None:
            assert part[0] == told and part[1] - part[0] <= PART
            told = part[1]
        most = max(most, told - reached)
        reached = min(reached + 256, told)
        course.came(1, reached // 256 * 256)
    assert told == stop and most <= AHEAD
    assert course.next_part(stop) is None


def test_states_of_an_older_plan_hold_up_to_where_the_pasts_part() -> None:
    course = Course()
    for generation, position in ((1, 0), (2, 100), (3, 300), (4, 200)):
        course.turn(generation, position)
    assert [course.holds(g, 150) for g in (0, 1, 2, 3, 4)] == [False, False, True, True, True]
    assert [course.holds(g, 250) for g in (2, 3, 4)] == [False, False, True]


def test_of_plans_too_long_ago_nothing_holds() -> None:
    course = Course()
    for n in range(3 * FORKS):
        course.turn(n, n * 10)
    assert not course.holds(0, 0) and not course.holds(FORKS, 5)
    assert course.holds(3 * FORKS - 2, 10)


class Pipe:
    """Stands between a stage and its engine: counts what passes, and may be full."""

    def __init__(self, house: House) -> None:
        self.house, self.full, self.sent, self.largest = house, False, 0, 0
        house.link.engine = self

    def has_room(self) -> bool:
        return not self.full

    def send(self, commands: list[engine.Command]) -> None:
        assert not self.full
        size = len(engine.encode(commands))
        self.sent, self.largest = self.sent + size, max(self.largest, size)
        self.house.engine.send(commands)

    def waiting(self) -> int:
        waiting = self.house.link._waiting
        return sum(len(engine.encode(commands)) for commands in waiting.values())


def fed(house: House, times: int) -> Ear:
    ear = house.join()
    house.say(ear, "open", model="verse", session="a", seed=3, play=False)
    for _ in range(times):
        house.say(ear, "feed", session="a", symbols=FEED)
        house.engine.pump(house.clock.now())
    return ear


def test_fed_stretches_have_states_even_if_one_feed_follows_the_other(models: Path) -> None:
    house = House(models)
    ear = house.join()
    house.say(ear, "open", model="verse", session="a", seed=3, play=False)
    for _ in range(12):
        house.say(ear, "feed", session="a", symbols=FEED[:1000])
        house.engine.pump(house.clock.now(), most=700)  # it lags, and plans overtake its states
    house.engine.pump(house.clock.now())
    journal = house.stage.sessions["a"].journal
    kept = {journal.snapshot_before(n)[0] for n in range(256, 12_001, 64)}  # type: ignore[index]
    assert kept == {*range(256, 12_001, 256), 11_968}, "the newest, too"


def test_a_rewind_into_a_long_past_sends_little_and_plays_what_was_there(models: Path) -> None:
    house = House(models)
    pipe, ear = Pipe(house), fed(house, 5)
    session = house.stage.sessions["a"]
    session.journal._snapshots.clear()  # as if no state were near
    pipe.largest = 0
    house.say(ear, "rewind", session="a", to=20_000)
    assert pipe.largest < 5 * PART
    house.engine.pump(house.clock.now())
    assert session.course.untold is None and pipe.largest < 5 * PART
    house.say(ear, "step", session="a", count=20)
    house.engine.pump(house.clock.now())
    other = house.join()
    house.say(other, "open", model="verse", session="b", seed=3, play=False)
    for start in range(0, 20_000, 4000):
        text = (FEED * 5)[start : start + 4000]
        house.say(other, "feed", session="b", symbols=text)
        house.engine.pump(house.clock.now())
    house.say(other, "step", session="b", count=20)
    house.engine.pump(house.clock.now())
    assert ear.stream("a")[-20:] == other.stream("b")[-20:]


def test_what_changes_while_a_past_is_still_being_told_holds_afterwards(models: Path) -> None:
    house = House(models)
    ear = fed(house, 1)
    house.say(ear, "feed", session="a", symbols=FEED)  # nobody has pumped: parts wait
    assert house.stage.sessions["a"].course.untold is not None
    house.say(ear, "control", session="a", controls={"temperature": 0})
    house.say(ear, "feed", session="a", symbols="abc")
    house.say(ear, "control", session="a", controls={"artist": "Bo"})
    house.say(ear, "step", session="a", count=30)
    house.run(0.1)
    other = fed(house, 0)
    house.say(other, "open", model="verse", session="b", seed=3, play=False)
    for text in (FEED, FEED):
        house.say(other, "feed", session="b", symbols=text)
        house.engine.pump(house.clock.now())
    house.say(other, "control", session="b", controls={"temperature": 0})
    house.say(other, "feed", session="b", symbols="abc")
    house.engine.pump(house.clock.now())
    house.say(other, "control", session="b", controls={"artist": "Bo"})
    house.say(other, "step", session="b", count=30)
    house.engine.pump(house.clock.now())
    assert ear.stream("a")[-30:] == other.stream("b")[-30:]


def test_while_the_engine_has_no_room_little_waits_for_each_session(models: Path) -> None:
    house = House(models)
    pipe, ear = Pipe(house), fed(house, 2)
    pipe.full = True
    for n in range(300):
        house.say(ear, "rewind", session="a", to=8192 - n)
        house.say(ear, "control", session="a", controls={"temperature": n / 300})
        house.say(ear, "feed", session="a", symbols="abcd")
    assert pipe.waiting() < 100_000
    for n in range(300):
        house.say(ear, "control", session="a", controls={"temperature": n / 300})
    assert len(house.link._waiting) == 1
    assert pipe.waiting() < engine_link.MOST_WAITING * 5 * PART
    pipe.full = False
    house.run(0.2)
    house.say(ear, "step", session="a", count=5)
    house.run(0.2)
    assert len(ear.of("symbol")) >= 5 and not ear.of("error")


def test_more_than_the_engine_can_come_through_is_refused_and_nothing_is_lost(
    models: Path,
) -> None:
    house = House(models, limits=Limits(history=10_000))
    ear = house.join()
    house.say(ear, "open", model="verse", session="a", play=False)
    for _ in range(12):
        house.say(ear, "feed", session="a", symbols=FEED)
    session = house.stage.sessions["a"]
    assert session.position == MOST_BEHIND and session.journal.first == 0
    assert {m["code"] for m in ear.of("error")} == {"bad_state"}
    house.engine.pump(house.clock.now())
    for _ in range(2):
        house.say(ear, "feed", session="a", symbols=FEED)
        house.engine.pump(house.clock.now())
    assert session.journal.first > 20_000, "what can be gone on from is let go at last"
    house.lose_engine()
    house.start_engine()
    house.regain_engine()
    house.say(ear, "step", session="a", count=5)
    house.run(0.2)
    assert session.position == MOST_BEHIND + 2 * 4096 + 5


def test_a_past_that_cannot_be_gone_on_from_is_an_error_to_who_asks(models: Path) -> None:
    house = House(models, limits=Limits(history=1000))
    ear = fed(house, 2)
    session = house.stage.sessions["a"]
    assert session.journal.first > 0
    session.journal._snapshots.clear()
    house.say(ear, "rewind", session="a", to=8192)
    house.say(ear, "fork", session="a", **{"as": "b"})
    assert [m["code"] for m in ear.of("error")] == ["bad_position"] * 2
    with pytest.raises(ProtocolError, match="too little of the past"):
        session.restore_plan()
    house.lose_engine()
    house.start_engine()
    house.regain_engine()
    assert ear.last("error")["code"] == "internal"
    assert ear.last("closed") | {"reason": "internal"} == ear.last("closed")
    assert not house.stage.sessions
