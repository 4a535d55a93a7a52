"""What a terminal does to a server that plays, counted on the wire of a JACK server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.midi_rig import PERIOD, Wire, listener
from peers.programs import free_port, jack_server, needs, running, until

pytestmark = [pytest.mark.peer, needs("jackd", "setpriv", "oscdump")]

# Makes the terminal at its standard input its own, as a window does it for a shell. The tests may
# run in the background of a script, where a shell has Ctrl-\ ignored.
TERMINAL = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "signal.signal(signal.SIGQUIT, signal.SIG_DFL);"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
CTRL_BACKSLASH, CTRL_Z = b"\x1c", b"\x1a"
SOON = 1.0  # seconds


class Window:
    """A terminal in which `stream-rnn play` runs, and what is heard of it."""

    def __init__(self, process: subprocess.Popen[bytes], keyboard: int, wire: Wire, dump: Path):
        self.process, self._keyboard = process, keyboard
        self.wire, self._dump = wire, dump

    def press(self, key: bytes) -> None:
        os.write(self._keyboard, key)

    def close(self) -> None:
        os.close(self._keyboard)

    def osc(self) -> set[str]:
        """The pitches that sound at an OSC program."""
        on = set()
        for line in self._dump.read_text(errors="replace").splitlines():
            words = line.split()
            if len(words) > 4 and words[1].endswith("/note"):
                (on.discard if words[4] == "0" else on.add)(words[3])
        return on

    def sounds(self) -> None:
        before = self.wire.begun()
        until(lambda: self.wire.begun() > before + 12 and self.wire.hanging() and self.osc())

    def is_silent(self, seconds: float = SOON) -> None:
        until(
            lambda: not self.wire.hanging() and not self.osc(), seconds,
            lambda: f"{self.wire.hanging()}, {self.osc()}",
        )  # fmt: skip
        before = self.wire.begun()
        time.sleep(0.5)
        assert self.wire.begun() == before and not self.wire.hanging() and not self.osc()

    @property
    def state(self) -> str:
        """A letter of the process table: T is stopped."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def window(models: Path, folder: Path, *options: str) -> Iterator[Window]:
    port, dump, log = free_port(), folder / "dump", folder / "log"
    command = [sys.executable, "-c", TERMINAL, "-m", "stream_rnn", "play", models / "roll"]
    command += ["--midi-out", "ear:in", "--osc-out", f"127.0.0.1:{port}", "--seed", "5", *options]
    keyboard, terminal = os.openpty()
    with (
        jack_server(folder, PERIOD) as (env, _),
        listener(env) as wire,
        dump.open("wb") as out,
        log.open("wb") as err,
        running(["oscdump", "-L", str(port)], stdout=out),
        running(
            command, env=env, stdin=terminal, stdout=subprocess.PIPE, stderr=err, end=signal.SIGKILL
        ) as process,
    ):
        os.close(terminal)
        assert process.stdout is not None
        assert b"playing; watch it" in process.stdout.readline(), log.read_text()
        it = Window(process, keyboard, wire, dump)
        it.sounds()
        yield it


def test_a_terminal_that_is_closed_ends_notes_and_then_the_server(
    models: Path, tmp_path: Path
) -> None:
    with window(models, tmp_path) as it:
        it.close()
        assert it.process.wait(10) == 0, "as by SIGTERM"
        it.is_silent(0.5)


def test_a_quit_from_the_keyboard_ends_notes_first(models: Path, tmp_path: Path) -> None:
    with window(models, tmp_path) as it:
        it.press(CTRL_BACKSLASH)
        assert it.process.wait(10) == -signal.SIGQUIT
        it.is_silent(0.5)


def test_what_is_stopped_from_the_keyboard_is_silent_and_goes_on(
    models: Path, tmp_path: Path
) -> None:
    with window(models, tmp_path) as it:
        for _ in range(2):
            it.press(CTRL_Z)
            until(lambda: it.state == "T", 5)
            it.is_silent()
            time.sleep(3.5)  # more than the MIDI process waits for a gateway that hangs
            it.process.send_signal(signal.SIGCONT)
            it.sounds()
        log = (tmp_path / "log").read_text()
        assert "ERROR" not in log and "anew" not in log, log
        it.press(CTRL_Z)
        until(lambda: it.state == "T", 5)
        it.close()  # the system lets what was stopped go on, to hear of the hang-up
        assert it.process.wait(10) == 0
        it.is_silent(0.5)
