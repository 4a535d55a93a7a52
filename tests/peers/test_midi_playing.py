"""Keyboards, knobs and pads on JACK: what they mean to the sessions that they play with."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers.midi_rig import keyboard, listener, stage
from peers.programs import jack_ports, needs, until
from talker import Talker

pytestmark = [pytest.mark.peer, needs("jackd", "oscsend", "setpriv")]

CONFIG = """
[midi]
api = "jack"
[[midi.in]]
port = "keys:out"
session = "s"
silence = 0.4
channel = 1
[[midi.in]]
port = "other:out"
session = "s"
silence = 0.4
"""


def here(folder: Path, *ports: str) -> None:
    until(lambda: all(f"is here: {p}" in (folder / "server.log").read_text() for p in ports))
    time.sleep(0.5)  # while JACK takes new connections up, it may drop messages


def cc(number: int, value: int, channel: int = 1) -> bytes:
    return bytes((0xB0 | channel - 1, number, value))


def frames(talker: Talker) -> list[set[int]]:
    """What was fed, each frame once."""
    fed = [set(m["notes"]) for m in talker.heard if m["type"] == "symbol" and m.get("fed")]
    return [frame for frame, _ in itertools.groupby(fed)]


def kinds(talker: Talker) -> list[tuple[str, str]]:
    return [
        (m["type"], m["session"])
        for m in talker.heard
        if m["type"] in ("paused", "playing", "fed", "reset")
    ]


def test_all_notes_off_and_a_sequencers_resets_pause_nobody(models: Path, tmp_path: Path) -> None:
    with (
        stage(models, tmp_path, config=CONFIG) as (server, env),
        keyboard(env) as keys,
        keyboard(env, "other"),
        Talker(server.http) as talker,
    ):
        here(tmp_path, "keys:out", "other:out")
        for name in ("s", "t"):
            talker.ask("open", "opened", model="roll", session=name, controls={"rate": 20})
        talker.symbols(5)
        for channel, number in itertools.product(range(1, 17), (120, 121, 123)):
            keys.send(cc(number, 0, channel))
        talker.symbols(40)
        assert kinds(talker) == []
        # A keyboard that says so with its last key, whose note-off it leaves out.
        keys.send(bytes((0x90, 60, 90)))
        time.sleep(0.2)
        keys.send(cc(123, 0, 10))  # not its channel
        time.sleep(0.2)
        keys.send(cc(123, 0))
        talker.until("playing")
        assert kinds(talker) == [("paused", "s"), ("fed", "s"), ("playing", "s")]
        assert frames(talker) == [{60}]


def test_two_who_play_one_session(models: Path, tmp_path: Path) -> None:
    with (
        stage(models, tmp_path, config=CONFIG) as (server, env),
        keyboard(env) as one,
        keyboard(env, "other") as two,
        Talker(server.http) as talker,
    ):
        here(tmp_path, "keys:out", "other:out")
        talker.ask("open", "opened", model="roll", session="s", controls={"rate": 20})
        talker.symbols(5)
        two.send(bytes((0x90, 72, 90)))
        talker.until("paused")
        time.sleep(0.2)
        one.play(60, 0.2)
        time.sleep(1.0)
        two.send(bytes((0x80, 72, 0)))
        let_go = time.monotonic()
        talker.until("playing")
        assert time.monotonic() - let_go > 0.35, "it did not answer over the key that was held"
        assert frames(talker) == [{72}, {60, 72}, {72}]
        talker.symbols(5)
        one.send(bytes((0x90, 60, 90)))
        talker.until("paused")
        talker.ask("pause", "paused", session="s")
        one.send(bytes((0x80, 60, 0)))
        talker.until("fed")
        time.sleep(0.5)
        talker.ask("ping", "pong", t0=0)
        assert kinds(talker)[-1] == ("fed", "s"), "a pause holds"
        one.play(60, 0.1)
        talker.until("playing")


def learn(port: int, *words: str) -> None:
    tags = "".join("s" for _ in words)
    subprocess.run(["oscsend", "127.0.0.1", str(port), "/rnn/midi/learn", tags, *words], check=True)
    time.sleep(0.2)


def pair(number: int, value: int) -> Iterator[bytes]:
    yield cc(number, value >> 7)
    yield cc(number + 32, value & 127)


def test_knobs_encoders_and_pads_are_learnt_and_kept(models: Path, tmp_path: Path) -> None:
    config = CONFIG.replace('api = "jack"', f'api = "jack"\nlearnt = "{tmp_path / "learnt.toml"}"')

    def controls(talker: Talker) -> Any:
        time.sleep(0.1)
        talker.ask("ping", "pong", t0=0)
        return [m for m in talker.heard if m["type"] == "controlled"][-1]["controls"]

    with (
        stage(models, tmp_path, config=config) as (server, env),
        keyboard(env) as keys,
        keyboard(env, "other"),
        Talker(server.http) as talker,
    ):
        here(tmp_path, "keys:out", "other:out")
        talker.ask("open", "opened", model="roll", session="s", controls={"temperature": 1.0})
        learn(server.osc, "density")
        for value in range(8000, 8400, 25):
            for message in pair(7, value):
                keys.send(message)
            time.sleep(0.002)
        for message in pair(7, 12288):
            keys.send(message)
        assert controls(talker)["density"] == pytest.approx(-6 + 12 * 12288 / 16383)
        learn(server.osc, "temperature")
        for value in (65, 65, 65, 63, 63, 65):
            keys.send(cc(20, value))
            time.sleep(0.03)
        assert controls(talker)["temperature"] == pytest.approx(1.0, abs=0.1), "it did not jump"
        learn(server.osc, "toggle", "s")
        pad = bytes((0x99, 36, 100)), bytes((0x89, 36, 0))
        for message in pad:
            keys.send(message)
        time.sleep(0.1)
        assert kinds(talker) == []
        for expected in ("paused", "playing"):
            for message in pad:
                keys.send(message)
            talker.until(expected)
        kept = (tmp_path / "learnt.toml").read_text()
        assert 'mode = "14-bit"' in kept and 'mode = "relative-offset"' in kept
        assert "note = 36" in kept and 'control = "toggle"' in kept
        assert frames(talker) == []


def test_the_clock_goes_on_while_its_session_is_paused(models: Path, tmp_path: Path) -> None:
    config = '[midi]\napi = "jack"\n[[midi.out]]\nport = "ear:in"\nclock = "s"\n'
    config += 'clock_runs = "always"\n'
    with (
        stage(models, tmp_path, config=config) as (server, env),
        listener(env) as wire,
        Talker(server.http) as talker,
    ):
        until(lambda: [p for p in jack_ports(env) if p == "ear:in"])
        here(tmp_path, "ear:in")
        talker.ask("open", "opened", model="roll", session="s", play=False, controls={"bpm": 120})

        def pulses(seconds: float) -> int:
            time.sleep(0.3)
            before = sum(data == b"\xf8" for _, data in wire.heard)
            time.sleep(seconds)
            return sum(data == b"\xf8" for _, data in wire.heard) - before

        assert pulses(2.0) == pytest.approx(96, abs=10)
        talker.ask("play", "playing", session="s")
        assert pulses(2.0) == pytest.approx(96, abs=10)
        talker.ask("pause", "paused", session="s")
        talker.ask("control", "controlled", session="s", controls={"bpm": 60})
        assert pulses(2.0) == pytest.approx(48, abs=8)
        transport = [data for _, data in wire.heard if data in (b"\xfa", b"\xfb", b"\xfc")]
        assert transport == [b"\xfa", b"\xfc"]
