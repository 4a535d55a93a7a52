"""MIDI with real programs: jackd, a synthesizer, and a listener that counts what is on the wire."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import mido
import pytest
from peers.programs import (
    Served,
    fluidsynth,
    free_port,
    jack_ports,
    jack_server,
    needs,
    running,
    sounds,
    stream_rnn,
    until,
)
from talker import Talker, Witness

pytestmark = [pytest.mark.peer, needs("jackd", "fluidsynth", "sox", "setpriv")]

PERIOD = 256


class Wire:
    """All MIDI messages that came to a JACK port, with their moments."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self._process = process
        assert process.stdout is not None
        self._lines = process.stdout
        assert self._lines.readline() == b"listening\n"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        for line in self._lines:
            moment, data = line.split()
            self.heard.append((float(moment), bytes.fromhex(data.decode())))

    def begun(self) -> int:
        """How many notes began."""
        return sum(data[0] >> 4 == 9 for _, data in self.heard)

    def hanging(self) -> set[tuple[int, int]]:
        """The (channel, pitch) of notes that began and did not end."""
        on = set()
        for _, data in self.heard:
            key = data[0] & 15, data[1]
            if data[0] >> 4 == 9:
                assert key not in on, f"{key} was struck again without having been ended"
                on.add(key)
            elif data[0] >> 4 == 8:
                on.discard(key)
        return on


@contextlib.contextmanager
def listener(env: Mapping[str, str], client: str = "ear") -> Iterator[Wire]:
    command = [sys.executable, "-m", "stream_rnn.bench.jack_listener", client]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with running(command, env=env, **pipes) as process:
        yield Wire(process)


@contextlib.contextmanager
def stage(
    models: Path, folder: Path, *options: str, config: str = ""
) -> Iterator[tuple[Served, dict[str, str]]]:
    """A JACK server, and stream-rnn playing on it."""
    (folder / "serve.toml").write_text(config)
    with jack_server(folder, PERIOD) as (env, _), pytest.MonkeyPatch.context() as patch:
        for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER"):
            patch.setenv(name, env[name])
        log = folder / "server.log"
        served = stream_rnn(models, log, "--config", str(folder / "serve.toml"), *options)
        with served as server:
            yield server, env


def ends(server: Served, talker: Talker, action: str) -> None:
    """One of the ways in which what sounds has to end."""
    engine, midi = children_of(server.pid)
    match action:
        case "pause" | "reset" | "close":
            if action == "reset":
                talker.ask("pause", "paused", session="s")
                talker.ask("play", "playing", session="s")
                talker.symbols(4)
            talker.ask(
                action, {"pause": "paused", "close": "closed"}.get(action, action), session="s"
            )
            if action == "reset":
                talker.ask("pause", "paused", session="s")
        case "channel":
            talker.ask("control", "controlled", session="s", controls={"channel": 5})
            talker.symbols(8)
            talker.ask("pause", "paused", session="s")
        case "model":
            talker.ask("close", "closed", session="s")
            talker.ask("open", "opened", model="verse", session="s", seed=3)
            talker.symbols(8)
            talker.ask("pause", "paused", session="s")
        case "dropped":
            talker.close()
        case "panic":
            subprocess.run(["oscsend", "127.0.0.1", str(server.osc), "/rnn/panic"], check=True)
        case "SIGTERM":
            os.kill(server.pid, signal.SIGTERM)
        case "SIGKILL of the engine":
            os.kill(engine, signal.SIGKILL)
            talker.until("paused")
        case "SIGKILL of the gateway":
            os.kill(server.pid, signal.SIGKILL)


def children_of(pid: int) -> tuple[int, int]:
    """The engine's process id, and the MIDI process's."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        line = Path(f"/proc/{child}/cmdline").read_text()
        found["engine" if "stream_rnn.engine" in line else "midi"] = int(child)
    return found["engine"], found["midi"]


@needs("oscsend")
@pytest.mark.parametrize(
    "action",
    [
        "pause", "reset", "close", "channel", "model", "dropped", "panic", "SIGTERM",
        "SIGKILL of the engine", "SIGKILL of the gateway",
    ],
)  # fmt: skip
def test_no_note_hangs(models: Path, tmp_path: Path, action: str) -> None:
    with stage(models, tmp_path, "--midi-out", "ear:in") as (server, env), listener(env) as wire:
        with Talker(server.http) as talker:
            talker.ask("open", "opened", model="roll", session="s", seed=5)
            until(lambda: wire.begun() > 20)
            assert wire.hanging(), "something sounds before"
            ends(server, talker, action)
            before = wire.begun()
            if action == "dropped":
                # It plays on: the port is a listener, too. So it must be ended by another.
                until(lambda: wire.begun() > before + 20)
                with Talker(server.http) as other:
                    other.ask("pause", "paused", session="s")
            if action == "SIGKILL of the engine":
                until(lambda: wire.begun() > before + 20)
                talker.ask("pause", "paused", session="s")
            until(lambda: not wire.hanging(), 5, lambda: str(wire.hanging()))
            time.sleep(0.5)
            assert not wire.hanging()


def test_a_port_is_found_again_by_name_and_played_on_again(models: Path, tmp_path: Path) -> None:
    with (
        stage(models, tmp_path, "--midi-out", "EAR") as (server, env),
        Talker(server.http) as talker,
    ):
        talker.ask("open", "opened", model="roll", session="s", seed=5)
        with listener(env) as wire:
            until(lambda: wire.begun() > 20)
        until(lambda: "ear:in" not in jack_ports(env))
        talker.symbols(20)
        with listener(env) as again:
            until(lambda: again.begun() > 20)
            talker.ask("pause", "paused", session="s")
            until(lambda: not again.hanging())


def test_jackd_dies_and_comes_back(models: Path, tmp_path: Path) -> None:
    (tmp_path / "serve.toml").write_text("")
    with contextlib.ExitStack() as stack:
        jack = contextlib.ExitStack()
        env, name = jack.enter_context(jack_server(tmp_path, PERIOD))
        stack.callback(jack.close)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for variable in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER"):
            patch.setenv(variable, env[variable])
        server = stack.enter_context(
            stream_rnn(models, tmp_path / "server.log", "--midi-out", "ear:in")
        )
        talker = stack.enter_context(Talker(server.http))
        with listener(env) as wire:
            talker.ask("open", "opened", model="roll", session="s", seed=5)
            until(lambda: wire.begun() > 20)
            with Witness(server.http):
                jack.close()
                time.sleep(3)
        with jack_server(tmp_path, PERIOD, name) as (env, _), listener(env) as again:
            until(lambda: again.begun() > 20, 20)
            talker.ask("pause", "paused", session="s")
            until(lambda: not again.hanging())


def test_the_wav_of_a_synthesizer_sounds_and_the_recording_has_the_notes(
    models: Path, tmp_path: Path
) -> None:
    recorded = tmp_path / "take.mid"
    options = ("--midi-out", "fluid", "--midi-out", "ear:in", "--record", str(recorded))
    with stage(models, tmp_path, *options) as (server, env), listener(env) as wire:
        with fluidsynth(env, tmp_path) as wav:
            until(lambda: (tmp_path / "server.log").read_text().count(" is here: ") == 2)
            time.sleep(1)  # while JACK takes new connections up, it may drop messages
            with Talker(server.http) as talker:
                talker.ask("open", "opened", model="roll", session="s", seed=5)
                heard = talker.symbols(60)
                talker.ask("pause", "paused", session="s")
            until(lambda: not wire.hanging())
    assert sounds(wav)
    onsets = list(begun(heard))
    assert [data[1] for _, data in wire.heard if data[0] >> 4 == 9][: len(onsets)] == [
        p for _, p in onsets
    ]
    late = [
        moment - due
        for (moment, _), (due, _) in zip(
            [m for m in wire.heard if m[1][0] >> 4 == 9], onsets, strict=False
        )
    ]
    assert sorted(late)[len(late) // 2] < 0.02, "half of the notes came within three periods"
    now, taken = 0.0, []
    for message in mido.MidiFile(recorded):
        now += message.time
        if message.type == "note_on" and message.velocity:
            taken.append((now, message.note))
    first = onsets[0][0]
    assert [p for _, p in taken][: len(onsets)] == [p for _, p in onsets]
    for (moment, _), (due, _) in zip(taken, onsets, strict=False):
        assert moment == pytest.approx(due - first, abs=0.002)


def test_one_session_is_the_same_everywhere(models: Path, tmp_path: Path) -> None:
    """A WebSocket client, liblo's oscdump, an OSC target, fluidsynth and the wire, at once."""
    port = free_port()
    config = f"[[osc.target]]\nport = {port}\n"
    options = ("--midi-out", "fluid", "--midi-out", "ear:in")
    dump = tmp_path / "dump"
    with (
        dump.open("wb") as out,
        running(["oscdump", "-L", str(port)], stdout=out),
        stage(models, tmp_path, *options, config=config) as (server, env),
        listener(env) as wire,
        fluidsynth(env, tmp_path) as wav,
        Talker(server.http) as talker,
    ):
        until(lambda: (tmp_path / "server.log").read_text().count(" is here: ") == 2)
        time.sleep(1)  # while JACK takes new connections up, it may drop messages
        talker.ask("open", "opened", model="roll", session="s", seed=5)
        symbols = talker.symbols(60)
        talker.ask("pause", "paused", session="s")
        until(lambda: not wire.hanging())
        frames = until(lambda: found if len(found := frames_of(dump)) >= 60 else None)
    wall = time.time() - time.monotonic()
    for symbol, (stamp, pitches) in zip(symbols, frames, strict=False):
        assert pitches == symbol["notes"]
        assert stamp == pytest.approx(symbol["due"] + wall, abs=0.005)
    onsets = list(begun(symbols))
    heard = [(moment, data[1]) for moment, data in wire.heard if data[0] >> 4 == 9]
    assert [pitch for _, pitch in heard][: len(onsets)] == [pitch for _, pitch in onsets]
    assert sounds(wav)


class Keys:
    """What is played on it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        self._stdin = process.stdin

    def send(self, data: bytes) -> None:
        self._stdin.write(data.hex().encode() + b"\n")
        self._stdin.flush()

    def play(self, pitch: int, seconds: float) -> None:
        self.send(bytes((0x90, pitch, 90)))
        time.sleep(seconds)
        self.send(bytes((0x80, pitch, 0)))


@contextlib.contextmanager
def keyboard(env: Mapping[str, str], client: str = "keys") -> Iterator[Keys]:
    """A keyboard on JACK, in a process of its own; see `Keys`."""
    code = (
        "import sys, rtmidi\n"
        "out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=sys.argv[1])\n"
        "out.open_virtual_port('out')\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    try: out.send_message(bytes.fromhex(line))\n"
        "    except ValueError: pass\n"  # what python-rtmidi itself will not send
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with running([sys.executable, "-c", code, client], env=env, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield Keys(process)


IN = """
[midi]
api = "jack"
[[midi.in]]
port = "keys:out"
session = "s"
silence = 0.4
[[midi.control]]
cc = 1
control = "temperature"
"""


def test_it_listens_while_one_plays_and_answers(models: Path, tmp_path: Path) -> None:
    with (
        stage(models, tmp_path, config=IN) as (server, env),
        keyboard(env) as keys,
        Talker(server.http) as talker,
    ):
        until(lambda: "is here: keys:out" in (tmp_path / "server.log").read_text())
        talker.ask("open", "opened", model="roll", session="s", controls={"rate": 20})
        talker.symbols(5)
        for pitch in (60, 64, 67):
            keys.play(pitch, 0.15)
        talker.until("paused")
        talker.until("playing")
        fed = [set(m["notes"]) for m in talker.heard if m["type"] == "symbol" and m.get("fed")]
        assert [p for p, _ in itertools.groupby(fed)] in ([{60}, {64}, {67}],)
        assert all(not m.get("fed") for m in talker.symbols(5))
        keys.send(bytes((0xB0, 1, 127)))
        controlled = talker.until("controlled")
        assert controlled["changed"] == ["temperature"]
        assert controlled["controls"]["temperature"] == pytest.approx(2.0)


def test_its_own_output_is_not_taken_for_input(models: Path, tmp_path: Path) -> None:
    config = IN + '[[midi.out]]\nport = "thru"\nvirtual = true\n'
    with (
        stage(models, tmp_path, config=config) as (server, env),
        keyboard(env),
        listener(env) as wire,
        Talker(server.http) as talker,
    ):
        ours = until(lambda: [p for p in jack_ports(env) if p.endswith(":thru")])[0]
        ear = until(lambda: [p for p in jack_ports(env) if p.endswith(":keys:out")])[0]
        for target in (ear, "ear:in"):
            subprocess.run(["jack_connect", ours, target], env=env, check=True)
        talker.ask("open", "opened", model="roll", session="s", controls={"rate": 20})
        symbols = talker.symbols(80)
        assert wire.begun() > 40, "it was heard, also by its own ear"
        assert not any(m["type"] == "paused" for m in talker.heard)
        assert not any(s.get("fed") for s in symbols)


def test_random_bytes_from_a_port_stop_nothing(models: Path, tmp_path: Path) -> None:
    numbers = random.Random(3)
    with (
        stage(models, tmp_path, config=IN) as (server, env),
        keyboard(env) as keys,
        Talker(server.http) as talker,
    ):
        until(lambda: "is here: keys:out" in (tmp_path / "server.log").read_text())
        talker.ask("open", "opened", model="roll", session="s")
        _, midi = children_of(server.pid)
        with Witness(server.http):
            for number in range(20_000):
                data = numbers.randbytes(numbers.choice((1, 2, 3, 3, 3)))
                if not {120, 123} & set(data):  # which would be a panic, and pause the witness
                    keys.send(data)
                if number % 100 == 0:
                    time.sleep(0.02)
        assert children_of(server.pid)[1] == midi, "the MIDI process lives on"
        talker.ask("close", "closed", session="s")
        talker.ask("open", "opened", model="roll", session="s")
        talker.symbols(5)


def test_play_is_an_installation_in_one_command(models: Path, tmp_path: Path) -> None:
    port, recorded = free_port(), tmp_path / "take.mid"
    dump, log = tmp_path / "dump", tmp_path / "log"
    command = [sys.executable, "-m", "stream_rnn", "play", models / "roll", "--midi-out", "ear:in"]
    command += ["--osc-out", f"127.0.0.1:{port}", "--record", recorded, "--rate", "30"]
    with (
        jack_server(tmp_path, PERIOD) as (env, _),
        listener(env) as wire,
        dump.open("wb") as out,
        log.open("wb") as err,
        running(["oscdump", "-L", str(port)], stdout=out),
        running(command, env=env, stdout=subprocess.PIPE, stderr=err, patience=10) as process,
    ):
        assert process.stdout is not None
        assert b"playing; watch it at http://127.0.0.1:" in process.stdout.readline()
        until(lambda: wire.begun() > 40, 30, log.read_text)
        until(lambda: dump.read_text(errors="replace").count("/rnn/main/frame") > 20)
        listed = subprocess.run(
            [sys.executable, "-m", "stream_rnn", "ports", "--api", "jack", "--json"],
            env=env, capture_output=True, text=True,
        )  # fmt: skip
        assert "ear:in" in json.loads(listed.stdout)["outs"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        until(lambda: not wire.hanging(), why=lambda: str(wire.hanging()))
    assert sum(m.type == "note_on" and m.velocity > 0 for m in mido.MidiFile(recorded)) > 30


def frames_of(dump: Path) -> list[tuple[float, list[int]]]:
    """(seconds since 1970, pitches) of each `/frame` that oscdump printed."""
    frames = []
    for line in dump.read_text(errors="replace").splitlines():
        found = re.match(r"(\S+) /rnn/s/frame \S*(.*)", line)
        if found:
            seconds, _, fraction = found[1].partition(".")
            stamp = int(seconds, 16) - 2_208_988_800 + int(fraction, 16) / 2**32
            frames.append((stamp, [int(word) for word in found[2].split()]))
    return frames


def begun(symbols: list[dict[str, object]]) -> Iterator[tuple[float, int]]:
    """(due, pitch) of each note that begins, lowest first."""
    held: set[int] = set()
    for symbol in symbols:
        now = set(symbol["notes"])  # type: ignore[call-overload]
        yield from ((float(symbol["due"]), p) for p in sorted(now - held))  # type: ignore[arg-type]
        held = now
