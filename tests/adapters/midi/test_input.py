"""MIDI in, with a whole stage, on a clock that the test moves."""

import errno
import itertools
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi_house import Rig, cc, off, on
from support import Ear, House, stage_of

from stream_rnn.adapters.midi.input import MidiInput
from stream_rnn.checkpoint import Card
from stream_rnn.codecs.performance import PerformanceCodec
from stream_rnn.config import MidiConfig, MidiControl, MidiIn
from stream_rnn.errors import ConfigError, ProtocolError
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.transport import TransportFollower
from stream_rnn.wire.learning import Forget, Learn


@pytest.mark.slow
def test_the_session_listens_while_keys_are_played_and_then_answers(models: Path) -> None:
    rig = Rig(models, keys={"silence": 0.5})
    rig.open()
    rig.run(0.5)
    before = len(rig.ear.of("symbol"))
    rig.hear(on(60))
    assert rig.ear.last("paused")["position"] == before
    rig.run(0.1)
    rig.hear(off(60), on(64), on(67))
    rig.run(0.1)
    rig.hear(off(64), off(67))
    rig.run(0.45)
    assert len(rig.ear.of("symbol")) == before  # it listens still
    rig.run(0.1)
    assert rig.fed() == [[60], [60], [64, 67], [64, 67]]  # at 20 frames a second
    assert rig.kinds()[-2:] == ["fed", "playing"]
    rig.run(1.0)
    symbols = rig.ear.of("symbol")
    assert [m["n"] for m in symbols] == list(range(len(symbols)))
    assert len(symbols) == pytest.approx(before + 4 + 20, abs=2)


def test_a_phrase_may_replace_the_past(models: Path) -> None:
    rig = Rig(models, keys={"silence": 0.5, "prime": True})
    rig.open(play=False)
    rig.hear(on(60))
    rig.run(0.05)
    rig.hear(off(60))
    rig.run(0.6)
    assert rig.kinds() == ["opened", "reset", "fed", "playing"]
    assert rig.ear.last("fed")["position"] == 1


def test_on_a_beat_a_phrase_keeps_its_place_in_the_bar(models: Path) -> None:
    rig = Rig(models, keys={"silence": 0.5, "prime": True})
    tempo = Tempo(120.0, 0.0, rig.now)
    rig.follower.set_tempo("midi", tempo, rig.now)
    rig.open(controls={"sync": "midi"}, play=False)
    rig.run(1.5 - 0.01)  # the fourth beat, almost
    rig.hear(on(60))
    rig.run(0.25)
    rig.hear(off(60))
    rig.run(4.0)
    assert rig.fed() == [[]] * 12 + [[60], [60]]
    steps = [
        (m["n"], tempo.beat_at(m["due"]) * 4)
        for m in rig.ear.of("symbol") if not m.get("fed")
    ]  # fmt: skip
    assert steps[0][0] == 14
    assert all(math.remainder(step - n, 16) == pytest.approx(0, abs=1e-4) for n, step in steps)


def test_a_text_model_cannot_be_played_to(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(models)
    rig.open("verse")
    for _ in range(3):
        rig.hear(on(60), off(60))
    rig.run(2)
    assert rig.kinds() == ["opened"]
    (record,) = caplog.records
    assert "its model speaks text" in record.message


def test_a_session_that_is_not_there_or_goes_meanwhile(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(models)
    rig.hear(on(60), off(60))
    assert "not open" in caplog.text
    rig.open()
    rig.run(0.2)
    rig.hear(on(60))
    rig.house.say(rig.ear, "close", session="a")
    rig.hear(off(60))
    rig.run(2)
    assert rig.kinds()[-1] == "closed"


def test_a_key_that_is_never_let_go_is_forgotten(models: Path) -> None:
    rig = Rig(models)
    rig.open()
    rig.run(0.2)
    rig.hear(on(60))
    rig.run(25, step=0.05)
    assert rig.fed() == [[60]]
    assert rig.kinds()[-1] == "playing"


# Several players


class Duo(Rig):
    """Two keyboards that play with one session."""

    def __init__(self, models: Path, *, silence: float = 0.5, second: float = 0.5) -> None:
        super().__init__(models)
        self.config = MidiConfig(
            in_=(
                MidiIn(port="one", session="a", silence=silence),
                MidiIn(port="two", session="a", silence=second),
            )
        )
        self.input = MidiInput(self.config, self.house.stage, self.follower)

    def play(self, keyboard: int, *messages: bytes) -> None:
        for message in messages:
            self.input.heard(keyboard, self.now, message, self.now)


def test_the_answer_waits_until_every_keyboard_is_quiet(models: Path) -> None:
    duo = Duo(models)
    duo.open()
    duo.run(0.2)
    duo.play(0, on(60))
    duo.run(0.1)
    duo.play(0, off(60))
    duo.play(1, on(72))
    duo.run(2.0)
    assert not duo.ear.of("playing") and not duo.ear.of("fed"), "one key is down still"
    duo.play(0, on(64))
    duo.run(0.1)
    duo.play(0, off(64))
    duo.play(1, off(72))
    duo.run(0.45)
    assert not duo.ear.of("playing")
    duo.run(0.1)
    # One phrase of both, as they played it.
    assert duo.fed() == [[60]] * 2 + [[72]] * 40 + [[64, 72]] * 2
    assert duo.kinds() == ["opened", "paused", "fed", "playing"]


def test_each_keyboard_has_its_own_silence(models: Path) -> None:
    duo = Duo(models, second=2.0)
    duo.open()
    duo.run(0.2)
    for keyboard in (0, 1):
        duo.play(keyboard, on(60 + keyboard))
        duo.run(0.05)
        duo.play(keyboard, off(60 + keyboard))
    duo.run(1.9)
    assert not duo.ear.of("playing")
    duo.run(0.2)
    assert duo.ear.of("playing")


def stop_by_pause(rig: Rig) -> None:
    rig.house.say(rig.house.join(), "pause", session="a")


def stop_by_panic(rig: Rig) -> None:
    rig.house.stage.panic(rig.house.join(), rig.now)


@pytest.mark.parametrize("stop", [stop_by_pause, stop_by_panic])
def test_a_pause_by_somebody_outlasts_the_phrase_of_another(models: Path, stop: Any) -> None:
    rig = Rig(models, keys={"silence": 0.5})
    rig.open()
    rig.run(0.2)
    rig.hear(on(60))
    rig.run(0.1)
    stop(rig)
    rig.hear(off(60), on(64))
    rig.run(0.1)
    rig.hear(off(64))
    rig.run(2.0)
    assert rig.kinds()[-1] == "fed", "what was played is a part of the stream"
    assert not rig.ear.of("playing")
    count = len(rig.ear.of("symbol"))
    rig.hear(on(60), off(60))  # they call again
    rig.run(1.0)
    assert rig.kinds()[-1] == "playing" and len(rig.ear.of("symbol")) > count + 1


def test_a_sequencers_stop_outlasts_the_phrase_of_a_follower(models: Path) -> None:
    rig = Rig(models, keys={"silence": 0.5})
    rig.open(controls={"sync": "midi"})
    pulse(rig, 30)
    rig.hear(on(60))
    pulse(rig, 4)
    rig.hear(b"\xfc", off(60))
    rig.run(1.0)
    assert rig.kinds()[-1] == "fed" and not rig.house.stage.sessions["a"].playing
    rig.hear(b"\xfb")
    pulse(rig, 4)
    assert rig.house.stage.sessions["a"].playing


def test_after_a_pause_somebody_may_let_it_play_again(models: Path) -> None:
    rig = Rig(models, keys={"silence": 0.5})
    rig.open()
    rig.run(0.2)
    rig.hear(on(60))
    stop_by_pause(rig)
    rig.house.say(rig.house.join(), "play", session="a")
    rig.hear(off(60), on(64), off(64))
    rig.run(0.6)
    assert rig.kinds()[-2:] == ["fed", "playing"]


def test_the_end_of_the_engine_is_nobodys_pause(models: Path) -> None:
    rig = Rig(models, keys={"silence": 0.5})
    rig.open()
    rig.run(0.2)
    rig.hear(on(60))
    rig.house.say(rig.house.join(), "play", session="a")
    rig.house.lose_engine()
    rig.run(0.8)
    assert rig.ear.last("paused")["reason"] == "engine"
    rig.hear(off(60), on(64), off(64))
    rig.run(0.6)
    assert rig.kinds()[-2:] == ["fed", "playing"]


def test_a_phrase_is_no_longer_than_a_prime_may_be(models: Path) -> None:
    rig = Rig(models)
    rig.open(controls={"rate": 200})
    rig.run(0.2)
    for _ in range(30):
        rig.hear(on(60))
        rig.run(0.9, step=0.1)
        rig.hear(off(60))
    rig.run(1.1, step=0.1)
    assert rig.ear.last("fed")["position"] > 4000
    assert not rig.ear.of("error")


def test_keys_take_the_place_of_frames_in_time(models: Path) -> None:
    rig = Rig(models, keys={"keys": "feed"})
    rig.open()
    rig.run(1.0)
    rig.hear(on(60))
    rig.run(0.2)
    rig.hear(on(64), off(64))  # shorter than a frame
    rig.run(0.1)
    rig.hear(off(60))
    rig.run(1.0)
    assert rig.fed() == [[60]] * 4 + [[60, 64]] + [[60]]
    symbols = rig.ear.of("symbol")
    assert [m["n"] for m in symbols] == list(range(len(symbols)))
    gaps = [b["due"] - a["due"] for a, b in zip(symbols, symbols[1:], strict=False)]
    assert gaps == pytest.approx([0.05] * len(gaps))
    assert not symbols[-1].get("fed")


def test_keys_are_not_fed_to_what_does_not_play(models: Path) -> None:
    rig = Rig(models, keys={"keys": "feed"})
    rig.open(play=False)
    rig.hear(on(60))
    rig.run(0.3)
    assert rig.fed() == []
    assert rig.input.next_time() == math.inf


def test_keys_that_are_off_do_nothing(models: Path) -> None:
    rig = Rig(models, keys={"keys": "off"})
    rig.open()
    rig.run(0.2)
    rig.hear(on(60), off(60), cc(64, 127))
    rig.run(2)
    assert rig.kinds() == ["opened"]


def test_other_channels_are_not_heard(models: Path) -> None:
    rig = Rig(models, keys={"channel": 3})
    rig.open()
    rig.run(0.1)
    rig.hear(on(60, channel=2))
    assert rig.kinds() == ["opened"]
    rig.hear(on(60, channel=3))
    assert rig.kinds() == ["opened", "paused"]


# A model of performances without an engine: the tests look at the requests that it gets.


def performance_stage() -> tuple[Stage, Ear]:
    codec = PerformanceCodec()
    card = Card("piano", "P", codec.to_json(), {}, defaults={"rate": 20.0})
    return stage_of(card), Ear()


@pytest.mark.parametrize("keys", ["answer", "feed"])
def test_keys_become_events_for_a_model_of_performances(keys: Any) -> None:
    from stream_rnn.wire import messages as wire

    stage, ear = performance_stage()
    config = MidiConfig(in_=(MidiIn(port="k", session="a", keys=keys, silence=0.5),))
    listening = MidiInput(config, stage, TransportFollower(stage))
    stage.handle(ear, wire.Open(model="piano", session="a"), 10.0)
    listening.heard(0, 10.0, on(60, 82), 10.0)
    listening.heard(0, 10.25, off(60), 10.25)
    listening.tick(10.8)
    events = [m["event"] for m in ear.of("symbol")]
    if keys == "answer":
        assert events == [{"velocity": 82}, {"on": 60}, {"shift": 0.25}, {"off": 60}]
        assert ear.last("playing")
    else:
        assert events == [{"velocity": 82}, {"on": 60}, {"off": 60}]
        assert not ear.of("paused")


# Echoes


def test_what_we_sent_is_not_taken_for_input(models: Path) -> None:
    rig = Rig(models)
    rig.open()
    rig.run(0.3)
    rig.input.sent(rig.now + 0.02, on(60, channel=4))
    rig.run(0.03)
    rig.hear(on(60, channel=4))
    rig.run(0.1)
    rig.input.sent(rig.now, off(60, channel=4))
    rig.hear(off(60, channel=4))
    assert rig.kinds() == ["opened"]
    rig.run(0.2)
    rig.hear(on(60, channel=4))  # too late for an echo
    assert rig.kinds() == ["opened", "paused"]


# Controllers

TEMPERATURE = MidiControl(cc=21, control="temperature")


def test_a_controller_moves_its_control_over_the_range_of_a_fader(models: Path) -> None:
    rig = Rig(models, control=(TEMPERATURE,))
    rig.open()
    rig.hear(cc(21, 127))
    assert rig.ear.last("controlled")["controls"]["temperature"] == 2.0
    rig.run(0.05)
    rig.hear(cc(21, 0))
    assert rig.ear.last("controlled")["controls"]["temperature"] == 0.0


def test_of_many_movements_few_are_done_and_the_last_for_certain(models: Path) -> None:
    rig = Rig(models, control=(TEMPERATURE,))
    rig.open()
    for value in range(100):
        rig.hear(cc(21, value))
        rig.run(0.001, step=0.001)
    rig.run(0.05)
    changes = rig.ear.of("controlled")
    assert 4 <= len(changes) <= 7
    assert changes[-1]["controls"]["temperature"] == pytest.approx(2 * 99 / 127)


def test_channel_and_session_say_what_a_controller_is_for(models: Path) -> None:
    rig = Rig(models, control=(MidiControl(cc=1, control="bpm", session="b*", channel=2),))
    for name in ("a", "b1", "b2"):
        rig.house.say(rig.ear, "open", model="roll", session=name)
    rig.hear(cc(1, 127, channel=1))
    assert not rig.ear.of("controlled")
    rig.hear(cc(1, 127, channel=2))
    assert {m["session"] for m in rig.ear.of("controlled")} == {"b1", "b2"}
    assert rig.ear.last("controlled")["controls"]["bpm"] == 240.0


def test_a_controller_for_nothing_is_a_mistake_in_the_configuration(models: Path) -> None:
    with pytest.raises(ConfigError, match="cc 7.*'volume' is no control.*temperature, rate"):
        Rig(models, control=(MidiControl(cc=7, control="volume"),))


def test_a_controller_is_learnt_by_moving_it(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    rig = Rig(models, control=(TEMPERATURE, MidiControl(cc=9, control="bpm")))
    rig.open()
    asker = rig.house.join()
    rig.input.learn(asker, Learn("temperature", id="/rnn/midi/learn"), rig.now)
    for value in (64, 65, 66, 65):  # trembles
        rig.hear(cc(40, value))
    rig.hear(cc(41, 3, channel=5), cc(41, 9, channel=5))
    assert asker.messages == [
        {"type": "learned", "control": "temperature", "cc": 41, "channel": 5,
         "id": "/rnn/midi/learn"}
    ]  # fmt: skip
    assert '[[midi.control]]\ncc = 41\ncontrol = "temperature"' in caplog.text
    assert rig.input.bindings == [(9, "bpm"), (41, "temperature")]  # cc 21 moves it no more
    assert rig.ear.last("controlled")["controls"]["temperature"] == pytest.approx(18 / 127)
    rig.run(0.1)
    count = len(rig.ear.of("controlled"))
    rig.hear(cc(21, 100))
    rig.run(0.1)
    assert len(rig.ear.of("controlled")) == count


@pytest.mark.parametrize(
    ("control", "least", "middle", "most"),
    [
        ("velocity", 1, 64, 127), ("transpose", -24, 0, 24), ("top_k", 0, 64, 127),
        ("channel", 1, 9, 16), ("top_p", 0.0, 64 / 127, 1.0),
    ],
)  # fmt: skip
def test_controls_in_whole_numbers_have_controllers_too(
    models: Path, control: str, least: float, middle: float, most: float
) -> None:
    rig = Rig(models, control=(MidiControl(cc=1, control=control),))
    rig.open()
    for place, value in ((0, least), (64, middle), (127, most)):
        rig.hear(cc(1, place))
        rig.run(0.03)
        assert rig.ear.last("controlled")["controls"][control] == pytest.approx(value)
    assert not rig.ear.of("error")


def test_the_faders_of_a_blend_are_those_of_a_mixer(models: Path) -> None:
    names = {1: "Ada", 2: "Bo"}
    rig = Rig(models, control=[MidiControl(cc=n, control=f"artist {a}") for n, a in names.items()])
    rig.open("verse", controls={"artist": "Cy"})
    rig.house.say(rig.ear, "open", model="roll", session="mute")

    def move(controller: int, place: int) -> dict[str, float]:
        rig.hear(cc(controller, place))
        rig.run(0.03)
        blend: dict[str, float] = rig.ear.last("controlled")["controls"]["artist"]
        return blend

    assert move(1, 127) == {"Cy": 0.5, "Ada": 0.5}  # beside what was there
    rig.house.say(rig.ear, "control", session="a", controls={"artist": "Ada"})
    assert move(2, 127) == {"Ada": 0.5, "Bo": 0.5}
    assert move(1, 0) == {"Bo": 1.0}
    assert move(2, 0) == {"Bo": 1.0}, "all are down: it stays as it is"
    assert move(1, 64) == {"Ada": 1.0}, "and Bo is down still"
    assert move(2, 32) == pytest.approx({"Ada": 64 / 96, "Bo": 32 / 96})
    assert move(1, 32) == {"Ada": 0.5, "Bo": 0.5}
    assert {m["session"] for m in rig.ear.of("controlled")} == {"a"}
    assert not [m for m in rig.ear.of("error") if m.get("session") == "mute"]
    with pytest.raises(ProtocolError, match="no model here has the artist 'Zed'"):
        rig.input.learn(rig.ear, Learn("artist Zed"), rig.now)
    with pytest.raises(ConfigError, match="cc 7: no model here has the artist 'Zed'"):
        Rig(models, control=(MidiControl(cc=7, control="artist Zed"),))


def test_what_is_learnt_is_kept_in_a_file(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "learnt.toml"
    config = {"control": (TEMPERATURE, MidiControl(cc=9, control="bpm")), "learnt": str(path)}
    rig = Rig(models, **config)
    for control, number in (("temperature", 40), ("artist Ada", 41), ("rate", 42)):
        rig.input.learn(rig.ear, Learn(control, "a*" if number == 41 else "*"), rig.now)
        rig.hear(cc(number, 0, channel=3), cc(number, 99, channel=3))
    rig.input.forget(rig.ear, Forget("rate"), rig.now)
    there = [(9, "bpm"), (40, "temperature"), (41, "artist Ada")]
    assert rig.input.bindings == there
    again = Rig(models, **config)
    assert again.input.bindings == there
    again.open("verse", controls={"artist": "Bo"})
    again.hear(cc(41, 127, channel=3))
    assert again.ear.last("controlled")["controls"]["artist"] == {"Ada": 0.5, "Bo": 0.5}
    again.input.forget(again.ear, Forget(), again.now)
    # What is configured is there again after a restart; what was learnt is forgotten.
    assert Rig(models, **config).input.bindings == [(21, "temperature"), (9, "bpm")]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("learnt")] == ["learnt.toml"]


def test_a_file_of_what_was_learnt_that_cannot_be_is_told(
    models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "learnt.toml"
    path.write_text('[[midi.control]]\ncc = 3\ncontrol = "artist Zed"\n')
    rig = Rig(models, learnt=str(path))  # of a model that is not here today
    assert rig.input.bindings == [(3, "artist Zed")] and "artist 'Zed'" in caplog.text
    rig.open("verse")
    rig.hear(cc(3, 9))
    assert not rig.ear.of("controlled")
    for text in ('[[midi.control]]\ncc = 3\ncontrol = "volume"\n', "cc = ", "[midi]\nkeys = 3\n"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="learnt"):
            Rig(models, learnt=str(path))
    with pytest.raises(ConfigError, match="absent cannot be written to"):
        Rig(models, learnt=str(tmp_path / "absent" / "learnt.toml"))


def test_a_full_disk_stops_nobody_from_learning(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "learnt.toml"
    path.write_text('[[midi.control]]\ncc = 3\ncontrol = "rate"\n')
    rig = Rig(models, learnt=str(path))

    def fail(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    rig.input.learn(rig.ear, Learn("temperature"), rig.now)
    rig.hear(cc(4, 0), cc(4, 9))
    assert rig.ear.last("learned")["cc"] == 4
    assert "what was learnt is not kept" in caplog.text
    assert "rate" in path.read_text() and "temperature" not in path.read_text()


def test_learning_ends_when_nothing_is_moved(models: Path) -> None:
    rig = Rig(models)
    asker = rig.house.join()
    rig.input.learn(asker, Learn("temperature"), rig.now)
    rig.run(31, step=0.5)
    assert asker.last("error")["code"] == "nothing_moved"
    rig.hear(cc(41, 3), cc(41, 90))
    assert rig.input.bindings == []


def test_what_is_learnt_can_be_forgotten(models: Path) -> None:
    rig = Rig(models, control=(TEMPERATURE, MidiControl(cc=9, control="bpm")))
    asker = rig.house.join()
    rig.input.forget(asker, Forget("bpm"), rig.now)
    assert asker.last("forgotten")["control"] == "bpm"
    assert rig.input.bindings == [(21, "temperature")]
    with pytest.raises(ProtocolError, match="no controller moves 'bpm'"):
        rig.input.forget(asker, Forget("bpm"), rig.now)
    rig.input.forget(asker, Forget(), rig.now)
    assert rig.input.bindings == []
    with pytest.raises(ProtocolError, match="'volume' is no control"):
        rig.input.learn(asker, Learn("volume"), rig.now)


@pytest.mark.parametrize("controller", [120, 123])
def test_panic_by_a_controller_once_though_it_come_sixteen_times(
    models: Path, controller: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(models, keys={"panic": True})
    rig.open()
    rig.run(0.2)
    panics: list[float] = []
    panic = rig.house.stage.panic
    monkeypatch.setattr(
        rig.house.stage, "panic", lambda viewer, now: (panics.append(now), panic(viewer, now))
    )
    for channel in range(1, 17):
        rig.hear(cc(controller, 0, channel))
    assert rig.kinds() == ["opened", "paused"]
    assert len(panics) == 1


def test_our_own_silence_is_no_panic(models: Path) -> None:
    rig = Rig(models, keys={"panic": True})
    rig.open()
    rig.run(0.2)
    for channel in range(1, 17):
        rig.input.sent(rig.now, cc(123, 0, channel))
    rig.run(0.01)
    rig.hear(cc(123, 0))
    assert rig.kinds() == ["opened"]
    # The MIDI process reports when it ends all notes by itself.
    rig.run(1.0)
    rig.input.silenced(rig.now)
    rig.run(0.01)
    rig.hear(cc(123, 0))
    assert rig.kinds() == ["opened"]


RESETS = [cc(number, 0, channel) for channel in range(1, 17) for number in (121, 123, 120)]


@pytest.mark.parametrize("panic", [False, True])
@pytest.mark.parametrize("controller", [120, 123])
def test_all_notes_off_reaches_no_session_but_by_the_option(
    models: Path, controller: int, panic: bool
) -> None:
    rig = Rig(models, keys={"channel": 1, "panic": panic})
    rig.open()
    rig.house.say(rig.ear, "open", model="roll", session="another", seed=2)
    rig.run(0.2)
    rig.hear(cc(controller, 0, channel=10))  # not the input's channel
    assert not rig.ear.of("paused")
    rig.hear(cc(controller, 0))
    assert len(rig.ear.of("paused")) == 2 * panic


def test_what_a_sequencer_resets_at_play_pauses_nothing(models: Path) -> None:
    rig = Rig(models)
    rig.open()
    rig.run(0.2)
    rig.hear(*RESETS)
    rig.run(2.0)
    assert rig.kinds() == ["opened"]
    gaps = [b["due"] - a["due"] for a, b in itertools.pairwise(rig.ear.of("symbol"))]
    assert gaps == pytest.approx([0.05] * len(gaps))


@pytest.mark.parametrize("controller", [120, 123, 124, 127])
def test_all_notes_off_lets_the_keys_of_its_channel_go(models: Path, controller: int) -> None:
    rig = Rig(models, keys={"keys": "feed"})
    rig.open()
    rig.run(0.5)
    rig.hear(on(60, channel=1), on(64, channel=2))
    rig.run(0.2)
    rig.hear(cc(controller, 0, channel=1))
    rig.run(0.2)
    assert rig.fed()[-1] == [64], "the key of another channel is down still"
    rig.hear(cc(controller, 0, channel=2))
    rig.run(0.5)
    assert not rig.ear.of("symbol")[-1].get("fed")
    assert not rig.ear.of("paused")


def test_all_notes_off_with_the_last_key_ends_the_phrase_and_no_more(models: Path) -> None:
    rig = Rig(models, keys={"silence": 0.5})
    rig.open()
    rig.house.say(rig.ear, "open", model="roll", session="another", seed=2)
    rig.run(0.2)
    rig.hear(on(60), on(64))
    rig.run(0.1)
    rig.hear(off(60), cc(123, 0))  # the note-off of 64 was lost
    rig.run(0.6)
    assert rig.fed() == [[60, 64], [60, 64]]
    assert [m["session"] for m in rig.ear.of("paused")] == ["a"]
    assert rig.ear.last("playing")["session"] == "a"


def test_a_pedal_that_a_reset_lifts_rings_no_further(models: Path) -> None:
    rig = Rig(models, keys={"silence": 0.5})
    rig.open()
    rig.run(0.2)
    rig.hear(cc(64, 127), on(60), off(60))
    rig.run(0.1)
    rig.hear(cc(121, 0))
    rig.run(0.05)
    rig.hear(on(72))
    rig.run(0.05)
    rig.hear(off(72))
    rig.run(0.6)
    assert rig.fed() == [[60], [60], [], [72]]


# The clock


def pulse(rig: Rig, count: int, bpm: float = 120.0) -> None:
    for _ in range(count):
        rig.hear(b"\xf8")
        rig.run(60 / bpm / 24, step=0.005)


def test_a_session_follows_the_clock_from_its_start_on(models: Path) -> None:
    rig = Rig(models, keys={"keys": "off"})
    rig.open(play=False, controls={"sync": "midi"})
    pulse(rig, 30, 140.0)
    assert rig.ear.last("controlled")["controls"]["bpm"] == pytest.approx(140.0, abs=0.5)
    rig.hear(b"\xfa")
    begun = rig.now
    pulse(rig, 24 * 8, 140.0)
    rig.hear(b"\xfc")
    assert rig.ear.last("paused")
    tempo = Tempo(140.0, 0.0, begun)
    steps = [tempo.beat_at(m["due"]) * 4 for m in rig.ear.of("symbol")]
    assert steps[0] == pytest.approx(0.0, abs=0.2)  # 20 ms are a fifth of a step
    assert steps[1:] == pytest.approx(range(1, len(steps)), abs=0.02)
    assert len(steps) == 33  # the last was handed out when the stop came


def test_a_clock_that_falls_silent_leaves_the_tempo(models: Path) -> None:
    rig = Rig(models, keys={"keys": "off"})
    rig.open(controls={"sync": "midi"})
    pulse(rig, 24 * 5, 90.0)
    count = len(rig.ear.of("symbol"))
    rig.run(4.0)
    assert len(rig.ear.of("symbol")) - count == pytest.approx(24, abs=2)  # 6 a second


def test_a_clock_that_falls_silent_and_comes_back_is_told(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    rig = Rig(models, keys={"keys": "off"})
    rig.open(controls={"sync": "midi"})
    pulse(rig, 30, 20.0)
    assert rig.ear.last("controlled")["controls"]["bpm"] == pytest.approx(20.0, abs=0.2)
    assert "silent" not in caplog.text
    rig.run(0.6)
    assert caplog.text.count("MIDI clock: keys is silent") == 1
    assert rig.input.next_time() == math.inf
    pulse(rig, 10, 20.0)
    assert [r.message for r in caplog.records if r.message == "MIDI clock: keys"] == [
        "MIDI clock: keys"
    ] * 2


def test_a_sequencer_may_send_its_clock_while_it_is_stopped(models: Path) -> None:
    rig = Rig(models, keys={"keys": "off"})
    rig.open(play=False, controls={"sync": "midi"})
    pulse(rig, 100, 150.0)
    assert not rig.ear.of("playing")
    rig.hear(b"\xfa")
    pulse(rig, 24 * 4, 150.0)
    rig.hear(b"\xfc")
    rig.run(0.05)
    count = len(rig.ear.of("symbol"))
    pulse(rig, 24 * 3 + 5, 150.0)
    assert len(rig.ear.of("symbol")) == count == pytest.approx(17, abs=1)
    rig.hear(b"\xfb")
    pulse(rig, 24 * 4, 150.0)
    assert len(rig.ear.of("symbol")) == pytest.approx(count + 16, abs=2)


def test_one_clock_is_followed_until_it_falls_silent(models: Path) -> None:
    house = House(models)
    config = MidiConfig(in_=(MidiIn(port="one"), MidiIn(port="two")))
    listening = MidiInput(config, house.stage, TransportFollower(house.stage))
    heard = house.stage.tempi.heard
    for i in range(60):
        now = i * 60 / 100 / 24
        listening.heard(0, now, b"\xf8", now)
        listening.heard(1, now + 0.001, b"\xf8\xf8", now + 0.001)
    assert heard["midi"].bpm == pytest.approx(100.0, abs=0.1)
    for i in range(60):
        now = 10.0 + i * 60 / 80 / 24
        listening.heard(1, now, b"\xf8", now)
    assert heard["midi"].bpm == pytest.approx(80.0, abs=0.1)


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_nothing_that_can_be_heard_raises(chunks: list[bytes]) -> None:
    stage, ear = performance_stage()
    config = MidiConfig(in_=(MidiIn(port="k", session="a"),), control=(TEMPERATURE,))
    listening = MidiInput(config, stage, TransportFollower(stage))
    for i, chunk in enumerate(chunks):
        listening.heard(0, i * 0.3, chunk, i * 0.3)
        if listening.next_time() <= i * 0.3:
            listening.tick(i * 0.3)


def test_keys_are_up_when_their_port_goes(models: Path) -> None:
    rig = Rig(models, keys={"keys": "feed"})
    rig.open()
    rig.run(0.5)
    rig.hear(on(60), on(64), on(67)[:2])
    rig.run(0.5)
    assert [60, 64] in rig.fed()
    rig.input.gone(0, rig.now)
    rig.run(0.1)  # what was handed out already
    before = len(rig.fed())
    rig.run(1.0)
    assert len(rig.fed()) == before
    rig.hear(bytes((80,)))  # what completes half a message of before
    rig.run(0.5)
    assert len(rig.fed()) == before
    rig.hear(on(72))
    rig.run(0.5)
    assert rig.fed()[-1] == [72]


def test_an_answer_comes_though_the_keyboard_has_gone(models: Path) -> None:
    rig = Rig(models, keys={"silence": 0.5})
    rig.open()
    rig.run(0.5)
    rig.hear(cc(64, 127), on(60), on(64))
    rig.run(0.3)
    rig.input.gone(0, rig.now)
    rig.run(0.45)
    assert rig.kinds()[-1] == "paused"
    rig.run(0.1)
    assert rig.kinds()[-2:] == ["fed", "playing"]
    # The pedal is up, too: the next phrase's notes are as long as their keys were down.
    before = len(rig.fed())
    rig.hear(on(60))
    rig.run(0.1)
    rig.hear(off(60))
    rig.run(0.2)
    rig.hear(on(64))
    rig.run(0.1)
    rig.hear(off(64))
    rig.run(1.0)
    fed = rig.fed()[before:]
    assert [60] in fed and [60, 64] not in fed
