"""Keyboards, synthesizers and cords that go and come back, on a real JACK server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from peers.midi_rig import PERIOD, Wire, children_of, keyboard, listener, stage
from peers.programs import (
    fluidsynth,
    jack_ports,
    jack_server,
    needs,
    running,
    stream_rnn,
    until,
)
from talker import Talker

pytestmark = [pytest.mark.peer, needs("jackd", "fluidsynth", "sox", "setpriv")]

IN = """
[midi]
api = "jack"
[[midi.in]]
port = "keys:out"
session = "s"
silence = 0.4
keys = "{keys}"
[[midi.control]]
cc = 1
control = "temperature"
"""
STEADY = {"rate": 20, "density": -6.0}  # a roll that plays next to nothing by itself


def came(log: Path, count: int = 1) -> None:
    """Waits until the keyboard was found so often."""
    until(lambda: log.read_text().count("is here: keys:out") == count, why=log.read_text)
    time.sleep(0.3)  # while JACK takes new connections up, it may drop messages


def gone(log: Path, count: int = 1) -> None:
    until(lambda: log.read_text().count("'keys:out' is not here") == count, why=log.read_text)


def fed(talker: Talker, symbols: int) -> list[list[int]]:
    """What of the next symbols was fed."""
    heard = talker.symbols(symbols)
    return [m["notes"] for m in heard if m.get("fed")]


def catch_up(talker: Talker) -> None:
    """Reads what came while something else was waited for, and what was handed out by then."""
    talker.ask("ping", "pong", t0=0)
    talker.symbols(3)


def fed_soon(talker: Talker, notes: list[int]) -> None:
    """Waits until these keys are in the stream."""
    for _ in range(100):
        if notes in fed(talker, 1):
            return
    raise AssertionError(f"{notes} were not fed")


def test_what_is_unplugged_and_put_back_is_heard_again(models: Path, tmp_path: Path) -> None:
    """Notes, a controller and a clock, three times."""
    log = tmp_path / "server.log"
    with (
        stage(models, tmp_path, config=IN.format(keys="feed")) as (server, env),
        Talker(server.http) as talker,
    ):
        for time_round in range(1, 4):
            name = f"f{time_round}"
            with keyboard(env) as keys:
                until(lambda n=time_round: log.read_text().count("is here: keys:out") == n)
                time.sleep(0.3)
                if time_round == 1:
                    talker.ask("open", "opened", model="roll", session="s", controls=STEADY)
                keys.send(bytes((0x90, 60 + time_round, 90)))
                fed_soon(talker, [60 + time_round])
                keys.send(bytes((0x80, 60 + time_round, 0)))
                value = 32 * time_round
                keys.send(bytes((0xB0, 1, value)))
                told = talker.until("controlled")
                assert told["controls"]["temperature"] == pytest.approx(2 * value / 127)
                sync = {"sync": "midi"}
                talker.ask("open", "opened", model="roll", session=name, controls=sync)
                for _ in range(72):
                    keys.send(b"\xf8")
                    time.sleep(60 / (80 + 20 * time_round) / 24)
                told = talker.until("controlled")
                while "bpm" not in told["changed"]:
                    told = talker.until("controlled")
                talker.ask("close", "closed", session=name)
            until(lambda n=time_round: log.read_text().count("'keys:out' is not here") == n + 1)


@contextlib.contextmanager
def held(models: Path, folder: Path, keys: str) -> Iterator[tuple[Talker, object]]:
    """A session into which two keys are held down; and what ends the keyboard."""
    log = folder / "server.log"
    with (
        stage(models, folder, config=IN.format(keys=keys)) as (server, env),
        Talker(server.http) as talker,
    ):
        board = contextlib.ExitStack()
        with board:
            piano = board.enter_context(keyboard(env))
            came(log)
            talker.ask("open", "opened", model="roll", session="s", controls=STEADY)
            talker.symbols(5)
            for pitch in (60, 64):
                piano.send(bytes((0x90, pitch, 90)))
            yield talker, (board, server, env, log)


def test_keys_that_are_down_when_a_keyboard_goes_are_up(models: Path, tmp_path: Path) -> None:
    with held(models, tmp_path, "feed") as (talker, (board, _, env, log)):  # type: ignore[misc]
        fed_soon(talker, [60, 64])
        board.close()
        gone(log, 2)
        catch_up(talker)
        assert fed(talker, 20) == []
        with keyboard(env) as keys:
            came(log, 2)
            assert fed(talker, 10) == []
            keys.send(bytes((0x90, 67, 90)))
            fed_soon(talker, [67])


def test_an_answer_does_not_wait_for_keys_of_a_keyboard_that_is_gone(
    models: Path, tmp_path: Path
) -> None:
    with held(models, tmp_path, "answer") as (talker, (board, *_)):  # type: ignore[misc]
        talker.until("paused")
        began = time.monotonic()
        board.close()
        talker.until("playing", timeout=5)
        assert time.monotonic() - began < 5, "and not after the 20 s of a key that was forgotten"


def test_keys_are_up_when_the_midi_process_dies(models: Path, tmp_path: Path) -> None:
    with held(models, tmp_path, "feed") as (talker, (_, server, env, log)):  # type: ignore[misc]
        fed_soon(talker, [60, 64])
        os.kill(children_of(server.pid)[1], signal.SIGKILL)
        came(log, 2)
        catch_up(talker)
        assert fed(talker, 20) == []


def test_keys_are_up_when_a_cord_is_taken_out_and_heard_when_it_is_back(
    models: Path, tmp_path: Path
) -> None:
    with held(models, tmp_path, "feed") as (talker, (_, server, env, log)):  # type: ignore[misc]
        fed_soon(talker, [60, 64])
        ours = next(p for p in jack_ports(env) if p.endswith(":keys:out") and "stream" in p)
        subprocess.run(["jack_disconnect", "keys:out", ours], env=env, check=True)
        until(lambda: "disconnected from keys:out" in log.read_text())
        catch_up(talker)
        assert fed(talker, 20) == []


def test_keys_are_up_when_the_jack_server_dies(models: Path, tmp_path: Path) -> None:
    (tmp_path / "serve.toml").write_text(IN.format(keys="feed"))
    log = tmp_path / "server.log"
    with contextlib.ExitStack() as stack:
        jack = contextlib.ExitStack()
        env, name = jack.enter_context(jack_server(tmp_path, PERIOD, end=signal.SIGKILL))
        stack.callback(jack.close)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for variable in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER"):
            patch.setenv(variable, env[variable])
        server = stack.enter_context(
            stream_rnn(models, log, "--config", str(tmp_path / "serve.toml"))
        )
        talker = stack.enter_context(Talker(server.http))
        with keyboard(env) as keys:
            came(log)
            talker.ask("open", "opened", model="roll", session="s", controls=STEADY)
            keys.send(bytes((0x90, 60, 90)))
            fed_soon(talker, [60])
            jack.close()
            until(lambda: "the MIDI process has ended" in log.read_text())
        catch_up(talker)
        assert fed(talker, 20) == []
        with jack_server(tmp_path, PERIOD, name) as (env, _), keyboard(env) as keys:
            came(log, 2)
            keys.send(bytes((0x90, 67, 90)))
            fed_soon(talker, [67])


def cord(env: Mapping[str, str], verb: str, ours: str, theirs: str) -> None:
    subprocess.run([f"jack_{verb}", ours, theirs], env=env, check=True, capture_output=True)


def our_port(env: Mapping[str, str], name: str) -> str:
    return next(p for p in jack_ports(env) if p.endswith(f":{name}") and "stream-rnn" in p)


def test_a_cord_that_is_taken_out_and_put_in_leaves_no_note(models: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with (
        stage(models, tmp_path, "--midi-out", "ear:in") as (server, env),
        listener(env) as wire,
        Talker(server.http) as talker,
    ):
        until(lambda: "is here: ear:in" in log.read_text())
        time.sleep(0.5)
        ours = our_port(env, "ear:in")
        talker.ask("open", "opened", model="roll", session="s", seed=5, controls={"rate": 20})
        for _ in range(3):
            before = wire.begun()
            until(lambda n=before: wire.begun() > n + 12 and wire.hanging(), 20)
            cord(env, "disconnect", ours, "ear:in")
            until(lambda: log.read_text().count("disconnected from ear:in"))
            talker.symbols(40)  # by then all that sounded has ended, unheard
            talker.ask("pause", "paused", session="s")
            time.sleep(0.6)
            assert wire.hanging(), "nobody could end it"
            cord(env, "connect", ours, "ear:in")
            until(lambda: not wire.hanging(), 5, lambda: str(wire.hanging()))
            talker.ask("play", "playing", session="s")
        assert log.read_text().count("connected to ear:in again") == 3


def test_what_is_held_while_a_cord_is_out_sounds_on(models: Path, tmp_path: Path) -> None:
    """A second synthesizer on the same port is not disturbed either."""
    log = tmp_path / "server.log"
    with (
        stage(models, tmp_path, "--midi-out", "ear:in") as (server, env),
        listener(env) as wire,
        listener(env, "other") as other,
        Talker(server.http) as talker,
    ):
        until(lambda: "is here: ear:in" in log.read_text())
        ours = our_port(env, "ear:in")
        cord(env, "connect", ours, "other:in")
        time.sleep(0.5)
        talker.ask("open", "opened", model="roll", session="s", seed=5, controls={"rate": 20})
        for _ in range(3):
            before = wire.begun()
            until(lambda n=before: wire.begun() > n + 12 and wire.hanging(), 20)
            cord(env, "disconnect", ours, "ear:in")
            talker.symbols(20)
            cord(env, "connect", ours, "ear:in")
            talker.symbols(10)
        talker.ask("pause", "paused", session="s")
        until(lambda: not wire.hanging() and not other.hanging())
        ends = [data for _, data in other.heard if data[0] >> 4 == 11]
        assert len(ends) <= 3 * 16


def test_a_synthesizer_falls_silent_when_its_cord_is_back(models: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    config = '[midi]\napi = "jack"\n[[midi.out]]\nport = "fluid"\nprogram = 19\n'  # an organ
    with (
        stage(models, tmp_path, config=config) as (server, env),
        Talker(server.http) as talker,
    ):
        with fluidsynth(env, tmp_path) as wav:
            until(lambda: "is here: fluid:" in log.read_text())
            time.sleep(0.5)
            ours = our_port(env, "fluid")
            talker.ask("open", "opened", model="roll", session="s", seed=5, controls={"rate": 20})
            talker.symbols(60)
            cord(env, "disconnect", ours, "fluid:midi_00")
            talker.symbols(10)
            talker.ask("pause", "paused", session="s")
            time.sleep(2.5)  # an organ sounds on
            cord(env, "connect", ours, "fluid:midi_00")
            time.sleep(4.0)
        assert level(wav, -6.0, 1.5) > 0.005, "while the cord was out it sounded on"
        assert level(wav, -1.5, 1.0) < 0.001, "and then it fell silent"


def level(wav: Path, start: float, seconds: float) -> float:
    """The root mean square of a part; `start` counts from the end."""
    trim = ["trim", f"{start}", f"{seconds}"]
    said = subprocess.run(
        ["sox", wav, "-n", *trim, "stat"], capture_output=True, text=True, check=True
    )
    return float(next(x for x in said.stderr.splitlines() if "RMS     amp" in x).split()[-1])


AGAIN = """
import jack, os, sys, threading, time
client = jack.Client("quick", no_start_server=True)
port = client.midi_inports.register("in")
lock = threading.Lock()
@client.set_process_callback
def process(frames):
    with lock:
        if port is not None:
            for _, data in port.incoming_midi_events():
                os.write(1, f"{time.monotonic()} {bytes(data).hex()}\\n".encode())
client.activate()
os.write(1, b"listening\\n")
for line in sys.stdin:
    with lock:
        old, port = port, None
    old.unregister()
    new = client.midi_inports.register("in")
    with lock:
        port = new
"""


def test_a_synthesizer_that_is_back_before_anybody_looked_is_played_on(
    models: Path, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    config = '[midi]\napi = "jack"\n[[midi.out]]\nport = "quick:in"\nprogram = 19\n'
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with stage(models, tmp_path, config=config) as (server, env):
        with (
            running([sys.executable, "-c", AGAIN], env=env, **pipes) as synth,
            Talker(server.http) as talker,
        ):
            wire = Wire(synth)
            until(lambda: "is here: quick:in" in log.read_text(), why=log.read_text)
            time.sleep(0.5)
            talker.ask("open", "opened", model="roll", session="s", seed=5, controls={"rate": 20})
            for time_round in range(1, 4):
                before = wire.begun()
                until(lambda n=before: wire.begun() > n + 12 and wire.hanging(), 20, log.read_text)
                assert synth.stdin is not None
                synth.stdin.write(b"again\n")
                synth.stdin.flush()
                until(lambda n=time_round: log.read_text().count("is here: quick:in") == n + 1)
            talker.symbols(20)
            talker.ask("pause", "paused", session="s")
            until(lambda: not wire.hanging())
            assert sum(data[0] >> 4 == 0xC for _, data in wire.heard) == 4, "with its program"
