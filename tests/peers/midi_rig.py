"""MIDI on JACK, for tests: a server that plays there, a listener on the wire, and a keyboard."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from peers.programs import Served, jack_server, running, stream_rnn

from stream_rnn.bench.serve import children

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

    def ended_since(self, moment: float) -> set[tuple[int, int]]:
        """The (channel, pitch) of notes that ended after a moment."""
        return {
            (data[0] & 15, data[1]) for at, data in self.heard if at > moment and data[0] >> 4 == 8
        }

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
    models: Path, folder: Path, *options: str, config: str = "", period: int = PERIOD
) -> Iterator[tuple[Served, dict[str, str]]]:
    """A JACK server, and stream-rnn playing on it."""
    (folder / "serve.toml").write_text(config)
    with jack_server(folder, period) as (env, _), pytest.MonkeyPatch.context() as patch:
        for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER"):
            patch.setenv(name, env[name])
        log = folder / "server.log"
        served = stream_rnn(models, log, "--config", str(folder / "serve.toml"), *options)
        with served as server:
            yield server, env


def children_of(pid: int) -> tuple[int, int]:
    """The engine's process id, and the MIDI process's."""
    found = {}
    for child in children(pid):
        line = Path(f"/proc/{child}/cmdline").read_text()
        found["engine" if "stream_rnn.engine" in line else "midi"] = child
    return found["engine"], found["midi"]


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
        "import sys\n"
        "from stream_rnn.midi.binding import load\n"
        "out = load().output('jack', sys.argv[1])\n"
        "out.open_virtual('out')\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    try: out.send(bytes.fromhex(line))\n"
        "    except ValueError: pass\n"  # what the driver itself will not send
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with running([sys.executable, "-c", code, client], env=env, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield Keys(process)
