"""The OSC side against liblo's tools: a C library by others, with its own idea of OSC."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.programs import stream_rnn
from support import make_models
from talker import Talker

from stream_rnn.wire import osc

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not shutil.which("oscsend"), reason="liblo-tools is not installed"),
]

Running = tuple[str, int, int]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """HTTP address, OSC port and process id of a server."""
    import sys

    models: Path = make_models(tmp_path_factory.mktemp("served"))
    log = tmp_path_factory.mktemp("log") / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "stream_rnn", "serve", "--port", "0", "--osc-port", "0",
             "--models", str(models)],
            stdout=subprocess.PIPE, stderr=stderr, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split("listening on ")[1].strip()
            found = re.search(r"OSC on udp://127.0.0.1:(\d+)", log.read_text())
            assert found
            yield address, int(found[1]), process.pid
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()


def oscsend(port: int, *words: str) -> None:
    subprocess.run(["oscsend", "127.0.0.1", str(port), *words], check=True)


@pytest.fixture
def dump(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """oscdump on a free port, and the file that it writes to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = tmp_path / "dump"
    with path.open("w") as out:
        process = subprocess.Popen(["oscdump", "-L", str(port)], stdout=out)
        time.sleep(0.3)
        try:
            yield port, path
        finally:
            process.terminate()
            process.wait()


def lines(path: Path, pattern: str, count: int, seconds: float = 10.0) -> list[re.Match[str]]:
    """The first so many lines of a dump that match."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = [m for line in path.read_text().splitlines() if (m := re.search(pattern, line))]
        if len(found) >= count:
            return found[:count]
        time.sleep(0.05)
    raise AssertionError(f"not {count} lines of {pattern} within {seconds} s:\n{path.read_text()}")


def test_oscdump_and_a_browser_see_the_same_stream(server: Running, dump: tuple[int, Path]) -> None:
    address, port, _ = server
    dump_port, path = dump
    oscsend(port, "/rnn/both/open", "s", "verse")
    with Talker(address) as talker:
        deadline = time.monotonic() + 5
        while talker.ask("attach", "opened", session="both", after=-1)["type"] == "error":
            assert time.monotonic() < deadline
        oscsend(port, "/rnn/subscribe", "si", "both", str(dump_port))
        symbols = {m["n"]: m["text"] for m in talker.symbols(80)}
    heard = lines(path, r'/rnn/both/char si "(.*?)" (\d+)', 20)
    same = [(m[1], symbols[int(m[2])]) for m in heard if int(m[2]) in symbols]
    assert len(same) >= 15
    assert all(a == b for a, b in same if b not in "\f\n")
    numbers = [int(m[2]) for m in heard]
    assert numbers == sorted(numbers)
    oscsend(port, "/rnn/both/close")


def test_oscsend_steers_and_the_answer_names_the_position(
    server: Running, dump: tuple[int, Path]
) -> None:
    address, port, _ = server
    dump_port, path = dump
    with Talker(address) as talker:
        talker.ask("open", "opened", model="verse", session="steered", seed=1)
        oscsend(port, "/rnn/subscribe", "si", "steered", str(dump_port))
        oscsend(port, "/rnn/steered/temperature", "f", "0.25")
        changed = talker.until("controlled")
        assert changed["controls"]["temperature"] == 0.25
        assert changed["position"] == sum(m["type"] == "symbol" for m in talker.heard)
        oscsend(port, "/rnn/st*/artist", "sfsf", "Ada", "1", "Bo", "3")
        blended = talker.until("controlled")
        assert blended["controls"]["artist"] == {"Ada": 0.25, "Bo": 0.75}
        assert blended["position"] == sum(m["type"] == "symbol" for m in talker.heard)
        answer = lines(path, r'/rnn/steered/controlled sfi "temperature" 0.25\d* (\d+)', 1)[0]
        assert int(answer[1]) == changed["position"]
        shown = r'/rnn/steered/controlled ssi "artist" "Ada=0.25 Bo=0.75" (\d+)'
        assert int(lines(path, shown, 1)[0][1]) == blended["position"] >= changed["position"]
        oscsend(port, "/rnn/panic")
        assert talker.until("paused")["session"] == "steered"
        talker.ask("close", "closed", session="steered")


def test_notes_reach_oscdump_and_end_on_pause(server: Running, dump: tuple[int, Path]) -> None:
    address, port, _ = server
    dump_port, path = dump
    with Talker(address) as talker:
        talker.ask("open", "opened", model="roll", session="notes", seed=1)
        oscsend(port, "/rnn/subscribe", "si", "notes", str(dump_port))
        lines(path, r"/rnn/notes/note iif \d+ 80", 10)
        oscsend(port, "/rnn/notes/pause")
        talker.until("paused")
        lines(path, r"/rnn/notes/paused", 1)
        time.sleep(0.3)
        sounding: set[int] = set()
        for found in lines(path, r"/rnn/notes/note iif (\d+) (\d+)", 10):
            assert found
        for m in re.finditer(r"/rnn/notes/note iif (\d+) (\d+)", path.read_text()):
            (sounding.add if int(m[2]) else sounding.discard)(int(m[1]))
        assert not sounding
        talker.ask("close", "closed", session="notes")


def test_a_target_gets_superdirts_messages_for_the_moment_that_the_browser_is_told(
    tmp_path: Path, dump: tuple[int, Path]
) -> None:
    dump_port, path = dump
    config, latency = tmp_path / "serve.toml", 0.2
    config.write_text(
        f"""
        [[session]]
        name = "main"
        model = "roll"
        seed = 1
        [[osc.target]]
        port = {dump_port}
        latency = {latency}
        hold = 2.0
        note = "/dirt/play s superpiano n {{note}} sustain {{seconds}}"
        """
    )
    models = make_models(tmp_path / "models")
    form = (
        r"^(\w{8})\.(\w{8}) /dirt/play sssisf "
        r'"s" "superpiano" "n" (-?\d+) "sustain" ([\d.]+)$'
    )
    with stream_rnn(models, tmp_path / "log", "--config", str(config)) as served:
        heard = lines(path, form, 40)
        with Talker(served.http) as talker:
            talker.ask("attach", "opened", session="main", after=-1)
            symbols = {m["due"]: m["notes"] for m in talker.symbols(60)}
    wall = time.time() - time.monotonic()
    held: list[int] = []
    begun: dict[float, set[int]] = {}
    for due, notes in symbols.items():
        begun[due + wall + latency] = {pitch - 60 for pitch in notes if pitch not in held}
        held = notes
    for m in heard:
        stamp = int(m[1], 16) - osc.NTP_TO_UNIX + int(m[2], 16) / 2**32
        due = min(begun, key=lambda moment: abs(moment - stamp))
        assert abs(due - stamp) < 0.002
        begun[due].remove(int(m[3]))  # each once
        assert float(m[4]) == pytest.approx(2 / 20, abs=1e-4)
    last = max(int(m[1], 16) for m in heard) - osc.NTP_TO_UNIX - 1
    assert not any(notes for due, notes in begun.items() if due < last), "and none was left out"
