"""Controllers of every kind, configured and learnt, with a whole stage."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from midi_house import Rig, cc, off, on

from stream_rnn.config import MidiControl, read_config
from stream_rnn.errors import ConfigError, ProtocolError
from stream_rnn.wire.learning import Forget, Learn


def wheel(value: int, channel: int = 1) -> bytes:
    return bytes((0xE0 | channel - 1, value & 127, value >> 7))


def aftertouch(value: int, channel: int = 1) -> bytes:
    return bytes((0xD0 | channel - 1, value))


def key_aftertouch(pitch: int, value: int, channel: int = 1) -> bytes:
    return bytes((0xA0 | channel - 1, pitch, value))


def program(number: int, channel: int = 1) -> bytes:
    return bytes((0xC0 | channel - 1, number))


def pair(number: int, value: int) -> tuple[bytes, bytes]:
    return cc(number, value >> 7), cc(number + 32, value & 127)


class Desk(Rig):
    """A controller, and what it has done."""

    def __init__(self, models: Path, *controls: MidiControl, **config: Any) -> None:
        config.setdefault("keys", {"keys": "off"})
        super().__init__(models, control=controls, **config)

    def turn(self, *messages: bytes) -> Any:
        """Moves something; returns the controls of the session then."""
        for message in messages:
            self.hear(message)
            self.run(0.03)
        return self.house.stage.sessions["a"].controls

    def learn(self, control: str, *messages: bytes, session: str = "*", **options: Any) -> Any:
        """Learns by some messages; returns the events, without their fields at defaults."""
        asker = self.house.join()
        self.input.learn(asker, Learn(control, session, tuple(options.items())), self.now)
        for message in messages:
            self.hear(message)
            self.run(0.002)
        self.run(0.03)
        return [
            {k: v for k, v in m.items() if k not in ("type", "id", "control")}
            for m in asker.of("learned")
        ]


# 14 bits


def test_a_pair_of_controllers_is_learnt_as_one_and_moves_finely(models: Path) -> None:
    desk = Desk(models)
    desk.open()
    turned = [m for value in range(8000, 8300, 20) for m in pair(7, value)]
    told = desk.learn("temperature", *turned)
    assert told == [{"number": 7, "channel": 1, "kind": "14-bit"}]
    for value in (0, 1, 5, 130, 9000, 16383):
        controls = desk.turn(*pair(7, value))
        assert controls.temperature == pytest.approx(2.0 * value / 16383, abs=1e-9)
    # Where only the finer half has changed, it alone is sent.
    assert desk.turn(cc(39, 0)).temperature == pytest.approx(2.0 * (127 << 7) / 16383)


def test_a_pair_makes_one_change_and_no_jump_between_its_halves(models: Path) -> None:
    desk = Desk(models, MidiControl(control="temperature", cc=7, mode="14-bit"))
    desk.open()
    desk.turn(*pair(7, 8191))
    count = len(desk.ear.of("controlled"))
    desk.hear(*pair(7, 8192))  # 63, 127 to 64, 0
    desk.run(0.05)
    (change,) = desk.ear.of("controlled")[count:]
    assert change["controls"]["temperature"] == pytest.approx(2.0 * 8192 / 16383)
    # A knob that has no finer half reaches the end all the same.
    assert desk.turn(cc(7, 127)).temperature == 2.0


def test_a_coarse_half_that_keeps_coming_is_not_put_off_for_ever(models: Path) -> None:
    desk = Desk(models, MidiControl(control="temperature", cc=7, mode="14-bit"))
    desk.open()
    for value in range(100):
        desk.hear(cc(7, value))
        desk.run(0.002, step=0.002)
    assert len(desk.ear.of("controlled")) >= 5


def test_a_slow_pair_is_not_learnt_by_its_finer_half(models: Path) -> None:
    desk = Desk(models)
    desk.open()
    told = desk.learn("temperature", *pair(7, 1000), *pair(7, 1005), *pair(7, 1020))
    assert told == [], "less than a step of 128"
    # Without its coarse half, a controller above 31 counts as a controller of its own.
    told = desk.learn("rate", cc(41, 3), cc(41, 50), *pair(9, 2000), *pair(9, 2050))
    assert told[0] == {"cc": 41, "channel": 1}
    assert told[-1] == {"number": 9, "channel": 1, "kind": "14-bit"}
    assert desk.input.bindings == [(9, "rate")]


def test_a_coarse_half_may_be_learnt_before_its_finer_half_shows(models: Path) -> None:
    desk = Desk(models)
    desk.open()
    told = desk.learn("rate", cc(9, 10), cc(9, 20), *pair(9, 3000), *pair(9, 3050))
    assert told == [
        {"cc": 9, "channel": 1}, {"number": 9, "channel": 1, "kind": "14-bit"}
    ]  # fmt: skip
    # Two knobs whose numbers happen to be 32 apart, one after the other.
    told = desk.learn("density", cc(10, 10), cc(10, 20))
    desk.run(0.2)
    desk.turn(*(cc(42, value) for value in range(20)))
    assert desk.input.bindings == [(9, "rate"), (10, "density")]
    assert desk.turn(cc(10, 127)).density == 6.0


def test_what_is_forgotten_is_not_learnt_again_by_its_next_values(models: Path) -> None:
    desk = Desk(models)
    desk.open()
    desk.learn("temperature", *[cc(20, 1)] * 3)
    desk.input.forget(desk.ear, Forget("temperature"), desk.now)
    desk.turn(*[cc(20, 65)] * 3)
    assert desk.input.bindings == []


def test_nrpn_is_learnt(models: Path) -> None:
    desk = Desk(models)
    desk.open()
    select = (cc(99, 2), cc(98, 44))
    told = desk.learn("temperature", *select, cc(6, 10), cc(38, 0), cc(6, 20), cc(38, 5))
    assert told == [{"number": 300, "channel": 1, "kind": "nrpn"}]
    controls = desk.turn(*select, cc(6, 127), cc(38, 127))
    assert controls.temperature == 2.0
    before = controls.temperature
    controls = desk.turn(cc(99, 2), cc(98, 45), cc(6, 0), cc(38, 0))  # another parameter
    assert controls.temperature == before


# Encoders

TURNS = {"relative-twos": (1, 127), "relative-offset": (65, 63), "relative-sign": (1, 65)}


@pytest.mark.parametrize("mode", TURNS)
def test_an_encoder_is_learnt_and_moves_by_steps(models: Path, mode: str) -> None:
    up, down = (cc(20, value) for value in TURNS[mode])
    desk = Desk(models)
    desk.open(controls={"temperature": 1.0})
    told = desk.learn("temperature", up, up, up, down, down, up)
    assert told[-1] == {"number": 20, "channel": 1, "kind": mode}
    assert desk.turn(up).temperature == pytest.approx(1.0, abs=0.12), "it has not jumped"
    before = desk.turn(up).temperature
    assert desk.turn(up, up).temperature == pytest.approx(before + 2 * 2.0 / 127)
    assert desk.turn(down, down).temperature == pytest.approx(before)
    for _ in range(150):
        desk.hear(down)
    desk.run(0.1)
    assert desk.turn(down).temperature == 0.0
    assert not desk.ear.of("error")


def test_of_many_steps_none_is_lost(models: Path) -> None:
    desk = Desk(models, MidiControl(control="transpose", cc=20, mode="relative-offset"))
    desk.open()
    for _ in range(10):
        desk.hear(cc(20, 65))
        desk.run(0.002, step=0.002)
    desk.run(0.05)
    assert desk.turn(cc(20, 66)).transpose == 12
    desk.house.say(desk.ear, "control", session="a", controls={"transpose": 40})
    assert desk.turn(cc(20, 65)).transpose == 40, "outside of the range it goes no further"
    assert desk.turn(cc(20, 62)).transpose == 38


def test_an_encoder_may_move_an_artists_fader(models: Path) -> None:
    desk = Desk(models, MidiControl(control="artist Ada", cc=20, mode="relative-twos"))
    desk.open("verse", controls={"artist": {"Bo": 1.0}})
    assert desk.turn(cc(20, 63), cc(20, 63)).artist == pytest.approx(
        {"Ada": 126 / 253, "Bo": 127 / 253}
    )


def test_a_knob_is_not_taken_for_an_encoder_for_long(models: Path) -> None:
    desk = Desk(models)
    desk.open()
    told = desk.learn("temperature", *(cc(20, v) for v in (1, 1, 2, 2, 3, 9, 20, 40)))
    assert told[-1] == {"cc": 20, "channel": 1}
    assert desk.turn(cc(20, 127)).temperature == 2.0


def test_a_coding_may_be_named(models: Path) -> None:
    desk = Desk(models)
    desk.open(controls={"temperature": 1.0})
    told = desk.learn("temperature", cc(20, 65), mode="relative-sign")
    assert told == [{"number": 20, "channel": 1, "kind": "relative-sign"}]
    assert desk.turn(cc(20, 65)).temperature == pytest.approx(1.0 - 2 * 2.0 / 127)
    with pytest.raises(ProtocolError, match="Invalid enum value 'relative'.*mode"):
        desk.learn("temperature", mode="relative")
    with pytest.raises(ProtocolError, match="no option 'speed' of learn; there are: mode, low"):
        desk.learn("temperature", speed=2)


# Ranges


def test_a_knob_has_the_range_that_it_was_given(models: Path) -> None:
    desk = Desk(
        models,
        MidiControl(control="temperature", cc=20, low=0.5, high=1.5),
        MidiControl(control="transpose", cc=21, low=12, high=-12),
        MidiControl(control="density", cc=22, low=2.0, high=-2.0, mode="relative-twos"),
    )
    desk.open()
    for place, value in ((0, 0.5), (127, 1.5)):
        assert desk.turn(cc(20, place)).temperature == value
    for place, value in ((0, 12), (127, -12)):
        assert desk.turn(cc(21, place)).transpose == value
    assert desk.turn(cc(22, 1)).density == pytest.approx(-4.0 / 127), "it is inverted"
    desk.hear(*[cc(22, 1)] * 200)
    desk.run(0.1)
    assert desk.turn(cc(22, 1)).density == -2.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"control": "temperature", "low": -1.0}, "low of 'temperature' must be from 0 to 100"),
        ({"control": "velocity", "high": 200.0}, "high of 'velocity' must be from 1 to 127"),
        ({"control": "play", "low": 0.0}, "'play' is an action: it takes no low"),
        ({"control": "artist Ada", "pickup": True}, "'artist Ada' is a weight in a blend"),
        ({"control": "artist Ada", "high": 2.0}, "high of 'artist Ada' must be from 0 to 1"),
        ({"control": "volume", "value": 3.0}, "'volume' is no control that can be set to a value"),
    ],
)
def test_what_cannot_be_is_told_when_the_file_is_read(
    models: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"cc 20: {message}"):
        Desk(models, MidiControl(cc=20, **fields))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "needs one of cc, nrpn, note.*not 0 of them"),
        ("cc = 3\nnote = 4", "not 2 of them"),
        ('cc = 40\nmode = "14-bit"', "cc 40 cannot be the first of a 14-bit pair"),
        ('note = 40\nmode = "relative-twos"', "mode 'relative-twos' is for a controller"),
        ("wheel = 3", r"wheel|control\[0\]"),
    ],
)
def test_a_controller_that_cannot_be_is_told(tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "serve.toml"
    path.write_text(f'[[midi.control]]\ncontrol = "rate"\n{lines}\n')
    with pytest.raises(ConfigError, match=message):
        read_config(path)


# Soft takeover


def test_a_knob_picks_a_control_up_where_somebody_has_left_it(models: Path) -> None:
    desk = Desk(models, MidiControl(control="temperature", cc=20))
    desk.open()
    assert desk.turn(cc(20, 100)).temperature == pytest.approx(2.0 * 100 / 127)
    desk.house.say(desk.ear, "control", session="a", controls={"temperature": 0.5})  # at 31.75
    for place in (99, 60, 40, 34):
        assert desk.turn(cc(20, place)).temperature == 0.5, "it does not jump"
    assert desk.turn(cc(20, 31)).temperature == pytest.approx(2.0 * 31 / 127), "it has met it"
    assert desk.turn(cc(20, 90)).temperature == pytest.approx(2.0 * 90 / 127)
    # A fast movement passes it between two messages.
    desk.house.say(desk.ear, "control", session="a", controls={"temperature": 0.5})
    assert desk.turn(cc(20, 10)).temperature == pytest.approx(2.0 * 10 / 127)
    desk.house.say(desk.ear, "control", session="a", controls={"temperature": 0.5})
    assert desk.turn(cc(20, 100)).temperature == pytest.approx(2.0 * 100 / 127)


def test_pickup_may_be_asked_for_from_the_start_or_never(models: Path) -> None:
    desk = Desk(
        models,
        MidiControl(control="temperature", cc=20, pickup=True),
        MidiControl(control="density", cc=21, pickup=False),
    )
    desk.open(controls={"temperature": 1.0})
    assert desk.turn(cc(20, 100), cc(20, 80)).temperature == 1.0
    assert desk.turn(cc(20, 60)).temperature == pytest.approx(2.0 * 60 / 127)
    desk.turn(cc(21, 0))
    desk.house.say(desk.ear, "control", session="a", controls={"density": 3.0})
    assert desk.turn(cc(21, 1)).density == pytest.approx(-6 + 12 / 127)


def test_two_knobs_of_one_control_pick_it_up_from_each_other(models: Path) -> None:
    desk = Desk(*(models, *(MidiControl(control="temperature", cc=n) for n in (20, 21))))
    desk.open()
    desk.turn(cc(20, 64), cc(21, 127))
    assert desk.turn(cc(20, 65)).temperature == 2.0
    assert desk.turn(cc(20, 127)).temperature == 2.0
    assert desk.turn(cc(20, 120)).temperature == pytest.approx(2.0 * 120 / 127)


def test_each_session_is_picked_up_where_it_is(models: Path) -> None:
    desk = Desk(models, MidiControl(control="temperature", cc=20))
    desk.open()
    desk.house.say(desk.ear, "open", model="roll", session="b", seed=1)
    desk.turn(cc(20, 100))
    desk.house.say(desk.ear, "control", session="b", controls={"temperature": 0.1})
    desk.turn(cc(20, 90))
    sessions = desk.house.stage.sessions
    assert sessions["a"].controls.temperature == pytest.approx(2.0 * 90 / 127)
    assert sessions["b"].controls.temperature == 0.1


def test_what_springs_back_has_no_place_to_be_picked_up(models: Path) -> None:
    desk = Desk(models, MidiControl(control="temperature", wheel=True))
    desk.open()
    desk.turn(wheel(8192))
    desk.house.say(desk.ear, "control", session="a", controls={"temperature": 0.1})
    assert desk.turn(wheel(16383)).temperature == 2.0


# Other sources


@pytest.mark.parametrize(
    ("source", "messages", "number"),
    [
        ("wheel", [wheel(v) for v in (8192, 9000, 16383)], 0),
        ("aftertouch", [aftertouch(v) for v in (0, 60, 127)], 0),
        ("key_aftertouch", [key_aftertouch(38, v) for v in (0, 60, 127)], 38),
        ("note", [on(38, 127)], 38),
    ],
)
def test_a_control_is_moved_by_what_was_learnt(
    models: Path, source: str, messages: list[bytes], number: int
) -> None:
    desk = Desk(models)
    desk.open()
    told = desk.learn("temperature", *messages)
    assert told == [{"number": number, "channel": 1, "kind": source}]
    assert desk.house.stage.sessions["a"].controls.temperature == 2.0


def test_keys_that_are_played_teach_no_control(models: Path) -> None:
    desk = Desk(models, keys={"keys": "feed"})
    desk.open()
    assert desk.learn("temperature", on(60), off(60), on(61), off(61)) == []
    assert desk.fed()


# Pads


def playing(desk: Desk, session: str = "a") -> bool:
    return desk.house.stage.sessions[session].playing


@pytest.mark.parametrize(
    ("press", "told"),
    [
        ([on(36, channel=10), off(36, channel=10)], {"number": 36, "channel": 10, "kind": "note"}),
        ([program(4)], {"number": 4, "channel": 1, "kind": "program"}),
        ([cc(50, 127), cc(50, 0)], {"cc": 50, "channel": 1}),
        ([cc(50, 127)], {"cc": 50, "channel": 1}),  # one that says nothing when it is let go
    ],
)
def test_transport_is_learnt_by_pads_buttons_and_programs(
    models: Path, press: list[bytes], told: dict[str, Any]
) -> None:
    desk = Desk(models, keys={"keys": "answer", "channel": 1})
    desk.open()
    desk.run(0.2)
    assert desk.learn("toggle", *press) == [told]
    assert playing(desk), "what teaches does nothing yet"
    for expected in (False, True, False):
        desk.turn(*press)
        assert playing(desk) == expected
    assert not desk.fed() and not desk.ear.of("error")


def test_each_action_does_what_it_says(models: Path) -> None:
    actions = ("play", "pause", "reset", "panic", "toggle")
    desk = Desk(models, *(MidiControl(control=a, note=36 + n) for n, a in enumerate(actions)))
    for name in ("a", "b"):
        desk.house.say(desk.ear, "open", model="roll", session=name, seed=1)
    desk.run(0.3)
    press = {a: (on(36 + n), off(36 + n)) for n, a in enumerate(actions)}
    desk.turn(*press["pause"])
    assert not playing(desk) and not playing(desk, "b")
    desk.turn(*press["play"])
    assert playing(desk) and playing(desk, "b")
    desk.house.say(desk.ear, "pause", session="b")
    desk.turn(*press["toggle"])
    assert not playing(desk) and not playing(desk, "b"), "one played, so all are paused"
    desk.turn(*press["toggle"])
    assert playing(desk) and playing(desk, "b")
    desk.turn(*press["reset"])
    assert {m["session"] for m in desk.ear.of("reset")} == {"a", "b"}
    desk.turn(*press["panic"])
    assert not playing(desk) and not playing(desk, "b")
    assert not desk.ear.of("error")


def test_a_pad_sets_a_control_to_its_value(models: Path) -> None:
    desk = Desk(
        models,
        MidiControl(control="artist", note=36, value="Ada"),
        MidiControl(control="artist", program=3, value="Bo=1 Cy=3"),
        MidiControl(control="temperature", cc=50, value=0.25),
    )
    desk.open("verse")
    assert desk.turn(on(36)).artist == {"Ada": 1.0}
    assert desk.turn(program(3)).artist == {"Bo": 0.25, "Cy": 0.75}
    assert desk.turn(program(4)).artist == {"Bo": 0.25, "Cy": 0.75}
    assert desk.turn(cc(50, 127), cc(50, 0)).temperature == 0.25
    told = desk.learn("artist", on(37), value="Cy")
    assert told == [{"number": 37, "channel": 1, "kind": "note"}]
    assert desk.turn(on(37)).artist == {"Cy": 1.0}
    assert desk.turn(on(36)).artist == {"Ada": 1.0}, "each value has its pad"
    assert not desk.ear.of("error")


def test_a_fader_that_passes_the_middle_presses_once(models: Path) -> None:
    desk = Desk(models, MidiControl(control="reset", cc=50))
    desk.open()
    desk.turn(*(cc(50, v) for v in range(40, 100, 3)))
    assert len(desk.ear.of("reset")) == 1


def test_a_pad_is_no_key_even_on_the_channel_of_the_keys(models: Path) -> None:
    desk = Desk(models, MidiControl(control="reset", note=36), keys={"keys": "feed"})
    desk.open()
    desk.run(0.2)
    desk.turn(on(36), off(36))
    assert len(desk.ear.of("reset")) == 1 and not desk.fed()
    desk.turn(on(60), off(60))
    assert desk.fed()


def test_a_pad_pauses_for_good_though_another_plays(models: Path) -> None:
    desk = Desk(models, MidiControl(control="pause", note=36, channel=10), keys={"silence": 0.3})
    desk.open()
    desk.run(0.2)
    desk.turn(on(60), on(36, channel=10), off(60))
    desk.run(1.0)
    assert desk.ear.of("fed") and not playing(desk)


def test_our_own_program_change_that_comes_back_presses_nothing(models: Path) -> None:
    desk = Desk(models, MidiControl(control="reset", program=19))
    desk.open()
    desk.input.sent(desk.now, program(19))
    desk.turn(program(19))
    assert not desk.ear.of("reset")
    desk.run(0.3)
    desk.turn(program(19))
    assert len(desk.ear.of("reset")) == 1


# The file


def test_what_is_learnt_of_any_kind_is_there_after_a_restart(models: Path, tmp_path: Path) -> None:
    config = {"learnt": str(tmp_path / "learnt.toml")}
    desk = Desk(models, **config)
    desk.open()
    desk.learn("toggle", on(36, channel=10), session="a")
    desk.learn("artist", program(3), value='Emily "D"', session="verse")
    desk.learn("temperature", *[cc(20, 65)] * 3, cc(20, 63), low=1.5, high=0.5)
    desk.learn("rate", *(m for v in range(0, 900, 100) for m in pair(7, v)), pickup=1)
    desk.learn("density", *(wheel(v) for v in (8192, 16383)), low=-1, high=1)
    again = Desk(models, **config)
    assert again.input._knobs.bindings == desk.input._knobs.bindings == [
        MidiControl(control="toggle", session="a", channel=10, note=36),
        MidiControl(
            control="artist", session="verse", channel=1, program=3, value='Emily "D"'
        ),
        MidiControl(
            control="temperature", channel=1, cc=20, mode="relative-offset", low=1.5, high=0.5
        ),
        MidiControl(control="rate", channel=1, cc=7, mode="14-bit", pickup=True),
        MidiControl(control="density", channel=1, wheel=True, low=-1.0, high=1.0),
    ]  # fmt: skip
    again.open()
    assert again.turn(wheel(16383)).density == 1.0
    again.input.forget(again.ear, Forget("artist"), again.now)
    assert len(Desk(models, **config).input.bindings) == 4


def test_an_old_file_is_read_as_it_was(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "learnt.toml"
    path.write_text(
        '[[midi.control]]\ncc = 40\ncontrol = "temperature"\nsession = "*"\nchannel = 3\n'
    )
    desk = Desk(models, learnt=str(path))
    desk.open()
    assert desk.turn(cc(40, 127, channel=3)).temperature == 2.0
    assert not math.isfinite(desk.input.next_time())
