"""The loop of the MIDI process, with ports that only remember."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from stream_rnn.midi import process
from stream_rnn.midi.messages import (
    Event,
    Heard,
    MidiOptions,
    Ping,
    Play,
    PortSpec,
    Silenced,
    decode_events,
    encode,
)
from stream_rnn.pipe import FrameReader, frame

ON = bytes((0x90, 60, 80))
OFF = bytes((0x80, 60, 0))
QUIET = bytes((0xB0, 123, 0))


class Port:
    """A port that is there, and keeps what is sent."""

    connected = "ear"

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.comes_back = False

    def check(self) -> bool:
        came, self.comes_back = self.comes_back, False
        return came

    def send(self, data: bytes) -> None:
        self.sent.append(data)


class Rig:
    """A process in a thread, and the gateway's end of its pipe."""

    def __init__(self) -> None:
        self.gateway, self.theirs = socket.socketpair()
        self.port = Port()
        self.process = process.Process(self.theirs, MidiOptions(outs=(PortSpec("ear"),)))
        self.process._outs, self.process._trouble = [self.port], ""  # type: ignore[list-item]
        self._reader = FrameReader()

    def say(self, *commands: Any) -> None:
        self.gateway.sendall(frame(encode(commands)))

    def hear(self) -> list[Event]:
        """What has been said by now."""
        heard: list[Event] = []
        self.gateway.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while data := self.gateway.recv(1 << 20):
                for body in self._reader.feed(data):
                    heard += decode_events(body)
        self.gateway.setblocking(True)
        return heard

    def until(self, what: Any, seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, self.port.sent
            time.sleep(0.005)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(process, "SILENT_GATEWAY", 0.4)
    rig = Rig()

    def run() -> None:
        with contextlib.suppress(ConnectionResetError):  # as `main` does
            rig.process.run()

    thread = threading.Thread(target=run)
    thread.start()
    yield rig
    rig.gateway.close()
    thread.join(5)
    assert not thread.is_alive()
    rig.theirs.close()


def test_notes_end_though_the_gateway_hangs_while_much_is_heard(rig: Rig) -> None:
    rig.say(Play(((0.0, 0, ON),)))
    rig.until(lambda: ON in rig.port.sent)
    began, count = time.monotonic(), 0
    while OFF not in rig.port.sent:  # nobody reads
        for _ in range(200):
            rig.process._hear(0, bytes((0x90, count % 128, 64)))
            count += 1
        time.sleep(0.001)
        assert time.monotonic() - began < 5, "it waits for the gateway"
    assert rig.port.sent == [ON, OFF, QUIET]


def test_what_a_gateway_that_hangs_cannot_take_is_bounded_and_then_all_goes_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process, "BACKLOG", 20_000)
    for count in range(60_000):
        rig.process._hear(0, bytes((0x90, count % 128, 64)))
        if count % 500 == 0:
            time.sleep(0.002)
    rig.until(lambda: not rig.process._heard)
    assert len(rig.process._unsaid) < 100_000
    assert caplog.text.count("the gateway does not read; what is heard is lost") == 1
    heard = []
    rig.until(lambda: heard.extend(rig.hear()) or not rig.process._unsaid)
    assert 100 < sum(isinstance(event, Heard) for event in heard) < 60_000
    rig.say(Ping())
    rig.process._hear(0, OFF)
    # The answer to the ping may come before it or after it.
    rig.until(
        lambda: (
            heard.extend(rig.hear()) or any(isinstance(e, Heard) and e.data == OFF for e in heard)
        )
    )


def test_what_it_ends_by_itself_it_says_before(rig: Rig) -> None:
    rig.say(Play(((0.0, 0, ON),)))
    rig.until(lambda: ON in rig.port.sent)
    before = time.monotonic()
    rig.until(lambda: OFF in rig.port.sent)  # after the silence of the gateway
    told = [event for event in rig.hear() if isinstance(event, Silenced)]
    assert len(told) == 1 and before <= told[0].time <= time.monotonic()
    rig.say(Play(((0.0, 0, ON),)))
    rig.until(lambda: rig.port.sent.count(ON) == 2)
    rig.process._player.lose(0)
    rig.port.comes_back = True
    rig.until(lambda: rig.port.sent.count(QUIET) == 2)
    assert sum(isinstance(event, Silenced) for event in rig.hear()) == 1
