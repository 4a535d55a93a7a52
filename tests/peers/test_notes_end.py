"""Every note that begins ends, counted on the wire of a JACK server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from peers.midi_rig import PERIOD, Wire, children_of, keyboard, listener, stage
from peers.programs import Served, jack_ports, jack_server, needs, stream_rnn, until
from support import make_categorical_model, make_models
from talker import Talker, Witness

from stream_rnn.bench.serve import children
from stream_rnn.codecs.performance import PerformanceCodec

pytestmark = [pytest.mark.peer, needs("jackd", "oscsend", "setpriv")]

# Every pitch is a drum, too, and several are the same drum.
KIT = ", ".join(f"{pitch} = {35 + pitch % 12}" for pitch in range(128))
CONFIG = f"""
[midi]
api = "jack"
[[midi.out]]
port = "ear:in"
[[midi.out]]
port = "ear:in"
drums = {{ {KIT} }}
[[midi.in]]
port = "keys:out"
keys = "off"
panic = true
"""
SOON = 0.6  # seconds: what was handed out, what may ring on after it, JACK, and a busy machine
# Frames: a client that is late loses what came in that period, and here nothing may be lost.
LONG = 1024
QUIET = 0.4  # seconds without a note, after which there is none to come
RATES = {"roll": 20.0, "piano": 100.0}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("models"))
    make_categorical_model(folder / "piano", PerformanceCodec())
    return folder


class Show:
    """A server whose session `s`, or two of one key and channel, sound on the wire."""

    def __init__(self, server: Served, wire: Wire, model: str, log: Path) -> None:
        self.server, self.wire, self.model, self.log = server, wire, model, log
        self.talker = Talker(server.http)

    def say(self, type: str, answer: str, **fields: object) -> None:
        said = self.talker.ask(type, answer, **fields)
        assert said["type"] == answer, said

    def open(self, *sessions: str) -> None:
        controls = {"rate": RATES[self.model]}
        for session in sessions:
            self.say("open", "opened", model=self.model, session=session, seed=5, controls=controls)
        self.sounds()

    def sounds(self, notes: int = 12) -> set[tuple[int, int]]:
        """Waits for some notes more; returns those that sound."""
        before = self.wire.begun()
        return until(lambda: self.wire.begun() > before + notes and self.wire.hanging(), 20)

    def is_silent(self, seconds: float = SOON) -> float:
        """Waits until nothing sounds and nothing more comes; returns when the last note ended."""
        begin = time.monotonic()

        def last() -> float:
            return max(at for at, data in self.wire.heard if data[0] >> 4 in (8, 9))

        until(
            lambda: not self.wire.hanging() and time.monotonic() - last() > QUIET,
            seconds + QUIET, lambda: str(self.wire.hanging()),
        )  # fmt: skip
        assert last() - begin < seconds
        return last() - begin

    def is_let_go(self, keys: set[tuple[int, int]], since: float, seconds: float) -> None:
        """Waits until some keys have ended, though others sound on."""
        until(
            lambda: keys <= self.wire.ended_since(since), seconds,
            lambda: str(keys - self.wire.ended_since(since)),
        )  # fmt: skip


@contextlib.contextmanager
def show(models: Path, folder: Path, model: str) -> Iterator[Show]:
    with (
        stage(models, folder, "--no-spare", config=CONFIG, period=LONG) as (server, env),
        listener(env) as wire,
    ):
        log = folder / "server.log"
        until(lambda: log.read_text().count(" is here: ear:in") == 2)
        time.sleep(0.5)  # while JACK takes new connections up, it may drop messages
        made = Show(server, wire, model, log)
        with made.talker, keyboard(env) as keys:
            made.keys = keys  # type: ignore[attr-defined]
            yield made


def pause(it: Show) -> None:
    it.say("pause", "paused", session="s")


def reset(it: Show) -> None:
    before = it.wire.hanging()
    moment = time.monotonic()
    it.say("reset", "reset", session="s")
    it.is_let_go(before, moment, SOON)
    it.sounds()
    it.say("pause", "paused", session="s")
    it.say("reset", "reset", session="s")


def rewind(it: Show) -> None:
    before = it.wire.hanging()
    moment = time.monotonic()
    it.say("rewind", "rewound", session="s", to=2)
    it.is_let_go(before, moment, SOON)
    pause(it)


def close(it: Show) -> None:
    it.say("close", "closed", session="s")


def change_channel(it: Show) -> None:
    it.say("control", "controlled", session="s", controls={"channel": 5})
    until(lambda: all(channel in (4, 9) for channel, _ in it.wire.hanging()), 3)
    it.sounds()
    pause(it)


def transpose(it: Show) -> None:
    for semitones in (12, -7, 0, 48):
        it.say("control", "controlled", session="s", controls={"transpose": semitones})
        it.sounds(4)
    pause(it)


def change_model(it: Show) -> None:
    close(it)
    it.is_silent()
    it.say("open", "opened", model="verse", session="s", seed=3)
    it.sounds(4)
    pause(it)


def share_a_key(it: Show) -> None:
    it.open("twin")
    pause(it)
    # The other sounds on, with all that it holds.
    it.sounds()
    it.say("close", "closed", session="twin")


def feed(it: Show) -> None:
    symbols: list[object] = [[60, 64]] if it.model == "roll" else [{"velocity": 30}, {"end": 1}]
    it.say("feed", "fed", session="s", symbols=symbols)
    it.sounds(4)
    pause(it)


def drop(it: Show) -> None:
    """It plays on, since the port listens, too; and what sounds ends by itself."""
    with Talker(it.server.http) as gone:
        gone.ask("attach", "opened", session="s")
    it.talker.close()
    moment, before = time.monotonic(), it.sounds()
    it.is_let_go(before, moment, 8)  # a performance may hold a key for 5 s
    it.talker = Talker(it.server.http)
    it.say("pause", "paused", session="s")


def panic(it: Show) -> None:
    subprocess.run(["oscsend", "127.0.0.1", str(it.server.osc), "/rnn/panic"], check=True)


def panic_by_a_controller(it: Show) -> None:
    it.keys.send(bytes((0xB0, 123, 0)))  # type: ignore[attr-defined]


ASKED: tuple[Callable[[Show], None], ...] = (
    pause, reset, rewind, close, change_channel, transpose, change_model, share_a_key, feed, drop,
    panic, panic_by_a_controller,
)  # fmt: skip


@pytest.mark.parametrize("model", ["roll", "piano"])
def test_no_note_hangs_whatever_is_asked(models: Path, tmp_path: Path, model: str) -> None:
    with show(models, tmp_path, model) as it:
        for ending in ASKED:
            it.open("s")
            ending(it)
            try:
                it.is_silent()
            except AssertionError as error:
                raise AssertionError(f"{ending.__name__}: {error}") from None
            if ending is not close:
                it.say("close", "closed", session="s")


def metric(server: Served, name: str) -> float:
    with urllib.request.urlopen(f"{server.http}/metrics") as response:
        lines = response.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def stop_the_engine(it: Show) -> None:
    """The music stops by itself, and goes on where it was."""
    engine, _ = children_of(it.server.pid)
    os.kill(engine, signal.SIGSTOP)
    try:
        # What is computed sounds on; then a second, a look, and what was handed out.
        ahead = 32 / RATES[it.model] if it.model == "roll" else 3.0
        assert it.is_silent(ahead + 1 + 1 + SOON) > 0.5
        assert it.talker.until("paused")["reason"] == "engine"
    finally:
        os.kill(engine, signal.SIGCONT)
    assert it.talker.until("playing")["reason"] == "engine"
    it.sounds()


def kill_the_engine(it: Show) -> None:
    """What is computed sounds on; what another engine computes comes after it, or after a pause."""
    engine, midi = children_of(it.server.pid)
    os.kill(engine, signal.SIGKILL)
    until(lambda: len(now := children(it.server.pid)) == 2 and engine not in now)
    it.sounds()
    assert midi in children_of(it.server.pid)


def kill_the_midi_process(it: Show) -> None:
    """Nobody can end what sounds until there is another; that does so first of all."""
    _, midi = children_of(it.server.pid)
    before, moment = it.wire.hanging(), time.monotonic()
    os.kill(midi, signal.SIGKILL)
    it.is_let_go(before, moment, 10)
    it.sounds()
    assert children_of(it.server.pid)[1] != midi
    assert metric(it.server, "stream_rnn_midi_deaths_total") == 1
    assert "the MIDI process has ended; starting it anew" in it.log.read_text()


def stop_the_gateway(it: Show) -> None:
    """What sounds ends though the gateway hangs, and somebody plays; it is nobody's fault."""
    _, midi = children_of(it.server.pid)
    os.kill(it.server.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        while it.wire.hanging():
            for value in range(100):
                it.keys.send(bytes((0x90, 60, 1 + value)))  # type: ignore[attr-defined]
            time.sleep(0.02)
            assert time.monotonic() - begin < 3 + SOON, "it ends after three seconds of silence"
    finally:
        os.kill(it.server.pid, signal.SIGCONT)
    it.sounds()
    assert children_of(it.server.pid)[1] == midi
    assert "hangs" not in it.log.read_text()


@pytest.mark.parametrize(("model", "last"), [("roll", signal.SIGTERM), ("piano", signal.SIGKILL)])
def test_no_note_hangs_whatever_dies(
    models: Path, tmp_path: Path, model: str, last: signal.Signals
) -> None:
    with show(models, tmp_path, model) as it:
        it.open("s")
        for ending in (stop_the_engine, kill_the_engine, stop_the_gateway, kill_the_midi_process):
            ending(it)
        os.kill(it.server.pid, last)
        it.is_silent(3)


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


def test_jackd_is_killed_and_comes_back(models: Path, tmp_path: Path) -> None:
    (tmp_path / "serve.toml").write_text("")
    with contextlib.ExitStack() as stack:
        jack = contextlib.ExitStack()
        env, name = jack.enter_context(jack_server(tmp_path, PERIOD, end=signal.SIGKILL))
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
            stack.enter_context(Witness(server.http, calm=2.0, osc=server.osc))
            jack.close()
            time.sleep(3)
        with jack_server(tmp_path, PERIOD, name) as (env, _), listener(env) as again:
            until(lambda: again.begun() > 20, 20)
            talker.ask("pause", "paused", session="s")
            until(lambda: not again.hanging())
            time.sleep(0.5)
