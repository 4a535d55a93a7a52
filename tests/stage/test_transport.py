"""Sessions that follow an external tempo: a whole stage, on a clock that the test moves."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
from support import Ear, House

from stream_rnn.sessions.tempo import Tempo
from stream_rnn.stage.transport import TransportFollower

PER_BEAT = 4  # of the tests' models


@pytest.fixture
def follower(house: House) -> TransportFollower:
    house.stage.tempi.offer("midi")
    house.stage.tempi.offer("link")
    return TransportFollower(house.stage)


def dues(ear: Ear, session: str = "a") -> list[tuple[int, float]]:
    """(n, due) of the symbols that were not fed."""
    return [(m["n"], m["due"]) for m in ear.of("symbol", session) if not m.get("fed")]


def steps(ear: Ear, tempo: Tempo, session: str = "a") -> list[tuple[int, float]]:
    """(n, step of the grid) of the symbols that were not fed."""
    return [(n, tempo.beat_at(due) * PER_BEAT) for n, due in dues(ear, session)]


def in_phase(heard: list[tuple[int, float]], cycle: int) -> bool:
    """Whether each symbol stands on the step of the beat that its position asks for."""
    return all(abs(math.remainder(step - n, cycle)) < 1e-4 for n, step in heard)


def open_following(house: House, ear: Ear, source: str = "midi", **fields: object) -> None:
    house.say(ear, "open", model="roll", session="a", seed=1, controls={"sync": source}, **fields)


def test_a_session_falls_on_the_beat_from_the_bar_on(
    house: House, follower: TransportFollower
) -> None:
    tempo = Tempo(97.0, 13.37, house.clock.now())
    follower.set_tempo("midi", tempo, house.clock.now())
    ear = house.join()
    open_following(house, ear)
    house.run(6)
    heard = steps(ear, tempo)
    first = heard[0][1]
    assert heard[0][0] == 0 and first == pytest.approx(64, abs=1e-4)  # beat 16 begins a bar
    assert [step - first for _, step in heard] == pytest.approx(range(len(heard)), abs=1e-4)
    assert len(heard) > 20


def test_what_is_in_force_shows_the_tempo_that_is_followed(
    house: House, follower: TransportFollower
) -> None:
    follower.set_tempo("midi", Tempo(90.0, 0.0, house.clock.now()), house.clock.now())
    ear = house.join()
    open_following(house, ear)
    assert ear.last("opened")["controls"]["bpm"] == 90.0
    assert ear.last("opened")["controls"]["rate"] == pytest.approx(6.0)
    house.say(ear, "control", session="a", controls={"bpm": 200, "temperature": 0.5})
    shown = ear.last("controlled")["controls"]
    assert (shown["bpm"], shown["temperature"], shown["sync"]) == (90.0, 0.5, "midi")
    house.say(ear, "control", session="a", controls={"sync": "free"})
    assert ear.last("controlled")["controls"]["bpm"] == 200.0  # what was asked for meanwhile
    house.run(1)
    times = [due for _, due in dues(ear)]
    assert times[-1] - times[-2] == pytest.approx(60 / 200 / PER_BEAT)


def test_a_change_for_the_bar_falls_on_a_bar_of_the_music(
    house: House, follower: TransportFollower
) -> None:
    tempo = Tempo(240.0, 0.5, house.clock.now())
    follower.set_tempo("midi", tempo, house.clock.now())
    ear = house.join()
    open_following(house, ear)
    house.run(3)
    house.say(ear, "control", session="a", controls={"temperature": 0.2}, at="bar")
    position = ear.last("controlled")["position"]
    house.run(3)
    assert math.remainder(dict(steps(ear, tempo))[position], 4 * PER_BEAT) == pytest.approx(
        0.0, abs=1e-4
    )


def test_a_tempo_that_changes_is_followed_from_the_next_symbol_on(
    house: House, follower: TransportFollower
) -> None:
    now = house.clock.now()
    follower.set_tempo("link", Tempo(120.0, 0.0, now), now)
    ear = house.join()
    open_following(house, ear, "link")
    house.run(4)
    now = house.clock.now()
    faster = Tempo(180.0, Tempo(120.0, 0.0, 1000.0).beat_at(now), now)
    count = len(dues(ear))
    follower.set_tempo("link", faster, now)
    assert ear.last("controlled")["changed"] == ["bpm", "rate"]
    assert ear.last("controlled")["controls"]["bpm"] == 180.0
    house.run(3)
    heard = steps(ear, faster)[count:]
    assert [step for _, step in heard] == pytest.approx(
        range(round(heard[0][1]), round(heard[0][1]) + len(heard)), abs=1e-4
    )
    assert in_phase(heard, PER_BEAT)
    assert all(b - a > 0.06 for (_, a), (_, b) in pairwise(dues(ear)))


def test_viewers_are_not_told_of_every_tremor(house: House, follower: TransportFollower) -> None:
    ear = house.join()
    open_following(house, ear, "midi")
    before = len(ear.of("controlled"))
    for i in range(400):
        now = house.clock.now()
        follower.set_tempo("midi", Tempo(120.0 + 0.02 * (i % 3), now * 2, now), now)
        house.run(0.02, step=0.01)
    assert len(ear.of("controlled")) - before == 1
    for i in range(400):  # nor of more than two a second, of a tempo that sways
        now = house.clock.now()
        follower.set_tempo("midi", Tempo(120.0 + 0.3 * (i % 3), now * 2, now), now)
        house.run(0.02, step=0.01)
    assert 2 <= len(ear.of("controlled")) - before <= 18


def test_after_a_feed_the_stream_goes_on_at_its_place_in_the_beat(
    house: House, follower: TransportFollower
) -> None:
    tempo = Tempo(120.0, 0.0, house.clock.now())
    follower.set_tempo("midi", tempo, house.clock.now())
    ear = house.join()
    open_following(house, ear)
    house.run(4)
    house.say(ear, "feed", session="a", symbols=[[60]] * 6)
    last = dues(ear)[-1][1]
    house.run(2)
    heard = steps(ear, tempo)
    assert in_phase(heard, PER_BEAT)
    (_, due), *_ = [(n, due) for n, due in dues(ear) if due > last]
    assert due - last == pytest.approx((1 + 6 % PER_BEAT) * 0.125)


def test_a_tempo_that_is_none_is_passed_over_and_one_that_ends_leaves_the_own(
    house: House, follower: TransportFollower
) -> None:
    now = house.clock.now()
    ear = house.join()
    open_following(house, ear)
    for broken in (Tempo(0.0, 0, now), Tempo(float("nan"), 0, now), Tempo(120, float("inf"), now)):
        follower.set_tempo("midi", broken, now)
    assert house.stage.sessions["a"].tempo is None
    follower.set_tempo("midi", Tempo(60.0, 0, now), now)
    house.run(6)
    follower.set_tempo("midi", None, house.clock.now())
    assert ear.last("controlled")["controls"]["rate"] == 20.0  # the model's
    count = len(dues(ear))
    house.run(2)
    assert len(dues(ear)) - count == pytest.approx(40, abs=2)


def test_start_stop_and_continue_of_the_source(house: House, follower: TransportFollower) -> None:
    ear = house.join()
    open_following(house, ear, play=False)
    house.say(ear, "open", model="roll", session="own", seed=1)
    house.run(1)
    now = house.clock.now()
    begun = Tempo(120.0, 0.0, now)
    follower.set_tempo("midi", begun, now)
    follower.transport("midi", "start", now)
    house.run(3)
    heard = steps(ear, begun)
    assert heard[0] == (0, pytest.approx(0.0, abs=0.02 / 0.125 + 1e-6))  # as soon as may be
    assert [step for _, step in heard[1:]] == pytest.approx(range(1, len(heard)), abs=1e-4)
    follower.transport("midi", "stop", house.clock.now())
    assert ear.last("paused")["session"] == "a"
    count = len(heard)
    house.run(1.3)
    assert len(dues(ear)) <= count + 1
    follower.transport("midi", "continue", house.clock.now())
    house.run(4)
    resumed = steps(ear, begun)[count + 1 :]
    assert resumed
    assert in_phase(resumed, 4 * PER_BEAT)
    assert len(dues(ear, "own")) > 150  # whoever does not follow plays on


def test_a_start_in_the_middle_of_playing_begins_the_bar_anew(
    house: House, follower: TransportFollower
) -> None:
    now = house.clock.now()
    follower.set_tempo("midi", Tempo(120.0, 0.0, now), now)
    ear = house.join()
    open_following(house, ear)
    house.run(3.3)
    now = house.clock.now()
    again = Tempo(120.0, 0.0, now + 0.01)
    follower.set_tempo("midi", again, now)
    follower.transport("midi", "start", now)
    count = len(dues(ear))
    house.run(5)
    assert len(dues(ear)) > count + 10
    assert in_phase(steps(ear, again)[count + 1 :], 4 * PER_BEAT)


def test_only_what_there_is_can_be_followed(house: House) -> None:
    ear = house.join()
    house.say(ear, "open", model="roll", session="a", controls={"sync": "link"})
    assert ear.last("error")["field"] == "controls.sync"
    house.say(ear, "open", model="roll", session="a")
    house.say(ear, "control", session="a", controls={"sync": "midi"})
    assert "midi.in" in ear.last("error")["message"]
    house.say(ear, "control", session="a", controls={"sync": "waltz"})
    assert "free, link, midi" in ear.last("error")["message"]


def test_what_is_fed_in_time_takes_the_place_of_symbols(models: Path) -> None:
    streams = []
    for fed in (False, True):
        house = House(models)
        ear = house.join()
        house.say(ear, "open", model="roll", session="a", seed=1)
        house.run(1)
        if fed:
            house.say(ear, "feed", session="a", symbols=[[60], [60, 64]], in_time=True)
        house.run(1)
        streams.append([(m["n"], m["due"]) for m in ear.of("symbol")])
    plain, with_feed = streams
    assert [n for n, _ in with_feed] == list(range(len(with_feed)))
    assert [due for _, due in with_feed] == pytest.approx([due for _, due in plain])
    fed_notes = [m["notes"] for m in ear.of("symbol") if m.get("fed")]
    assert fed_notes == [[60], [60, 64]]


def test_a_feed_in_time_while_paused_is_a_feed(house: House) -> None:
    ear = house.join()
    house.say(ear, "open", model="roll", session="a", play=False)
    house.say(ear, "feed", session="a", symbols=[[60]] * 3, in_time=True)
    assert {m["due"] for m in ear.of("symbol")} == {house.clock.now()}
