"""A `House` with MIDI input from a keyboard or a controller, on a clock that the test moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import House

from stream_rnn.adapters.midi.input import MidiInput
from stream_rnn.config import MidiConfig, MidiIn
from stream_rnn.stage.transport import TransportFollower


def on(pitch: int, velocity: int = 80, channel: int = 1) -> bytes:
    return bytes((0x90 | channel - 1, pitch, velocity))


def off(pitch: int, channel: int = 1) -> bytes:
    return bytes((0x80 | channel - 1, pitch, 0))


def cc(number: int, value: int, channel: int = 1) -> bytes:
    return bytes((0xB0 | channel - 1, number, value))


class Rig:
    """A `House` with MIDI input."""

    def __init__(self, models: Path, **config: Any) -> None:
        self.house = House(models)
        self.config = MidiConfig(
            in_=(MidiIn(port="keys", session="a", **config.pop("keys", {})),), **config
        )
        self.follower = TransportFollower(self.house.stage)
        self.input = MidiInput(self.config, self.house.stage, self.follower)
        self.ear = self.house.join()

    @property
    def now(self) -> float:
        return self.house.clock.now()

    def open(self, model: str = "roll", **fields: Any) -> None:
        self.house.say(self.ear, "open", model=model, session="a", seed=1, **fields)

    def hear(self, *messages: bytes) -> None:
        for message in messages:
            self.input.heard(0, self.now, message, self.now)

    def run(self, seconds: float, step: float = 0.004) -> None:
        """Time passes as in `play_out`: the input first, then the stage."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.house.engine.pump(self.now)
            soonest = min(end - step, self.input.next_time())
            self.house.doze(soonest, min(step, end - self.now))
            if self.input.next_time() <= self.now:
                self.input.tick(self.now)
            self.house.stage.tick(self.now)

    def fed(self) -> list[list[int]]:
        return [m["notes"] for m in self.ear.of("symbol") if m.get("fed")]

    def kinds(self) -> list[str]:
        """The types of all messages but symbols."""
        return [m["type"] for m in self.ear.messages if m["type"] != "symbol"]
