"""MIDI clock on JACK: one that comes in is followed, and the followers' beat goes out again."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest
from peers.midi_rig import Keys, keyboard, listener, stage
from peers.programs import jack_ports, needs, until
from talker import Talker

pytestmark = [pytest.mark.peer, needs("jackd", "setpriv")]

BPM = 110.0
PULSE = 60 / BPM / 24
CONFIG = """
[midi]
api = "jack"
[[midi.in]]
port = "keys:out"
keys = "off"
[[midi.out]]
port = "thru"
virtual = true
clock = "s"
"""


class Sequencer:
    """Sends start, and pulses at their times until it is told to stop."""

    def __init__(self, keys: Keys, bpm: float = BPM) -> None:
        self._keys, self.bpm = keys, bpm
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.began = time.monotonic() + 0.1
        self._thread.start()

    def _run(self) -> None:
        self._keys.send(b"\xfa")
        due = self.began
        while not self._stop.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            self._keys.send(b"\xf8")
            due += 60 / self.bpm / 24
        self._keys.send(b"\xfc")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def residuals(places: list[float], times: list[float]) -> tuple[float, list[float]]:
    """The slope of a line through the points, and how far off it they are."""
    n = len(places)
    x, y = sum(places) / n, sum(times) / n
    slope = sum((a - x) * (b - y) for a, b in zip(places, times, strict=True))
    slope /= sum((a - x) ** 2 for a in places)
    return slope, [b - y - slope * (a - x) for a, b in zip(places, times, strict=True)]


def most(errors: list[float]) -> float:
    """What nine in ten of some errors are below."""
    return sorted(map(abs, errors))[int(0.9 * len(errors))]


def test_a_clock_is_followed_and_sent_on(models: Path, tmp_path: Path) -> None:
    with (
        stage(models, tmp_path, config=CONFIG) as (server, env),
        keyboard(env) as keys,
        listener(env) as wire,
        Talker(server.http) as talker,
    ):
        until(lambda: "is here: keys:out" in (tmp_path / "server.log").read_text())
        ours = until(lambda: [p for p in jack_ports(env) if p.endswith(":thru")])[0]
        subprocess.run(["jack_connect", ours, "ear:in"], env=env, check=True)
        talker.ask(
            "open", "opened", model="roll", session="s", play=False, controls={"sync": "midi"}
        )
        sequencer = Sequencer(keys)
        talker.until("playing")
        symbols = talker.symbols(80)
        sequencer.stop()
        talker.until("paused")
        settled = symbols[16:]
        slope, off = residuals([m["n"] for m in settled], [m["due"] for m in settled])
        assert 60 / slope / 4 == pytest.approx(BPM, rel=0.002)
        # JACK puts each pulse off by up to a period, a machine that is busy by more: 12 ms seen.
        assert most(off) < 0.004
        late = [m["due"] - sequencer.began - m["n"] * 6 * PULSE for m in settled]
        assert 0 < sum(late) / len(late) < 0.020  # that of two periods, and of the pipe

        until(lambda: wire.heard[-1][1] == b"\xfc")
        messages = [data for _, data in wire.heard if data[0] >= 0xF0]
        assert messages[0] == b"\xfa"
        pulses = [moment for moment, data in wire.heard if data == b"\xf8"]
        # On a busy machine a listener in Python misses a cycle of JACK now and then.
        assert 80 * 6 - 12 <= len(pulses) <= 86 * 6
        slope, off = residuals([*map(float, range(96, 468))], pulses[96:468])
        assert slope == pytest.approx(PULSE, rel=0.01)
        assert most(off) < 0.006


def test_jumps_of_the_clock_are_followed_within_a_beat_or_two(models: Path, tmp_path: Path) -> None:
    with (
        stage(models, tmp_path, config=CONFIG) as (server, env),
        keyboard(env) as keys,
        Talker(server.http) as talker,
    ):
        log = tmp_path / "server.log"
        until(lambda: "is here: keys:out" in log.read_text())
        talker.ask(
            "open", "opened", model="roll", session="s", play=False, controls={"sync": "midi"}
        )
        sequencer = Sequencer(keys, 20.0)  # which a server that expects 120 has to find out
        talker.until("playing")
        for bpm in (20.0, 180.0, 30.0, 240.0, 60.0, 400.0):
            sequencer.bpm = bpm
            time.sleep(2 * 60 / bpm + 0.6)  # viewers are told twice a second
            talker.ask("ping", "pong", t0=0)
            told = [m for m in talker.heard if m["type"] == "controlled"][-1]
            assert told["controls"]["bpm"] == pytest.approx(bpm, rel=0.06)
        sequencer.stop()
        talker.until("paused")
        until(lambda: "MIDI clock: keys:out is silent" in log.read_text())
