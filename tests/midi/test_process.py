"""The loop of the MIDI process, with ports that only record what is sent to them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from stream_rnn.midi import process, rack
from stream_rnn.midi.jack_watch import Cord, Made
from stream_rnn.midi.messages import (
    Heard,
    MidiOptions,
    Ping,
    Play,
    Ports,
    PortSpec,
    Report,
    Silenced,
    Unheard,
    decode_events,
    encode,
)
from stream_rnn.pipe import FrameReader, frame

ON = bytes((0x90, 60, 80))
OFF = bytes((0x80, 60, 0))
QUIET = bytes((0xB0, 123, 0))


class Port:
    """A port that is there, and keeps what is sent."""

    connected: str | None = "ear"
    spec = PortSpec("ear")

    def __init__(self, own: str | None = None) -> None:
        self.own = own
        self.sent: list[bytes] = []
        self.comes_back = False

    def check(self) -> bool:
        came, self.comes_back = self.comes_back, False
        return came

    def drop(self) -> None:
        self.connected = None

    def send(self, data: bytes) -> None:
        self.sent.append(data)


class Rig:
    """A process in a thread, and the gateway's end of its pipe."""

    def __init__(self) -> None:
        self.gateway, self.theirs = socket.socketpair()
        self.port = Port()
        self.process = process.Process(self.theirs, MidiOptions(outs=(PortSpec("ear"),)))
        self.process._rack.outs, self.process._rack.trouble = [self.port], ""  # type: ignore[list-item]
        self._reader = FrameReader()

    def say(self, *commands: Any) -> None:
        self.gateway.sendall(frame(encode(commands)))

    def hear(self) -> list[Report]:
        """The reports that have come so far."""
        heard: list[Report] = []
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
    while OFF not in rig.port.sent:  # and nobody reads the reports
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
    assert caplog.text.count("the gateway does not read; incoming MIDI messages are lost") == 1
    heard = []
    rig.until(lambda: heard.extend(rig.hear()) or not rig.process._unsaid)
    assert 100 < sum(isinstance(event, Heard) for event in heard) < 60_000
    rig.say(Ping())
    rig.process._hear(0, OFF)
    # The answer to the ping may come before this message or after it.
    rig.until(
        lambda: (
            heard.extend(rig.hear()) or any(isinstance(e, Heard) and e.data == OFF for e in heard)
        )
    )


def test_what_it_ends_by_itself_it_says_before(rig: Rig) -> None:
    rig.say(Play(((0.0, 0, ON),)))
    rig.until(lambda: ON in rig.port.sent)
    before = time.monotonic()
    rig.until(lambda: OFF in rig.port.sent)  # because the gateway has been silent
    told = [event for event in rig.hear() if isinstance(event, Silenced)]
    assert len(told) == 1 and before <= told[0].time <= time.monotonic()
    rig.say(Play(((0.0, 0, ON),)))
    rig.until(lambda: rig.port.sent.count(ON) == 2)
    rig.process._player.lose(0)
    rig.port.comes_back = True
    rig.until(lambda: rig.port.sent.count(QUIET) == 2)
    assert sum(isinstance(event, Silenced) for event in rig.hear()) == 1


class Watch:
    """Gives notices as JACK would, made by the test."""

    def __init__(self) -> None:
        self.news: deque[Made | Cord] = deque()
        self.cords: set[tuple[str, str]] = set()
        self.ends = {"me:out", "me:in", "me-01:of another server"}

    def ours(self) -> set[str]:
        return set(self.ends)

    def has_cord(self, ours: str, theirs: str) -> bool:
        return (ours, theirs) in self.cords


@pytest.fixture
def watched(rig: Rig) -> Rig:
    rig.port.own = "me:out"
    keys = Port("me:in")
    keys.connected = "keys"
    rig.process._rack.ins = [keys]  # type: ignore[list-item]
    rig.process._rack.watch = Watch()  # type: ignore[assignment]
    rig.say(Play(((0.0, 0, ON),)))
    rig.until(lambda: ON in rig.port.sent)
    rig.until(lambda: any(isinstance(event, Ports) for event in rig.hear()))  # the first look
    return rig


def notice(rig: Rig, *news: Made | Cord) -> None:
    assert rig.process._rack.watch is not None
    rig.process._rack.watch.news.extend(news)
    rig.process._ring()


def test_a_cord_put_in_again_is_told_what_it_missed(watched: Rig) -> None:
    notice(watched, Cord("me:out", "ear", False), Cord("me:elsewhere", "ear", True))
    watched.say(Play(((0.0, 0, OFF),)))
    watched.until(lambda: OFF in watched.port.sent)
    notice(watched, Cord("me:out", "ear", True))
    watched.until(lambda: watched.port.sent == [ON, OFF, OFF, QUIET])
    assert sum(isinstance(event, Silenced) for event in watched.hear()) == 1


def test_an_input_whose_cord_is_taken_out_says_so_after_what_it_heard(watched: Rig) -> None:
    watched.process._heard.append(Heard(0, 1.0, ON))
    notice(watched, Cord("keys", "me:in", False), Cord("keys", "me:in", True))
    heard: list[Report] = []
    watched.until(lambda: heard.extend(watched.hear()) or Unheard(0) in heard)
    told = [event for event in heard if isinstance(event, Heard | Unheard)]
    assert told == [Heard(0, 1.0, ON), Unheard(0)]


def test_a_port_made_anew_under_its_name_is_lost_and_found(watched: Rig) -> None:
    notice(watched, Made("elsewhere"), Made("ear"))
    heard: list[Report] = []
    watched.until(lambda: heard.extend(watched.hear()) or watched.port.connected is None)
    watched.until(lambda: heard.extend(watched.hear()) or Ports((None,), ("keys",)) in heard)
    watched.port.connected, watched.port.comes_back = "ear", True
    watched.until(lambda: watched.port.sent == [ON, OFF, QUIET])
    watched.until(lambda: heard.extend(watched.hear()) or Ports(("ear",), ("keys",)) in heard)


def test_a_port_that_is_connected_still_was_not_made_anew(watched: Rig) -> None:
    """The notice that a port was made may come only after the port was found and connected."""
    assert watched.process._rack.watch is not None
    watched.process._rack.watch.cords.add(("me:out", "ear"))  # type: ignore[attr-defined]
    notice(watched, Made("ear"))
    watched.until(lambda: not watched.process._rack.watch.news)  # type: ignore[union-attr]
    time.sleep(0.02)
    assert watched.port.connected == "ear"
    assert not any(isinstance(event, Ports) for event in watched.hear())


def test_after_much_was_lost_keys_are_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.process._rack.ins = [Port("me:in")]  # type: ignore[list-item]
    monkeypatch.setattr(process, "BACKLOG", 20_000)
    for count in range(60_000):
        rig.process._hear(0, bytes((0x90, count % 128, 64)))
        if count % 500 == 0:
            time.sleep(0.002)
    rig.until(lambda: not rig.process._heard)
    heard: list[Report] = []
    rig.until(lambda: heard.extend(rig.hear()) or not rig.process._unsaid)
    rig.process._hear(0, OFF)
    rig.until(lambda: heard.extend(rig.hear()) or heard[-1] == Heard(0, heard[-1].time, OFF))
    assert heard[-2] == Unheard(0)


def test_what_jack_may_have_dropped_is_sent_again(watched: Rig) -> None:
    notice(watched, Cord("me:out", "ear", False))
    watched.say(Play(((0.0, 0, OFF),)))
    watched.until(lambda: OFF in watched.port.sent)
    notice(watched, Cord("me:out", "ear", True))
    watched.until(lambda: watched.port.sent[2:] == [OFF, QUIET] * (1 + rack.REPEATS))
    time.sleep(2.2 * process.SCAN)
    assert watched.port.sent[2:] == [OFF, QUIET] * (1 + rack.REPEATS), "and then no more"


def test_our_own_end_is_known_by_its_coming(watched: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ends: set[str] = watched.process._rack.watch.ends  # type: ignore[union-attr]

    def check() -> bool:
        ends.add("me-02:out")
        watched.port.connected = "ear"
        return True

    monkeypatch.setattr(watched.port, "check", check)
    watched.port.drop()
    watched.until(lambda: watched.port.own == "me-02:out")
