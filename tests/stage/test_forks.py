"""Only a fork's opener hears it, and sinks that name it; all sinks do once it is played."""

from __future__ import annotations

from pathlib import Path

import pytest
from adapters.midi.test_out import Synth
from support import Ear, House

from stream_rnn.adapters.midi.recording import Recorder
from stream_rnn.adapters.osc.targets import TargetSink, form_of
from stream_rnn.config import MidiOut, OscTarget
from stream_rnn.stage.subscribers import fits


@pytest.fixture
def house(models: Path) -> House:
    return House(models)


def playing(house: House) -> Ear:
    ear = house.join()
    house.say(ear, "open", model="roll", session="main", seed=5)
    house.run(1.0)
    return ear


def fork(house: House, name: str = "main-2") -> Ear:
    maker = house.join()
    house.say(maker, "fork", session="main", **{"as": name})
    return maker


def ports(synth: Synth) -> set[int]:
    """The ports on which notes began since the last call."""
    sent, synth.sent = synth.listen(), []
    return {port for _, port, data in sent if data[0] >> 4 == 9}


def velocities(synth: Synth) -> set[int]:
    sent, synth.sent = synth.listen(), []
    return {data[2] for _, _, data in sent if data[0] >> 4 == 9}


def test_a_fork_is_heard_by_its_maker_and_not_on_a_port_for_all(house: House) -> None:
    synth = Synth(house, MidiOut(port="x"))
    playing(house)
    maker = fork(house)
    assert maker.last("opened")["silent"] is True and maker.last("opened")["playing"] is True
    house.say(maker, "control", session="main-2", controls={"velocity": 33})
    house.run(1.0)
    assert len(maker.of("symbol", "main-2")) > 10
    assert velocities(synth) == {80}
    house.say(maker, "play", session="main-2")
    house.run(1.0)
    assert velocities(synth) == {33, 80}
    late = house.join()
    house.say(late, "attach", session="main-2")
    assert "silent" not in late.last("opened")


def test_a_fork_with_a_place_of_its_own_sounds_there_and_then_everywhere(house: House) -> None:
    synth = Synth(
        house,
        MidiOut(port="all"),
        MidiOut(port="b", session="b-*"),
        MidiOut(port="?", session="?*"),
    )
    ear = playing(house)
    maker = fork(house, "b-2")
    house.say(ear, "pause", session="main")
    house.run(0.5)
    ports(synth)
    house.run(1.0)
    assert ports(synth) == {1}
    house.say(maker, "play", session="b-2")
    house.run(1.0)
    assert ports(synth) == {0, 1, 2}
    house.say(maker, "close", session="b-2")
    house.run(0.5)
    assert not synth.sounding()


def test_targets_and_recordings_do_as_ports_do(house: House, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "x.mid", "*", house.clock.now)
    targets = [OscTarget(port=1), OscTarget(port=1, session="main-*")]
    packets: list[list[bytes]] = [[], []]
    sinks = [
        TargetSink(target, form_of(target), sent.append, house.clock)
        for target, sent in zip(targets, packets, strict=True)
    ]
    for sink in (recorder, *sinks):
        house.stage.add_sink(sink)
    playing(house)
    maker = fork(house)
    house.run(1.0)
    assert [b"/rnn/main-2/frame" in b"".join(sent) for sent in packets] == [False, True]
    assert recorder.wants("main-2") and not recorder.wants("main-2", silent=True)
    house.say(maker, "play", session="main-2")
    house.run(0.5)
    assert b"/rnn/main-2/frame" in b"".join(packets[0])
    recorder.close()


def test_a_fork_stays_silent_until_it_is_played_whatever_else_is_done_to_it(house: House) -> None:
    synth = Synth(house, MidiOut(port="x"))
    ear = playing(house)
    maker = fork(house)
    house.say(ear, "pause", session="main")
    house.run(0.5)
    ports(synth)
    for type, fields in (
        ("rewind", {"to": 3}), ("control", {"controls": {"temperature": 2}}), ("reset", {}),
        ("control", {"controls": {}, "model": "verse"}), ("attach", {}),
    ):  # fmt: skip
        house.say(maker, type, session="main-2", **fields)
        house.run(0.5)
    assert not maker.of("error") and not ports(synth)
    house.say(maker, "pause", session="main-2")
    house.say(maker, "play", session="main-2")
    house.run(2.0)
    assert ports(synth) == {0}


@pytest.mark.parametrize(
    ("pattern", "everybody", "fork"),
    [("*", True, False), ("?*", True, False), ("a*", True, True), ("ab", True, True),
     ("b*", False, False)],
)  # fmt: skip
def test_a_pattern_for_all_is_not_for_forks(pattern: str, everybody: bool, fork: bool) -> None:
    assert fits(pattern, "ab") is everybody
    assert fits(pattern, "ab", silent=True) is fork
