"""How the real programs start on a machine without a screen or a sound card, and how they end.

Each is a context manager: nothing that it started is left when the `with` ends, however it ends.
The programs are also tied to the thread that started them (`setpriv --pdeathsig`): when the tests
are killed, so are they.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

SOUND_FONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
SONIC_PI = Path("/usr/lib/sonic-pi/app/server/ruby/bin/sonic-pi-server.rb")
T = TypeVar("T")


def needs(*programs: str) -> pytest.MarkDecorator:
    """A mark: skipped where one of these commands or files is not there."""
    missing = [p for p in programs if not (shutil.which(p) or Path(p).exists())]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def until(what: Callable[[], T], seconds: float = 15.0, why: Callable[[], str] = str) -> T:
    """Waits for something to be true, and returns it; `why` says what was there instead."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {why()}")


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    """A port of the loopback that nobody has now."""
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    *,
    end: int = signal.SIGTERM,
    patience: float = 5.0,
    **options: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process, with all that it starts: a group of its own, which is ended with it."""
    words = ["setpriv", "--pdeathsig", "KILL", *map(str, command)]
    process = subprocess.Popen(words, start_new_session=True, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired, ProcessLookupError):
            if process.poll() is None:
                process.send_signal(end)
            process.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what is left of the group
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class Program:
    """A program that runs: what it has printed, and its standard input."""

    def __init__(
        self, process: subprocess.Popen[bytes], log: Path, keyboard: int, prompt: str
    ) -> None:
        self.process = process
        self._log, self._keyboard, self._prompt = log, keyboard, prompt

    @property
    def printed(self) -> str:
        """All that it has printed so far, without its prompts."""
        return self._log.read_text(errors="replace").replace(self._prompt or "\0", "")

    def find(self, pattern: str) -> list[re.Match[str]]:
        """Where what it printed matches; `^` and `$` are ends of lines."""
        return list(re.finditer(pattern, self.printed, re.MULTILINE))

    def wait(self, pattern: str, count: int = 1, seconds: float = 20.0) -> list[re.Match[str]]:
        """The matches, once there are so many."""
        until(lambda: len(self.find(pattern)) >= count, seconds, lambda: self.printed[-3000:])
        return self.find(pattern)

    def type(self, text: str) -> None:
        """Writes to its standard input."""
        os.write(self._keyboard, text.encode())


@contextlib.contextmanager
def program(
    command: Sequence[str | Path], log: Path, prompt: str = "", tty: bool = False, **options: Any
) -> Iterator[Program]:
    """A program whose output goes to a file, with a standard input to type on.

    Args:
        prompt: what it prints between its lines, to be overlooked.
        tty: its standard input is a terminal, for programs that read single keys.
    """
    keyboard, stdin = os.openpty() if tty else os.pipe()[::-1]
    try:
        with (
            log.open("wb") as out,
            running(
                command, stdin=stdin, stdout=out, stderr=subprocess.STDOUT, **options
            ) as process,
        ):
            yield Program(process, log, keyboard, prompt)
    finally:
        os.close(keyboard)
        os.close(stdin)


# JACK and a synthesizer


@contextlib.contextmanager
def _free_name() -> Iterator[str]:
    """A name for a JACK server that no other test uses now.

    Names come round, since JACK remembers eight, those of servers that were killed among them.
    """
    for number in range(6):
        with Path(f"/tmp/stream-rnn-jack-{number}").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield f"rnn{number}"
            return
    raise AssertionError("six JACK servers are in use by tests already")


@contextlib.contextmanager
def jack_server(
    folder: Path, period: int = 128, name: str | None = None, *, end: int = signal.SIGTERM
) -> Iterator[tuple[dict[str, str], str]]:
    """A jackd without a sound card, under a name of its own.

    Args:
        folder: where its log goes.
        period: frames a period, at 48 kHz.
        end: the signal that ends it.

    Yields:
        The environment in which programs find this server and start no other, and its name.
    """
    if name is None:
        with _free_name() as name, jack_server(folder, period, name, end=end) as running_one:
            yield running_one
        return
    env = dict(os.environ, JACK_DEFAULT_SERVER=name, JACK_NO_START_SERVER="1")
    command = ["jackd", "--no-realtime", "--name", name, "-d", "dummy", "-r", "48000", "-p"]
    log = folder / f"{name}.log"
    with (
        log.open("wb") as out,
        running([*command, str(period)], end=end, env=env, stdout=out, stderr=out),
    ):
        wait = ["jack_wait", "-s", name, "-w", "-t", "10"]
        waited = subprocess.run(wait, env=env, capture_output=True)
        assert waited.returncode == 0, log.read_text(errors="replace")
        yield env, name


def jack_ports(env: Mapping[str, str]) -> list[str]:
    """The ports of a JACK server, as CLIENT:PORT."""
    try:
        listed = subprocess.run(["jack_lsp"], env=env, capture_output=True, text=True, timeout=5)
    except subprocess.TimeoutExpired:  # it hangs where a client comes or goes meanwhile
        return []
    return listed.stdout.split("\n")


def jack_connect(env: Mapping[str, str], source: str, target: str) -> None:
    """Connects two ports, once both are there."""
    until(lambda: {source, target} <= set(jack_ports(env)), why=lambda: str(jack_ports(env)))
    subprocess.run(["jack_connect", source, target], env=env, check=True, capture_output=True)


@contextlib.contextmanager
def fluidsynth(
    env: Mapping[str, str], folder: Path, client: str = "fluid", gain: float = 1.0
) -> Iterator[Path]:
    """A synthesizer on JACK: connect a MIDI port to `CLIENT:midi_00` (see `jack_connect`).

    Yields:
        The WAV file that it writes, which is whole when the `with` has ended.
    """
    wav, log = folder / f"{client}.wav", folder / f"{client}.log"
    command = ["fluidsynth", "-q", "-m", "jack", "-a", "file", "-o", f"audio.file.name={wav}"]
    command += ["-o", "audio.file.type=wav", "-o", f"midi.jack.id={client}", "-g", str(gain)]
    with (
        log.open("wb") as out,
        running(
            [*command, SOUND_FONT], env=env, stdin=subprocess.PIPE, stdout=out, stderr=out
        ) as process,
    ):
        until(lambda: f"{client}:midi_00" in jack_ports(env), why=log.read_text)
        yield wav
        # Only "quit" makes it write the length into the header; SIGTERM leaves a length of 0.
        process.communicate(b"quit\n", timeout=15)


def jack_record(env: Mapping[str, str], wav: Path, seconds: int, *sources: str) -> None:
    """Records ports of a JACK server for a while; returns when the file is whole."""
    until(lambda: set(sources) <= set(jack_ports(env)), why=lambda: str(jack_ports(env)))
    command = ["jack_rec", "-f", str(wav), "-d", str(seconds), "-b", "16", *sources]
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=seconds + 20)


def loudness(wav: Path) -> tuple[float, float]:
    """How long a sound file is, in seconds, and its root mean square (full scale is 1)."""
    said = subprocess.run(["sox", wav, "-n", "stat"], capture_output=True, text=True, check=True)
    figures = dict(
        (key.strip(), value.strip())
        for key, _, value in (line.partition(":") for line in said.stderr.splitlines())
    )
    return float(figures["Length (seconds)"]), float(figures["RMS     amplitude"])


def sounds(wav: Path) -> bool:
    """Whether most of a second was recorded, and it is far from silent."""
    seconds, level = loudness(wav)
    return seconds > 0.9 and level > 0.005


# SuperCollider


@contextlib.contextmanager
def sclang(env: Mapping[str, str], folder: Path) -> Iterator[Program]:
    """SuperCollider's interpreter, ready, with a `Server.default` on a free port.

    What is typed to it is run line by line.
    """
    home, runtime = folder / "home", folder / "runtime"
    startup = home / ".config" / "SuperCollider" / "startup.scd"
    startup.parent.mkdir(parents=True)
    runtime.mkdir(mode=0o700)
    startup.write_text(
        f'Server.default = s = Server(\\rig, NetAddr("127.0.0.1", {free_port()}));\n'
        "s.options.numInputBusChannels = 0;\n"
        '"ready to play".postln;\n'
    )
    env = dict(
        env, HOME=str(home), XDG_RUNTIME_DIR=str(runtime), QT_QPA_PLATFORM="offscreen",
        QTWEBENGINE_DISABLE_SANDBOX="1", QTWEBENGINE_CHROMIUM_FLAGS="--no-sandbox",
    )  # fmt: skip
    env.pop("XDG_CONFIG_HOME", None)
    command = ["sclang", "-u", str(free_port())]
    with program(command, folder / "sclang.log", "sc3> ", env=env, cwd=folder) as it:
        it.wait("^ready to play", seconds=60)
        try:
            yield it
        finally:
            # scsynth is in a group of its own. (Never close the standard input instead: sclang
            # then says "Exiting" for ever.)
            with contextlib.suppress(AssertionError):
                it.type("s.quit { 0.exit };\n")
                until(lambda: it.process.poll() is not None, 5)


# stream-rnn


@dataclass(frozen=True)
class Served:
    """A stream-rnn server: where it is."""

    http: str
    osc: int
    pid: int


@contextlib.contextmanager
def stream_rnn(models: Path, log: Path, *options: str) -> Iterator[Served]:
    """A real server on free ports of the loopback; what it logs goes to a file."""
    command = [sys.executable, "-m", "stream_rnn", "serve", "--no-spare"]
    command += ["--port", "0", "--osc-port", "0"]
    command += ["--models", str(models), *options]
    with (
        log.open("wb") as err,
        running(command, stdout=subprocess.PIPE, stderr=err, patience=15) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        said = log.read_text()
        assert "listening on " in line, said
        found = re.search(r"OSC on udp://127.0.0.1:(\d+)", said)
        assert found, said
        yield Served(line.split("listening on ")[1].strip(), int(found[1]), process.pid)


# Sonic Pi


class SonicPi:
    """Sonic Pi's server, and this in place of its window: runs code, keeps what it would show."""

    def __init__(self, port: int, window: socket.socket, cues: int) -> None:
        self.cues = cues  # the port on which it hears OSC
        self.log: list[str] = []
        self.printed: list[str] = []
        self._port, self._window = port, window

    def say(self, address: str, *arguments: str) -> None:
        """Sends what its window would send."""
        message = OscMessageBuilder(address)
        for argument in ("test", *arguments):
            message.add_arg(argument)
        self._window.sendto(message.build().dgram, ("127.0.0.1", self._port))

    def run(self, code: str) -> None:
        """Presses Run."""
        self.say("/run-code", code)

    def listen(self) -> None:
        """Takes in what it has sent to its window."""
        with contextlib.suppress(BlockingIOError):
            while True:
                message = OscMessage(self._window.recv(1 << 16))
                words = [p for p in message.params if isinstance(p, str)]
                self.log.append(" ".join([message.address, *words]))
                self.printed += [json.loads(word) for word in words if word.startswith('"')]

    def find(self, pattern: str) -> list[re.Match[str]]:
        """Where what was printed with `puts` matches; `^` and `$` are ends of lines."""
        self.listen()
        return [m for text in self.printed for m in re.finditer(pattern, text, re.MULTILINE)]

    def wait(self, pattern: str, count: int = 1, seconds: float = 20.0) -> list[re.Match[str]]:
        """The matches, once there are so many."""
        until(lambda: len(self.find(pattern)) >= count, seconds, lambda: str(self.log[-20:]))
        return self.find(pattern)


@contextlib.contextmanager
def sonic_pi(env: Mapping[str, str], folder: Path) -> Iterator[SonicPi]:
    """Sonic Pi without its window, on free ports, under a JACK server."""
    # Listen, window, scsynth twice, cues, Erlang, MIDI out and in, WebSocket.
    server, scsynth, cues, *others = (free_port() for _ in range(7))
    log = folder / "sonic_pi.log"
    env = dict(env, HOME=str(folder / "home"), LANG="C.UTF-8")
    (folder / "home").mkdir()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as window:
        window.bind(("127.0.0.1", 0))
        window.setblocking(False)
        ports = [server, window.getsockname()[1], scsynth, scsynth, cues, *others]
        command = ["ruby", "-E", "utf-8", SONIC_PI, "-u", *map(str, ports)]
        it = SonicPi(server, window, cues)
        with program(command, log, env=env, cwd=folder) as process:
            process.wait("successfully booted", seconds=60)
            it.say("/cue-port-start")
            it.say("/cue-port-internal")
            try:
                yield it
            finally:
                it.say("/exit")
                with contextlib.suppress(AssertionError):
                    until(lambda: process.process.poll() is not None, 10)
