"""Ports by name."""

from __future__ import annotations

import pytest

from stream_rnn.midi.binding import DriverError
from stream_rnn.midi.messages import PortSpec
from stream_rnn.midi.ports import NoMidi, Port, find_port, pick_api

NAMES = [
    "stream-rnn:out",
    "stream-rnn-01:FLUID",
    "Midi Through:0",
    "FLUID Synth:in",
    "fluid:midi_00",
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("fluid", 3), ("fluid:midi", 4), ("FLUID:MIDI_00", 4), ("through", 2), ("absent", None)],
)
def test_a_port_is_found_by_its_name_or_a_part_of_it(wanted: str, found: int | None) -> None:
    assert find_port(wanted, NAMES, "stream-rnn") == found


def test_the_whole_name_goes_before_a_part() -> None:
    assert find_port("synth", ["synth 2", "synth"], "me") == 1


def test_our_own_ports_are_passed_over() -> None:
    assert find_port("stream-rnn", NAMES, "stream-rnn") is None
    assert find_port("out", NAMES, "stream-rnn") is None


def test_a_system_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no-such-server")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    with pytest.raises(NoMidi, match="no MIDI system is running"):
        pick_api("jack")


class Refusing:
    """A port of our own whose driver refuses everything."""

    def _no(self, *arguments: object) -> None:
        raise DriverError("no")

    open_virtual = ports = close = send = _no


def test_a_driver_that_refuses_everything_ends_nothing_and_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = Port(PortSpec("mine", virtual=True), Refusing, "stream-rnn")
    assert not any(port.check() for _ in range(5))
    assert port.connected is None
    assert caplog.text.count("the virtual port 'mine' cannot be made: no") == 1
    caplog.clear()
    port = Port(PortSpec("synth"), Refusing, "stream-rnn")
    assert not port.check()
    port.connected = "synth"
    for _ in range(5):
        port.send(bytes((0x90, 60, 80)))
    assert caplog.text.count("synth: no") == 1
    port.drop()
    assert port.connected is None
