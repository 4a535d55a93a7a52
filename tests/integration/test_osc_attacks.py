"""Few bytes that ask for much, by OSC, while another session plays on in time.

`pytest -s` shows how late the witness was, at worst, and how the gateway's memory went.
"""

from __future__ import annotations

import contextlib
import functools
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import make_models, resident
from talker import Talker, Witness

from stream_rnn.wire import osc

SESSIONS = 20
PAST = 1500  # symbols that each has
SECONDS = 3.0
GROWTH = 24e6  # bytes
LATE = 1.0  # seconds that a noisy machine may keep for itself; before, it was 20 to 78

Running = tuple[subprocess.Popen[str], str, int]
Many = list[tuple[str, tuple[object, ...]]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose sessions have a past: process, HTTP address, OSC port."""
    folder = tmp_path_factory.mktemp("served")
    models, log = make_models(folder / "models"), folder / "log"
    command = [sys.executable, "-m", "stream_rnn", "serve", "--no-spare"]
    command += ["--port", "0", "--osc-port", "0"]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*command, "--models", str(models)], stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split("listening on ")[1].strip()
            port = re.search(r"OSC on udp://127.0.0.1:(\d+)", log.read_text())
            assert port, log.read_text()
            with Talker(address) as talker:
                names = [f"past{n}" if n % 2 else f"{'a' * 62}{n:02d}" for n in range(SESSIONS)]
                for name in names:
                    talker.ask("open", "opened", model="verse", session=name, play=False)
                for name in names:
                    talker.say("step", session=name, count=PAST)
                talker.symbols(SESSIONS * PAST)
            yield process, address, int(port[1])
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()
    assert "Traceback" not in log.read_text()


def bundle(messages: Many) -> bytes:
    return osc.bundle_bytes(time.time(), messages)


def subscribe(port: int, turn: int) -> bytes:
    return bundle([("/rnn/subscribe", ("*", port, -1))] * 250)


# These two are made once: the witness is in this process, and would be late by their making.
@functools.cache
def mistakes() -> bytes:
    return bundle([("/rnn/nobody/x", ())] * 250)


@functools.cache
def patterns() -> bytes:
    """Of names that are all alike, in more ways than can be tried."""
    sessions = ("{a,aa}" * 30, "*{a,aa}*{a,aa,aaa}*b", "*a*a*a*b", "{,a}" * 40)
    return bundle([(f"/rnn/{session}/temperature", (1.0,)) for session in sessions * 25])


ATTACKS: dict[str, tuple[float, int, Callable[[int, int], bytes]]] = {
    # name: bundles a second, from how many ports, and what each is
    "the past of all to a named port": (1, 1, subscribe),
    "lists": (20, 1, lambda port, turn: bundle([("/rnn/sessions", ())] * 100)),
    "lists from many ports": (20, 20, lambda port, turn: bundle([("/rnn/sessions", ())] * 100)),
    "mistakes": (50, 5, lambda port, turn: mistakes()),
    "controls of all": (
        20, 5, lambda port, turn: bundle([("/rnn/[pa]*/temperature", (1 + turn % 7 / 10,))] * 100),
    ),
    "patterns": (20, 5, lambda port, turn: patterns()),
    "bundles for later": (
        20, 5,
        lambda port, turn: osc.bundle_bytes(time.time() + 1, [("/rnn/sessions", ())] * 100),
    ),
}  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc is how memory is read")
@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_of_a_witness_is_late(server: Running, name: str) -> None:
    process, address, port = server
    rate, count, make = ATTACKS[name]
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            for _ in range(count + 1)
        ]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        named = sockets.pop().getsockname()[1]
        memory = resident(process.pid)
        with Witness(address, calm=1.0) as witness:
            begin, sent = time.monotonic(), 0
            while (now := time.monotonic()) < begin + SECONDS:
                packet = make(named, sent)
                for one in sockets:
                    one.sendto(packet, ("127.0.0.1", port))
                sent += 1
                time.sleep(max(0.0, begin + sent / rate - now))
            time.sleep(1.0)
        grown = resident(process.pid) - memory
    usual, worst = witness.worst
    sys.stdout.write(
        f"\n{name}: at most {usual * 1e3:.1f} ms after due before it, {worst * 1e3:.1f} ms "
        f"during it; memory {grown / 1e6:+.1f} MB\n"
    )
    assert worst < max(usual, 0.0) + LATE
    assert grown < GROWTH
