"""Both bindings of RtMidi on a real JACK server, each in a process of its own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from peers.programs import jack_server, needs, running

from stream_rnn.midi.binding import BINDINGS

pytestmark = [pytest.mark.peer, needs("jackd", "setpriv")]
SUPRIYA = "stream_rnn.midi.supriya"


def installed(binding: str) -> pytest.MarkDecorator:
    package = "supriya_midi" if binding == SUPRIYA else "rtmidi"
    return pytest.mark.skipif(not find_spec(package), reason=f"not installed: {package}")


INSTALLED = [pytest.param(binding, marks=installed(binding)) for binding in BINDINGS]

# `load` is what loads the system's libjack; which binding it returns does not matter here.
START = """
import importlib, os, sys, time
from stream_rnn.midi.binding import DriverError, load
load()
driver = importlib.import_module(sys.argv[1]).BINDING
"""

HEARING = """
mouth, ear = driver.output("jack", "mouth"), driver.input("jack", "ear")
mouth.open_virtual("out")
ear.listen(lambda data: print(data.hex(), flush=True))
def hear(*messages):
    ear.open(ear.ports().index("mouth:out"), "in")
    for data in messages:
        mouth.send(bytes(data))
    time.sleep(0.3)
    ear.close()
hear((0x90, 60, 80))
hear((0x90, 61, 80))  # after its port was closed
hear((0xF8,), (0xFE,), (0xFA,), (0xF0, 1, 2, 0xF7))  # clock, but no sensing, no sysex
try:
    mouth.send(bytes((1, 2, 3, 4)))
except ValueError:
    print("refused", flush=True)
os._exit(0)
"""

NO_SERVER = """
for make in driver.output, driver.input:
    try:
        make("jack", "x")
    except DriverError as error:
        print(error, flush=True)
"""

DEATH = """
out = driver.output("jack", "mouth")
out.open_virtual("out")
print("ready", flush=True)
sys.stdin.readline()
time.sleep(0.3)
try:
    out.send(bytes((0x90, 60, 80)))
except DriverError as error:
    print(error, flush=True)
os._exit(0)
"""


def run(binding: str, code: str, env: Mapping[str, str] | None) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", START + code, binding],
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("binding", INSTALLED)
def test_what_is_sent_is_heard_also_after_the_port_was_closed_and_opened(
    binding: str, tmp_path: Path
) -> None:
    with jack_server(tmp_path) as (env, _):
        heard = run(binding, HEARING, env)
    assert heard == ["903c50", "903d50", "f8", "fa", "refused"]


@pytest.mark.parametrize("binding", INSTALLED)
def test_a_system_that_does_not_run_is_told_by_both_ends(
    binding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no-such-server")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    assert sum("JACK server not running" in line for line in run(binding, NO_SERVER, None)) == 2


@installed(SUPRIYA)
def test_supriya_tells_of_a_server_that_has_died(tmp_path: Path) -> None:
    """python-rtmidi does not: `test_midi` has what is done about that."""
    command = [sys.executable, "-c", START + DEATH, SUPRIYA]
    with contextlib.ExitStack() as server:
        env, _ = server.enter_context(jack_server(tmp_path, end=signal.SIGKILL))
        with running(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            server.close()
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert b"the JACK server has shut down" in process.stdout.readline()
