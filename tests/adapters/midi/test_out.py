"""The MIDI sink, beside a real stage and engine; only the MIDI process is played by the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import Ear, House, make_band_model

from stream_rnn.adapters.midi.out import MidiSink, Timed
from stream_rnn.config import MidiOut
from stream_rnn.errors import ConfigError
from stream_rnn.midi.player import Player


class Synth:
    """What a MIDI process would have sent."""

    def __init__(self, house: House, *routes: MidiOut) -> None:
        self._player, self._house = Player(len(routes)), house
        self.sink = MidiSink(routes, self.play, self.end_notes, house.clock.now)
        self.sent: list[Timed] = []
        self.ends = 0
        house.stage.add_sink(self.sink)
        self.sink.ports(["there"] * len(routes))

    def play(self, messages: list[Timed]) -> None:
        for message in messages:
            self._player.push(*message)

    def end_notes(self) -> None:
        self.ends += 1
        self.sent += [
            (self._house.clock.now(), port, end) for port, end in self._player.end_notes()
        ]

    def listen(self) -> list[Timed]:
        """All that has been due until now."""
        self.sent += self._player.due(self._house.clock.now())
        return self.sent

    def notes(self) -> list[tuple[float, int, int, int]]:
        """(time, channel, pitch, velocity), velocity 0 for an end."""
        return [
            (t, d[0] & 15, d[1], d[2] if d[0] >> 4 == 9 else 0)
            for t, _, d in self.listen()
            if d[0] >> 4 in (8, 9)
        ]

    def sounding(self) -> set[tuple[int, int]]:
        """The (channel, pitch) that were begun and not ended."""
        sounding = set()
        for _, channel, pitch, velocity in self.notes():
            (sounding.add if velocity else sounding.discard)((channel, pitch))
        return sounding


def play(
    models: Path, *routes: MidiOut, model: str = "roll", **controls: object
) -> tuple[House, Synth]:
    house = House(models)
    synth = Synth(house, *routes)
    house.say(house.join(), "open", model=model, session="s", seed=5, controls=controls)
    house.run(2.0)
    return house, synth


def test_frames_become_notes_at_their_due_times(models: Path) -> None:
    house = House(models)
    synth, ear = Synth(house, MidiOut(port="x", latency=0.5)), house.join()
    house.say(ear, "open", model="roll", session="s", seed=5, controls={"velocity": 90})
    house.run(3.0)
    held: set[int] = set()
    expected = []
    for symbol in ear.of("symbol"):
        now = set(symbol["notes"])
        expected += [(symbol["due"] + 0.5, 0, p, 0) for p in sorted(held - now)]
        expected += [(symbol["due"] + 0.5, 0, p, 90) for p in sorted(now - held)]
        held = now
    assert len(synth.notes()) > 20
    assert sorted(synth.notes()) == sorted(e for e in expected if e[0] <= house.clock.now())


@pytest.mark.parametrize("action", ["pause", "reset", "close", "rewind"])
def test_notes_end(models: Path, action: str) -> None:
    house, synth = play(models, MidiOut(port="x"))
    assert synth.sounding()
    if action in ("reset", "rewind"):
        house.say(house.join(), "pause", session="s")
        house.say(house.join(), "play", session="s")
        house.run(0.3)
    fields = {"to": 3} if action == "rewind" else {}
    house.say(house.join(), action, session="s", **fields)
    if action in ("reset", "rewind"):
        house.say(house.join(), "pause", session="s")
    house.run(0.5)
    assert not synth.sounding()


def test_notes_end_when_the_engine_dies(models: Path) -> None:
    house, synth = play(models, MidiOut(port="x"))
    house.lose_engine()
    house.run(1.0)  # what is computed is played, and then they end
    assert not synth.sounding()


def test_notes_end_when_the_engine_does_not_answer(models: Path) -> None:
    house, synth = play(models, MidiOut(port="x"))
    ear = house.join()
    house.say(ear, "attach", session="s")
    assert synth.sounding()
    for _ in range(40):  # as `play_out` does, without an engine
        house.clock.advance(0.1)
        house.stage.tick(house.clock.now())
        house.stage.sweep(house.clock.now())
    assert not synth.sounding()
    silent = [t for t, _, _, velocity in synth.notes() if not velocity][-1]
    late = ear.of("symbol")[-1]["due"] + 0.05 + house.stage.sessions["s"].timing.starved
    assert late < silent + 0.01 and silent < late + 0.2
    assert [(m["type"], m["reason"]) for m in ear.messages[-1:]] == [("paused", "engine")]
    assert 3.0 < house.engine_silence() < 5.0
    house.run(2.0)
    assert house.engine_silence() == 0
    assert synth.sounding()
    assert [m["reason"] for m in ear.of("paused") + ear.of("playing")] == ["engine"] * 2
    symbols = ear.of("symbol")
    assert [m["n"] for m in symbols] == list(range(symbols[0]["n"], symbols[-1]["n"] + 1))
    assert house.stage.counters.stalls == 1


def test_when_the_gateway_stood_still_the_engine_is_not_blamed(models: Path) -> None:
    house, ear = House(models), Ear()
    house.say(ear, "open", model="roll", session="s", seed=5)
    house.run(1.0)
    for _ in range(3):
        house.clock.advance(5.0)
        house.stage.tick(house.clock.now())
        house.stage.sweep(house.clock.now())
        house.run(1.0)
        house.stage.sweep(house.clock.now())
    assert not ear.of("paused") and len(ear.of("symbol")) > 60


@pytest.mark.parametrize("before", ["nothing", "fed", "paused", "in time"])
def test_what_sounds_nothing_or_comes_in_time_is_not_silenced(models: Path, before: str) -> None:
    house, ear = House(models), Ear()
    house.say(ear, "open", model="roll", session="s", seed=5, controls={"rate": 0.5})
    if before in ("fed", "in time", "paused"):
        house.run(0.5)
    if before == "fed":
        house.say(ear, "feed", session="s", symbols=[[60]])
    if before == "paused":
        house.say(ear, "pause", session="s")
    for _ in range(100):
        house.clock.advance(0.1)
        if before == "in time":
            house.engine.pump(house.clock.now())
        house.stage.tick(house.clock.now())
        house.stage.sweep(house.clock.now())
    assert len(ear.of("paused")) == (before == "paused")
    assert not [m for m in ear.of("playing") if m.get("reason")]


def test_panic_ends_everything_at_once(models: Path) -> None:
    house, synth = play(models, MidiOut(port="x"))
    house.stage.panic(house.join(), house.clock.now())
    assert synth.ends == 1 and not synth.sounding()
    house.run(1.0)
    assert not synth.sounding()
    assert {(d[0], d[1]) for _, _, d in synth.sent[-16:]} == {(0xB0 | c, 123) for c in range(16)}


def test_a_change_of_channel_leaves_nothing_on_the_old_one(models: Path) -> None:
    house, synth = play(models, MidiOut(port="x", program=5))
    house.say(house.join(), "control", session="s", controls={"channel": 3})
    house.run(1.0)
    assert {channel for channel, _ in synth.sounding()} <= {2}
    assert {channel for _, channel, _, v in synth.notes() if v} == {0, 2}
    programs = [d for _, _, d in synth.sent if d[0] >> 4 == 0xC]
    assert programs == [bytes((0xC0, 5)), bytes((0xC2, 5))]


def test_routes_have_channel_velocity_and_transposition_of_their_own(models: Path) -> None:
    _, synth = play(
        models,
        MidiOut(port="x"),
        MidiOut(port="y", channel=7, velocity=33, transpose=12),
        MidiOut(port="z", session="other"),
    )
    begun = [[d for _, p, d in synth.listen() if p == port and d[0] >> 4 == 9] for port in range(3)]
    assert begun[0] and not begun[2]
    assert begun[1] == [bytes((0x96, d[1] + 12, 33)) for d in begun[0]]


def test_drums_sound_what_is_mapped_and_nothing_else(models: Path) -> None:
    house, synth = play(models, MidiOut(port="x"))
    pitches = sorted({pitch for _, _, pitch, velocity in synth.notes() if velocity})
    kit = {str(pitches[0]): 36, str(pitches[1]): 38}
    house, drummer = play(models, MidiOut(port="x", drums=kit))
    assert {(channel, pitch) for _, channel, pitch, _ in drummer.notes()} == {(9, 36), (9, 38)}
    house.say(house.join(), "close", session="s")
    house.run(0.5)
    assert not drummer.sounding()


def test_letters_sound_or_not(models: Path) -> None:
    _, synth = play(models, MidiOut(port="x"), model="verse")
    assert synth.notes()
    _, synth = play(models, MidiOut(port="x", text=False), model="verse")
    assert not synth.notes()


def test_what_a_dead_process_left_sounding_the_next_one_ends(models: Path) -> None:
    house, synth = play(models, MidiOut(port="x"))
    left = synth.sounding()
    synth.sink.died()
    synth._player = Player(1)
    before = len(synth.sent)
    synth.sink.ports(["there"])
    ended = {(d[0] & 15, d[1]) for _, _, d in synth.listen()[before:] if d[0] >> 4 == 8}
    assert left and left <= ended
    assert bytes((0xB0, 123, 0)) in [d for _, _, d in synth.sent[before:]]


def test_a_new_process_ends_what_is_left_before_it_plays_anything(models: Path) -> None:
    house, synth = play(models, MidiOut(port="x"))
    left = synth.sounding()
    synth.sink.died()
    synth._player = Player(1)  # it starts, and finds the port before that is known here
    house.run(1.0)
    synth.sink.ports(["there"])
    house.run(1.0)
    on = set()
    for _, channel, pitch, velocity in synth.notes():
        assert not (velocity and (channel, pitch) in on), "struck again without having been ended"
        (on.add if velocity else on.discard)((channel, pitch))
    assert left and synth.sounding()


def test_a_drum_map_that_cannot_be_is_refused(models: Path) -> None:
    with pytest.raises(ConfigError, match="'kick' is not a MIDI pitch"):
        MidiSink([MidiOut(port="x", drums={"kick": 36})], lambda m: None, lambda: None, lambda: 0)


def band(tmp_path: Path, *routes: MidiOut, **controls: object) -> tuple[House, Synth, Ear]:
    make_band_model(tmp_path / "band")
    house = House(tmp_path)
    synth, ear = Synth(house, *routes), house.join()
    house.say(ear, "open", model="band", session="s", seed=3, controls=controls)
    for player, gesture in enumerate((6, 1, 3, 7)):
        house.say(ear, "lead", session="s", gesture=gesture, player=player)
    return house, synth, ear


def test_players_have_channels_and_programs_of_their_own_and_none_the_drums(
    tmp_path: Path,
) -> None:
    routes = MidiOut(port="x", led=True, program=(12, 46, 11, 33)), MidiOut(port="y", channel=3)
    house, synth, ear = band(tmp_path, *routes, channel=8)
    house.say(ear, "lead", session="s", gesture=None, player=2)
    house.run(6.0)
    programs = [d for _, port, d in synth.listen() if port == 0 and d[0] >> 4 == 0xC]
    channels = (7, 8, 10, 11)
    assert programs == [
        bytes((0xC0 | c, n)) for c, n in zip(channels, (12, 46, 11, 33), strict=True)
    ]
    heard = [(port, d[0] & 15) for _, port, d in synth.listen() if d[0] >> 4 == 9]
    assert {c for port, c in heard if port == 0} == set(channels)
    # A port without `led` plays only the players that the network leads.
    assert {c for port, c in heard if port == 1} == {4}
    # The notes that are heard are those of the touches that viewers are told of.
    touched = [(m["due"], m["touch"]) for m in ear.of("touch") if m["touch"]["down"]]
    seen = {(due, channels[t["player"]], t["pitch"]) for due, t in touched}
    struck = {(t, d[0] & 15, d[1]) for t, port, d in synth.listen() if port == 0 and d[0] >> 4 == 9}
    assert len(struck) > 50 and struck <= seen


@pytest.mark.parametrize("ending", ["pause", "reset", "close", "panic", "channel", "rest"])
def test_the_notes_of_players_end(tmp_path: Path, ending: str) -> None:
    house, synth, ear = band(tmp_path, MidiOut(port="x", led=True))
    house.run(2.4)
    assert len({channel for channel, _ in synth.sounding()}) >= 2
    match ending:
        case "panic":
            house.stage.panic(ear, house.clock.now())
        case "channel":
            house.say(ear, "control", session="s", controls={"channel": 5})
            house.say(ear, "pause", session="s")
        case "rest":
            for player in range(4):
                house.say(ear, "lead", session="s", gesture=0, player=player)
            house.run(1.0)
        case _:
            house.say(ear, ending, session="s")
            if ending == "reset":
                house.say(ear, "pause", session="s")
    house.run(0.4)
    assert not synth.sounding()


@pytest.mark.parametrize("runs", ["always", "playing"])
def test_the_clock_of_a_paused_session_goes_on_if_it_shall(models: Path, runs: Any) -> None:
    house, woken = House(models), list[float]()
    synth = Synth(house, MidiOut(port="x", clock="s", clock_runs=runs))
    synth.sink = MidiSink(
        [MidiOut(port="x", clock="s", clock_runs=runs)], synth.play, synth.end_notes,
        house.clock.now, lambda model: 4, lambda: woken.append(house.clock.now()),
    )  # fmt: skip
    house.stage.add_sink(synth.sink)
    ear = house.join()

    def pulses(seconds: float) -> int:
        before = sum(data == b"\xf8" for _, _, data in synth.listen())
        end = house.clock.now() + seconds
        while house.clock.now() < end:
            house.run(0.004)
            if synth.sink.next_time() <= house.clock.now():
                synth.sink.tick(house.clock.now())
        return sum(data == b"\xf8" for _, _, data in synth.listen()) - before

    house.say(ear, "open", model="roll", session="s", play=False, controls={"bpm": 120})
    assert pulses(2.0) == (pytest.approx(96, abs=2) if runs == "always" else 0)
    house.say(ear, "play", session="s")
    assert pulses(2.0) == pytest.approx(96, abs=4)
    house.say(ear, "pause", session="s")
    assert len(woken) == 2, "at the open and at the pause"
    house.say(ear, "control", session="s", controls={"bpm": 60})
    assert pulses(2.0) == (
        pytest.approx(48, abs=4) if runs == "always" else pytest.approx(0, abs=6)
    )
    house.say(ear, "close", session="s")
    pulses(0.5)
    assert pulses(1.0) == 0
    transport = [data for _, _, data in synth.listen() if data in (b"\xfa", b"\xfb", b"\xfc")]
    assert transport == [b"\xfa", b"\xfc"]
