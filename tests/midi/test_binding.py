"""Which binding of RtMidi is loaded, and the message if there is none."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest

from stream_rnn.cli import main
from stream_rnn.midi import binding
from stream_rnn.midi.binding import NoMidi, load
from stream_rnn.midi.messages import MidiOptions, Ports, PortSpec
from stream_rnn.midi.process import Process


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    binding._import.cache_clear()
    yield
    binding._import.cache_clear()


@pytest.fixture
def none_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in binding.BINDINGS:
        monkeypatch.setitem(sys.modules, module, None)  # importing it fails


def test_the_other_is_taken_where_the_first_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = binding.BINDINGS
    monkeypatch.setitem(sys.modules, first, None)
    module = ModuleType(second)
    module.BINDING = taken = SimpleNamespace()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, second, module)
    assert load() is taken


@pytest.mark.usefixtures("none_installed")
def test_without_any_it_is_said_what_is_missing_and_what_to_install() -> None:
    with pytest.raises(NoMidi) as caught:
        load()
    said = str(caught.value)
    for package in binding.BINDINGS.values():
        assert package in said
    assert f"pip install {binding.TO_INSTALL}" in said


@pytest.mark.usefixtures("none_installed")
def test_ports_fails_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ports"]) == 1
    assert f"pip install {binding.TO_INSTALL}" in capsys.readouterr().err


@pytest.mark.usefixtures("none_installed")
def test_the_midi_process_lives_without_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = Process(theirs, MidiOptions(outs=(PortSpec("synth"),)))
        process._bell.close()
        process._read_bell.close()
        said: list[object] = []
        monkeypatch.setattr(process, "_say", said.extend)
        for look in range(5):
            process._look_at_ports(look * 10.0)
        (ports,) = said
        assert isinstance(ports, Ports) and ports.outs == (None,)
        assert "pip install" in ports.trouble
