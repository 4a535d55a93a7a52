from __future__ import annotations

from typing import Any

import pytest
from support import House

from stream_rnn.config import SessionConfig
from stream_rnn.errors import ConfigError
from stream_rnn.stage.resident import open_sessions


def test_sessions_of_the_file_play_and_never_pause_for_want_of_listeners(house: House) -> None:
    wanted = [
        SessionConfig(
            name="main", model="verse", controls={"rate": 10.0, "artist": {"Ada": 1}}, seed=7,
            prime="abc",
        ),
        SessionConfig(name="waiting", model="roll", play=False),
    ]  # fmt: skip
    open_sessions(house.stage, wanted, house.clock.now())
    house.run(1.0)
    main, waiting = (house.stage.sessions[name] for name in ("main", "waiting"))
    assert main.controls.seed == 7 and main.controls.artist == {"Ada": 1.0}
    assert main.position > 8 and waiting.position == 0
    house.clock.advance(1e6)
    house.stage.sweep(house.clock.now())
    assert main.playing and main.idle_since is None


def test_there_may_be_more_of_them_than_one_client_may_open(house: House) -> None:
    count = house.stage.limits.sessions_per_viewer + 1
    wanted = [SessionConfig(name=f"s{n}", model="verse", play=False) for n in range(count)]
    open_sessions(house.stage, wanted, house.clock.now())
    assert len(house.stage.sessions) == count


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"model": "nope"}, r"\[\[session\]\] 's': there is no model 'nope'; there are: roll"),
        ({"name": "a b"}, r"'a b': a session's name is 1 to 64 letters"),
        ({"seed": -1}, "'s': .*>= 0"),
        ({"controls": {"temprature": 1}}, "'s': temprature is not a control; there are: "),
        ({"controls": {"rate": 1e9}}, "'s': rate must be from 0.01 to 200"),
        ({"model": "roll", "prime": "abc"}, "'s': prime: "),
    ],
)
def test_what_cannot_be_opened_is_told_by_name(
    house: House, wrong: dict[str, Any], told: str
) -> None:
    wanted = SessionConfig(**{"name": "s", "model": "verse", **wrong})
    with pytest.raises(ConfigError, match=told):
        open_sessions(house.stage, [wanted], house.clock.now())


def test_two_of_one_name_are_told(house: House) -> None:
    twice = [SessionConfig(name="s", model="verse")] * 2
    with pytest.raises(ConfigError, match="there is a session 's' already"):
        open_sessions(house.stage, twice, house.clock.now())
