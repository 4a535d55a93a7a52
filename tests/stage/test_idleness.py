"""Sessions that nobody views give way to others, and the past of all takes a bounded memory."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import asdict
from support import Ear, House

from stream_rnn.config import LimitsConfig
from stream_rnn.sessions import journal as journal_module
from stream_rnn.sessions.status import Status
from stream_rnn.stage import idleness
from stream_rnn.stage.idleness import size, trim_histories, trim_states
from stream_rnn.stage.limits import Limits
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events


@pytest.fixture
def house(models: Path) -> House:
    return House(models, limits=Limits(sessions=4, sessions_per_viewer=3))


class HouseSink(Ear):
    """A sink that views everything, such as a MIDI port."""

    def wants(self, session: str) -> bool:
        return True

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        pass

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        pass

    def panic(self) -> None:
        pass


def opened(house: House, *names: str, play: bool = True) -> Ear:
    ear = house.join()
    for name in names:
        house.say(ear, "open", model="verse", session=name, seed=1, play=play)
    assert not ear.of("error")
    return ear


def leave(house: House, ear: Ear) -> None:
    house.stage.leave(ear, house.clock.now())
    house.run(0.1)


def status(house: House) -> dict[str, str]:
    return {name: session.status.value for name, session in house.stage.sessions.items()}


def test_what_was_left_longest_gives_way_but_nothing_that_is_viewed(house: House) -> None:
    a, b, c = opened(house, "a"), opened(house, "b"), opened(house, "c", "d")
    leave(house, b)
    leave(house, a)
    opened(house, "e")
    assert status(house) == {
        "a": "playing", "b": "away", "c": "playing", "d": "playing", "e": "playing",
    }  # fmt: skip
    opened(house, "f")
    assert status(house)["a"] == "away"
    full = house.join()
    house.say(full, "open", model="verse", session="g")
    assert full.last("error")["code"] == "too_many_sessions"
    house.say(full, "attach", session="a")  # nor is there room for an evicted one
    assert full.last("error")["code"] == "too_many_sessions"
    assert not c.of("paused")


def test_a_paused_one_gives_way_before_one_that_plays(house: House) -> None:
    a, b = opened(house, "a"), opened(house, "b", play=False)
    opened(house, "c", "d")
    leave(house, a)
    leave(house, b)
    opened(house, "e")
    assert (status(house)["a"], status(house)["b"]) == ("playing", "away")


def test_what_gave_way_is_brought_back_by_its_name_and_goes_on(house: House) -> None:
    ear = opened(house, "a")
    house.run(2.0)
    leave(house, ear)
    opened(house, "b", "c", "d")
    other = opened(house, "e")
    position = house.stage.sessions["a"].position
    leave(house, other)
    back = house.join()
    house.say(back, "attach", session="a", after=-1)
    house.run(1.0)
    alone = House(house.models)
    whole = alone.join()
    alone.say(whole, "open", model="verse", session="a", seed=1)
    alone.run(5.0)
    heard = back.stream("a")
    assert back.last("opened")["position"] == position > 30
    assert heard == whole.stream("a")[: len(heard)] and len(heard) > position + 10


def test_a_client_that_vanished_with_all_it_opened_leaves_room(models: Path) -> None:
    house = House(models, limits=Limits(sessions=8))
    for round_ in range(3):
        ear = opened(house, *(f"{round_}-{n}" for n in range(8)))
        leave(house, ear)
    assert sum(s == "playing" for s in status(house).values()) == 8
    assert len(status(house)) == 24


def test_one_client_may_still_open_only_so_many(house: House) -> None:
    ear = opened(house, "a", "b", "c")
    house.say(ear, "open", model="verse", session="d")
    assert "one client may open 3" in ear.last("error")["message"]


def test_an_opening_that_is_refused_makes_nobody_give_way(house: House) -> None:
    ear = opened(house, "a", "b")
    opened(house, "c", "d")
    leave(house, ear)
    other = house.join()
    for wrong in ({"session": "c"}, {"controls": {"temperature": -1}}, {"prime": "x" * 5000}):
        house.say(other, "open", **{"model": "verse", "session": "e", **wrong})
    assert len(other.of("error")) == 3
    assert "away" not in status(house).values()


def test_what_plays_for_the_house_stays_and_what_is_paused_there_may_go(house: House) -> None:
    house.stage.add_sink(HouseSink())
    ears = [opened(house, name) for name in "abcd"]
    for ear in ears:
        leave(house, ear)
    full = house.join()
    house.say(full, "open", model="verse", session="e")
    assert full.last("error")["code"] == "too_many_sessions"
    house.say(full, "pause", session="b")
    house.say(full, "open", model="verse", session="e")
    assert status(house) == {
        "a": "playing", "b": "away", "c": "playing", "d": "playing", "e": "playing",
    }  # fmt: skip


def test_one_that_is_brought_back_unseen_is_not_put_away_at_once(house: House) -> None:
    ear = opened(house, "a")
    leave(house, ear)
    house.clock.advance(5000)
    for _ in range(2):
        house.stage.sweep(house.clock.now())
    assert status(house) == {"a": "away"}
    house.say(ear, "control", session="a", controls={"temperature": 2})
    house.stage.sweep(house.clock.now() + 1)
    assert status(house) == {"a": "paused"}


@pytest.mark.slow
def test_one_that_is_put_away_keeps_little_and_goes_on_the_same(models: Path) -> None:
    house = House(models, limits=Limits(idle_pause=1, idle_away=2))
    ear = opened(house, "a")
    for _ in range(40):
        house.say(ear, "feed", session="a", symbols="abc " * 64)
        house.run(0.3)
        house.say(ear, "control", session="a", controls={"temperature": 1.1})
    session = house.stage.sessions["a"]
    assert session.position > 10_000 and session.journal.states > 2
    before, expected = size(session), session.position
    leave(house, ear)
    house.clock.advance(10)
    house.stage.sweep(house.clock.now())
    assert session.status is Status.EVICTED
    assert size(session) < before / 1.5
    assert (session.journal.states, len(session.journal) < 6000) == (1, True)
    house.say(ear, "attach", session="a", after=expected - 1)
    house.run(0.5)
    assert house.stage.sessions["a"].position > expected and not ear.of("error")


def test_those_put_away_are_forgotten_oldest_first_when_they_take_too_much(models: Path) -> None:
    house = House(models, limits=Limits(idle_pause=1, idle_away=2, away_mb=0.002))
    for name in "dabc":
        leave(house, opened(house, name))
    house.run(0.5)
    house.clock.advance(10)
    house.stage.sweep(house.clock.now())
    house.stage.sweep(house.clock.now())
    names = list(status(house))
    assert 0 < len(names) < 4
    assert names == ["d", "a", "b", "c"][-len(names) :]


def journals(house: House, *names: str) -> list[int]:
    return [house.stage.sessions[name].journal.states for name in names]


def test_states_of_all_together_have_a_bound(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "APART", 1)
    opened(house, "a", "b")
    sessions = [house.stage.sessions[name] for name in "ab"]
    for session, count in zip(sessions, (90, 10), strict=True):
        for _ in range(count):
            session.journal.append(1, 0.0, fed=True)
            session.journal.keep_snapshot(session.position, bytes(1000))
    trim_states(sessions, 0.2)
    assert journals(house, "a", "b") == [90, 10]
    trim_states(sessions, 0.05)
    assert sum(journals(house, "a", "b")) <= 50
    assert journals(house, "b") == [10]  # a session with few states keeps them
    assert sessions[0].journal.snapshot_before(sessions[0].position) == (90, bytes(1000))
    trim_states(sessions, 0.0)
    assert min(journals(house, "a", "b")) >= 2


def test_symbols_of_all_together_have_a_bound_and_the_longest_give(house: House) -> None:
    opened(house, "a", "b")
    sessions = [house.stage.sessions[name] for name in "ab"]
    for session, count in zip(sessions, (9000, 3000), strict=True):
        for _ in range(count):
            session.journal.append(1, 0.0, fed=True)
        session.journal.keep_snapshot(session.position, b"state")
    total = sum(s.journal.size + s.log.size for s in sessions)
    trim_histories(sessions, total / 1e6)
    assert [len(s.journal) for s in sessions] == [9000, 3000]
    trim_histories(sessions, 0.9 * total / 1e6)
    assert [len(s.journal) for s in sessions] == [6750, 3000]
    assert sessions[0].journal.first == 2250 and sessions[0].journal.position == 9000
    for _ in range(20):
        trim_histories(sessions, 0.0)
    assert min(len(s.journal) for s in sessions) >= 2000


def test_changes_of_controls_count_among_the_symbols(house: House) -> None:
    opened(house, "a")
    session = house.stage.sessions["a"]
    for n in range(1, 4001):
        session.log.add(n, {"seed": n})
    assert size(session) >= session.log.size > 4000 * 600
    trim_histories([session], 1.0)
    assert 500 < len(session.log) < 3100 and session.log.at(4000).seed == 4000


def test_the_limits_of_the_configuration_are_those_of_a_stage() -> None:
    assert Limits(**asdict(LimitsConfig())) == Limits()


def test_memory_that_sessions_let_go_is_given_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(journal_module, "APART", 1)
    monkeypatch.setattr(idleness, "return_memory", lambda: given.append(1))
    ear = opened(house, "a", "b")
    journal = house.stage.sessions["a"].journal
    for _ in range(50):
        journal.append(1, 0.0, fed=True)
        journal.keep_snapshot(journal.position, bytes(100_000))
    house.stage.sweep(house.clock.now())
    house.stage.sweep(house.clock.now())
    assert not given
    house.say(ear, "close", session="b")
    house.stage.sweep(house.clock.now())
    assert not given  # that was little
    house.say(ear, "close", session="a")
    for _ in range(3):
        house.stage.sweep(house.clock.now())
    assert given == [1]


def test_a_session_may_give_way_to_its_own_fork_which_plays_on(models: Path) -> None:
    house = House(models, limits=Limits(sessions=1))
    leave(house, opened(house, "a"))
    ear = house.join()
    house.say(ear, "fork", session="a", **{"as": "b"})
    assert status(house) == {"a": "away", "b": "playing"}
    house.run(1.0)
    assert len(ear.of("symbol", "b")) > 10
