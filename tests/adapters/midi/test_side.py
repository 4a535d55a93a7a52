"""The MIDI process's keeper; the process itself is played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import House

from stream_rnn.adapters.midi import side
from stream_rnn.config import MidiConfig, MidiIn, MidiOut
from stream_rnn.midi.messages import MidiOptions, Pong, Ports, Report, Silenced, Unheard
from stream_rnn.stage.transport import TransportFollower

PING = 0.005
ALIVE = Pong((0,) * 9, 0.0, 0.0)


class Puppet:
    """Answers pings in the next turn of the loop, unless it hangs."""

    def __init__(
        self, options: MidiOptions, hear: Callable[[Report], None], die: Callable[[], None]
    ) -> None:
        self.say, self.die = hear, die
        self.hangs = False
        self.kills = self.starts = 0
        self.pid = 42

    async def start(self) -> None:
        self.starts += 1
        self.hangs = False

    def ping(self) -> None:
        if not self.hangs:
            asyncio.get_running_loop().call_soon(self.say, ALIVE)

    def kill(self) -> None:
        self.kills += 1
        self.die()

    def play(self, messages: object) -> None: ...

    def end_notes(self) -> None: ...

    def stop(self) -> None: ...


@pytest.fixture
def made(models: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[House, side.MidiSide]:
    monkeypatch.setattr(side, "ChildMidi", Puppet)
    monkeypatch.setattr(side, "PING", PING)
    monkeypatch.setattr(side, "PAUSES", (PING,))
    house = House(models)
    config = MidiConfig(out_=(MidiOut(port="x"),), in_=(MidiIn(port="keys", session="a"),))
    return house, side.MidiSide(
        house.stage, house.clock, config, TransportFollower(house.stage), 120.0
    )


def kept(midi: side.MidiSide, act: Callable[[Any], Any]) -> Puppet:
    """What the process went through while something happened to it."""
    puppet: Puppet = midi._process  # type: ignore[assignment]

    async def run() -> None:
        await midi.start()
        await asyncio.sleep(4 * PING)
        act(puppet)
        await asyncio.sleep(60 * PING)
        midi.stop()

    asyncio.run(run())
    return puppet


def test_a_process_that_hangs_is_ended_and_started_anew(
    made: tuple[House, side.MidiSide], caplog: pytest.LogCaptureFixture
) -> None:
    house, midi = made
    puppet = kept(midi, lambda puppet: setattr(puppet, "hangs", True))
    assert (puppet.kills, puppet.starts) == (1, 2)
    assert house.stage.counters.midi_deaths == 1
    assert "hangs; ending it" in caplog.text


def test_when_the_gateway_stood_still_the_process_did_not_hang(
    made: tuple[House, side.MidiSide],
) -> None:
    house, midi = made
    puppet = kept(midi, lambda puppet: house.clock.advance(10.0))
    assert (puppet.kills, puppet.starts) == (0, 1)


def test_a_process_that_died_is_told_of_and_started_anew(
    made: tuple[House, side.MidiSide], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    puppet = kept(made[1], lambda puppet: puppet.die())
    assert (puppet.kills, puppet.starts) == (0, 2)
    assert "the MIDI process has ended; starting it anew" in caplog.text
    assert "MIDI process 42 goes on" in caplog.text


def test_what_is_late_goes_out_at_once_and_comes_back_then(
    made: tuple[House, side.MidiSide],
) -> None:
    house, midi = made
    house.say(house.join(), "open", model="roll", session="a", seed=1)
    now, key = house.clock.now(), bytes((0x90, 60, 80))
    assert midi.input is not None
    midi._play([(now - 3.0, 0, key)])  # the gateway stood still
    midi.input.heard(0, now + 0.01, key, now + 0.01)
    assert house.stage.sessions["a"].playing


def test_a_silence_by_the_process_is_no_panic(made: tuple[House, side.MidiSide]) -> None:
    house, midi = made
    house.say(house.join(), "open", model="roll", session="a", seed=1)
    now = house.clock.now()
    assert midi.input is not None

    def loop(puppet: Puppet) -> None:
        puppet.say(Silenced(now))
        midi.input.heard(0, now + 0.01, bytes((0xB0, 123, 0)), now + 0.01)

    kept(midi, loop)
    assert house.stage.sessions["a"].playing


@pytest.mark.parametrize(
    "go",
    [
        lambda puppet: puppet.say(Ports(("x",), (None,))),
        lambda puppet: puppet.say(Ports(("x",), ("other keys",))),
        lambda puppet: puppet.say(Ports((None,), (None,), "no MIDI system is running")),
        lambda puppet: puppet.say(Unheard(0)),
        lambda puppet: puppet.die(),
    ],
    ids=["unplugged", "another", "no system", "a cord", "death"],
)
def test_keys_are_let_go_when_their_port_goes(
    made: tuple[House, side.MidiSide], go: Callable[[Any], None]
) -> None:
    _, midi = made
    assert midi.input is not None
    gone: list[int] = []
    midi.input.gone = lambda port, now: gone.append(port)  # type: ignore[method-assign]

    def scene(puppet: Puppet) -> None:
        puppet.say(Ports((None,), (None,)))
        puppet.say(Ports((None,), ("keys",)))
        puppet.say(Ports(("x",), ("keys",)))
        assert not gone
        go(puppet)

    kept(midi, scene)
    assert gone == [0]
