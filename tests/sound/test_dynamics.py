"""A performance is equally loud in every protocol and for every listener, however late."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import pytest
from pythonosc.osc_packet import OscPacket
from support import Ear, ManualClock, stage_of

from stream_rnn.adapters.midi.out import MidiSink, Timed
from stream_rnn.adapters.midi.recording import Recorder
from stream_rnn.adapters.osc.voices import OscVoices, PlainForm
from stream_rnn.checkpoint import Card
from stream_rnn.codecs.performance import PerformanceCodec
from stream_rnn.config import MidiOut
from stream_rnn.midi.player import Player
from stream_rnn.wire import messages as wire

CODEC = PerformanceCodec()
CARD = Card("piano", "P", CODEC.to_json(), {}, defaults={"rate": 20.0})


class Hall:
    """A stage with a session `s` and all kinds of sinks; the test is the engine."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.ear = ManualClock(10.0), Ear()
        self.stage = stage_of(CARD)
        self.sent: list[Timed] = []
        # Several keys are the same drum, and one that is transposed is another.
        kit = {"60": 36, "64": 36, "72": 38, "76": 36}
        routes = [MidiOut(port="x"), MidiOut(port="kit", drums=kit)]
        self.midi = MidiSink(routes, self.sent.extend, list, self.clock.now)
        self.midi.ports(["there", "there"])
        self._file, self._ended = folder / "take.mid", False
        self.recorder = Recorder(self._file, "*", self.clock.now)
        for sink in (self.midi, self.recorder):
            self.stage.add_sink(sink)
        self.programs: list[list[bytes]] = []
        self.ask("open", model="piano", session="s")
        self.subscribe()

    def subscribe(self) -> None:
        """One more OSC program."""
        heard: list[bytes] = []
        self.programs.append(heard)
        voices = OscVoices(heard.append, self.clock.now, lambda t: t, PlainForm(), 0.0)
        voices.begin("s")
        self.stage.handle(voices, wire.Attach(session="s"), self.clock.now())

    def ask(self, type: str, **fields: Any) -> None:
        message = wire.decode(json.dumps({"type": type, "session": "s", **fields}))
        self.stage.handle(self.ear, message, self.clock.now())
        assert not self.ear.of("error")

    def compute(self, *events: dict[str, Any], name: str = "s") -> None:
        """Lets the engine compute symbols and the stage hand them out."""
        session, now = self.stage.sessions[name], self.clock.now()
        for i, symbol in enumerate(CODEC.parse(list(events))):
            session.receive(session.generation, session.position + i, symbol, now)
        self.stage.times.set(session.key, session.commit_time())
        self.clock.advance(1.0)
        self.stage.tick(self.clock.now())

    def by_midi(self) -> list[int]:
        """The velocity of each note that began."""
        return [data[2] for _, port, data in self.sent if port == 0 and data[0] >> 4 == 9]

    def by_osc(self, program: int = 0) -> list[int]:
        packets = [m.message for data in self.programs[program] for m in OscPacket(data).messages]
        notes = [list(m.params) for m in packets if m.address == "/rnn/s/note"]
        return [velocity for _, velocity, _ in notes if velocity]

    def by_websocket(self) -> list[int]:
        symbols = [m for m in self.ear.of("symbol", "s") if "on" in m["event"] and not m.get("fed")]
        return [m.get("velocity", 80) for m in symbols]

    def by_file(self) -> list[int]:
        return [m.velocity for m in self.take() if m.type == "note_on" and m.velocity]

    def take(self) -> mido.MidiFile:
        """The recording; the first call ends it."""
        if not self._ended:
            self._ended = True
            self.recorder.close()
        return mido.MidiFile(self._file)

    def everywhere(self) -> list[list[int]]:
        return [self.by_midi(), self.by_osc(), self.by_websocket(), self.by_file()]


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    hall = Hall(tmp_path)
    yield hall
    hall.take()


NOTE = [{"on": 60}, {"shift": 0.01}, {"off": 60}]


@pytest.mark.parametrize("before", ["fed", "paused", "late", "rewound", "attached"])
def test_everybody_hears_the_same_dynamics(hall: Hall, before: str) -> None:
    match before:
        case "fed":  # as a prime, or a phrase at the keyboard
            hall.ask("feed", symbols=[{"velocity": 30}])
        case "paused":
            hall.compute({"velocity": 30}, {"shift": 0.01})
            hall.ask("pause")
            hall.ask("play")
        case "late":
            hall.compute({"velocity": 30}, {"shift": 0.01})
            hall.subscribe()
        case "rewound":
            hall.compute({"velocity": 30}, {"shift": 0.01}, {"velocity": 110}, {"shift": 0.01})
            hall.ask("rewind", to=2)
        case "attached":
            hall.compute({"velocity": 30}, {"shift": 0.01})
            hall.ask("attach", after=0)
    hall.compute(*NOTE)
    assert hall.everywhere() == [[30]] * 4
    assert hall.by_osc(-1) == [30]


def test_a_beginning_is_as_loud_as_nothing_has_been_said(hall: Hall) -> None:
    hall.compute({"velocity": 30}, {"shift": 0.01})
    hall.ask("reset")
    hall.compute(*NOTE)
    hall.ask("control", controls={"velocity": 100})
    hall.compute(*NOTE)
    assert [hall.by_midi(), hall.by_osc(), hall.by_file()] == [[80, 100]] * 3


def test_a_fork_goes_on_as_loud_as_the_past_that_it_has(hall: Hall) -> None:
    hall.compute({"velocity": 30}, {"shift": 0.01}, {"velocity": 110}, {"shift": 0.01})
    hall.ask("fork", **{"as": "twin"}, at=2)
    hall.ask("play", session="twin")
    hall.compute(*NOTE, name="twin")
    hall.compute(*NOTE)
    assert hall.by_midi() == [30, 110]


def test_the_past_is_told_as_loud_as_it_was(hall: Hall) -> None:
    hall.compute({"velocity": 30}, *NOTE, {"velocity": 90}, *NOTE)
    late = Ear()
    hall.stage.handle(late, wire.Attach(session="s", after=0), hall.clock.now())
    assert [m["velocity"] for m in late.of("symbol") if "on" in m["event"]] == [30, 90]
    assert all("velocity" not in m for m in late.of("symbol") if "on" not in m["event"])


@pytest.mark.parametrize("fed", [{"off": 60}, {"end": 1}])
def test_what_is_fed_does_not_end_a_note_before_it_begins(hall: Hall, fed: dict[str, int]) -> None:
    hall.compute({"shift": 1.0})
    hall.clock.advance(hall.stage.sessions["s"].next_due - hall.clock.now() - 0.015 - 1.0)
    hall.compute({"on": 60})  # which is due in 15 ms
    hall.ask("feed", symbols=[fed])
    (begun, _, first), (ended, _, second) = [m for m in hall.sent if m[1] == 0]
    assert (first[0] >> 4, second[0] >> 4) == (9, 8) and hall.clock.now() < begun <= ended
    times = [(m.time, m.message.params[1]) for d in hall.programs[0] for m in OscPacket(d).messages
             if m.message.address == "/rnn/s/note"]  # fmt: skip
    assert times[0][1] > 0 == times[1][1] and times[0][0] <= times[1][0]
    assert [m.type for m in hall.take() if m.type.startswith("note")] == ["note_on", "note_off"]


@pytest.mark.parametrize("change", [{"transpose": 12}, {"channel": 5}, {"transpose": -48}])
def test_a_key_ends_whatever_changes_while_it_is_down(hall: Hall, change: dict[str, int]) -> None:
    hall.compute({"on": 60}, {"shift": 0.01})
    hall.ask("control", controls=change)
    hall.compute({"off": 60}, {"shift": 0.01}, {"on": 64}, {"shift": 0.01}, {"off": 64})
    player, sounding = Player(2), set()
    for message in hall.sent:
        player.push(*message)
    for _, port, data in player.due(math.inf):  # as they go out on the wire
        key = port, data[0] & 15, data[1]
        (sounding.add if data[0] >> 4 == 9 else sounding.remove)(key)
    assert not sounding
    assert {36, 38} >= {data[1] for _, port, data in hall.sent if port == 1} != set()
    packets = [m.message for data in hall.programs[0] for m in OscPacket(data).messages]
    notes = [m.params for m in packets if m.address == "/rnn/s/note"]
    assert sorted(p for p, v, _ in notes if v) == sorted(p for p, v, _ in notes if not v)
    begun, ended = [
        sorted((m.channel, m.note) for m in hall.take() if m.type == kind)
        for kind in ("note_on", "note_off")
    ]
    assert begun == ended and len(begun) == 2
