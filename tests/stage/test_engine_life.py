"""An engine dies under sessions that play: nobody hears it, if another is there soon enough."""

from pathlib import Path

import pytest
from support import Ear, House

from stream_rnn.sessions.flow import Timing

RATE = 20.0
GONE = 0.25  # seconds without an engine: less than the look-ahead that is always left
PLACE = {"session": "s"}


def play(house: House, **fields: object) -> Ear:
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=3, controls={"rate": RATE}, **fields)
    return ear


def restart(house: House, seconds: float = GONE) -> None:
    house.lose_engine()
    house.run(seconds)
    house.start_engine()
    house.regain_engine()


def undisturbed(models: Path, seconds: float) -> list[str]:
    ear = play(house := House(models))
    house.run(seconds)
    return ear.stream("s")


@pytest.mark.parametrize("before", [0.3, 1.0, 3.3, 5.0])
def test_an_engine_that_is_soon_replaced_is_not_missed(models: Path, before: float) -> None:
    ear = play(house := House(models))
    house.run(before)
    for _ in range(3):
        restart(house)
        house.run(0.6)
    assert not ear.of("paused") + ear.of("playing"), "nobody is told"
    symbols = ear.of("symbol")
    dues = [symbol["due"] for symbol in symbols]
    assert dues == pytest.approx([1000.06 + n / RATE for n in range(len(dues))])
    expected = undisturbed(models, before + 3.0)
    assert ear.stream("s") == expected[: len(symbols)] and len(symbols) > RATE * (before + 2)


def test_its_sessions_play_what_is_computed_and_then_pause(models: Path) -> None:
    ear = play(house := House(models))
    house.run(1.0)
    house.lose_engine()
    waiting = house.stage.sessions["s"].computed
    assert waiting >= RATE * GONE and not ear.of("paused")
    played = len(ear.of("symbol"))
    house.run(Timing.lookahead + 0.2)
    assert len(ear.of("symbol")) == played + waiting
    assert ear.last("paused")["reason"] == "engine"
    assert house.clock.now() > ear.last("symbol")["due"] + 1 / RATE
    assert ear.messages[-1] == ear.last("paused")
    house.start_engine()
    house.regain_engine()
    house.run(1.0)
    assert ear.last("playing")["reason"] == "engine"
    assert ear.stream("s") == undisturbed(models, 4.0)[: len(ear.stream("s"))]


def test_a_change_is_obeyed_at_once_while_the_engine_is_gone_and_just_after(models: Path) -> None:
    """What is computed beyond it is dropped, whether or not the new engine was told of it."""
    streams = []
    for when in ("gone", "told", "never"):
        ear = play(house := House(models))
        house.run(1.0)
        at = house.stage.sessions["s"].position + 1
        if when != "never":
            house.lose_engine()
        house.run(0.05)
        if when == "told":
            house.start_engine()
            house.regain_engine()
        house.say(ear, "control", controls={"temperature": 0.3}, **PLACE)
        assert ear.last("controlled")["position"] == at
        if when == "gone":
            house.start_engine()
            house.regain_engine()
        house.run(2.0)
        assert not ear.of("error")
        streams.append(ear.stream("s")[:50])
    assert streams[0] == streams[1] == streams[2] and len(streams[0]) == 50


def test_the_first_to_fall_silent_are_restored_first(models: Path) -> None:
    house = House(models, batch=64)
    ears = {name: house.join() for name in "abcd"}
    for name, ear in ears.items():
        controls = {"rate": RATE}
        house.say(ear, "open", model="verse", session=name, play=name != "c", controls=controls)
    house.run(2.0)
    house.lose_engine()
    # A change leaves nothing that is computed.
    house.say(ears["b"], "control", session="b", controls={"temperature": 0.3})
    house.start_engine()
    asked: list[int] = []
    send = house.engine.send
    house.engine.send = lambda commands: (  # type: ignore[method-assign]
        asked.extend(c.key for c in commands if type(c).__name__ == "Open"),
        send(commands),
    )[1]
    house.regain_engine()
    keys = {name: session.key for name, session in house.stage.sessions.items()}
    assert asked[0] == keys["b"] and asked[-1] == keys["c"]


@pytest.mark.parametrize("what", ["rewind", "reset"])
def test_what_is_computed_is_not_kept_when_one_goes_back(models: Path, what: str) -> None:
    ear = play(house := House(models))
    house.run(2.0)
    house.lose_engine()
    house.say(ear, what, **PLACE, **({"to": 5} if what == "rewind" else {}))
    assert house.stage.sessions["s"].computed == 0
    first = ear.stream("s")
    house.start_engine()
    house.regain_engine()
    heard = len(ear.of("symbol"))
    house.run(1.0)
    again = ear.stream("s")[heard:]
    start = 5 if what == "rewind" else 0
    assert again == undisturbed(models, 4.0)[start : start + len(again)]
    assert first[start : start + len(again)] == again[: len(first) - start]
