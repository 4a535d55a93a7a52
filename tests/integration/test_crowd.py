"""Connections without end: silent ones, too many, and none of the descriptors left."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from talker import Talker, Witness
from websockets.exceptions import InvalidStatus

from stream_rnn.adapters.http.websocket_door import REQUEST
from stream_rnn.bench.serve import children, running_server

HALF = (
    b"",
    b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\nhalf",
)


@contextlib.contextmanager
def crowd(address: str, count: int) -> Iterator[list[socket.socket]]:
    """So many connections that say nothing, or half of something."""
    host, port = address.removeprefix("http://").split(":")
    there: list[socket.socket] = []
    try:
        for n in range(count):
            there.append(socket.create_connection((host, int(port)), timeout=10))
            there[-1].sendall(HALF[n % len(HALF)])
        yield there
    finally:
        for one in there:
            one.close()


def ended(connection: socket.socket, patience: float) -> bool:
    """Whether the server has closed a connection."""
    connection.settimeout(patience)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_three_hundred_silent_connections_are_let_go_and_nobody_notices(models: Path) -> None:
    with running_server(models) as (process, address):
        before = descriptors(process.pid)
        with Witness(address, calm=1.0), crowd(address, 300) as there:
            began = time.monotonic()
            patience = began + REQUEST + 20  # the machine may be busy
            assert all(ended(one, max(patience - time.monotonic(), 0.1)) for one in there)
            assert time.monotonic() - began > REQUEST / 2, "they had some time"
        end = time.monotonic() + 10
        while descriptors(process.pid) > before and time.monotonic() < end:
            time.sleep(0.1)
        assert descriptors(process.pid) <= before


def test_a_limit_of_connections_is_told_to_each_client_and_leaves_the_others(
    models: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_server(models, "--max-connections", "10") as (_, address), Witness(address):
        with contextlib.ExitStack() as stack:
            refused = None
            for _ in range(60):
                try:
                    stack.enter_context(Talker(address))
                except InvalidStatus as error:
                    refused = error.response
                    break
            assert refused is not None and refused.status_code == 503
            assert b"--max-connections" in (refused.body or b"")
            host, port = address.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=10) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert plain.recv(4096).startswith(b"HTTP/1.1 503 ")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(InvalidStatus), Talker(address) as talker:
                assert talker.ask("ping", "pong", t0=0)["type"] == "pong"
                break
    said = capfd.readouterr().err
    assert "Traceback" not in said
    # One line for the WebSockets and the plain one together: the client is the same.
    assert said.count("--max-connections") == 1


def test_an_engine_comes_back_when_no_descriptor_is_left(
    models: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The server's limit is lowered to what it has open, as if all others had been taken."""
    with running_server(models) as (process, address), Talker(address) as talker:
        talker.ask("open", "opened", model="verse", session="s", controls={"rate": 50})
        talker.symbols(20)
        highest = max(map(int, os.listdir(f"/proc/{process.pid}/fd")))
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (highest + 1, hard))
        with crowd(address, 60) as there:  # they fill what gaps there were, and wait
            time.sleep(0.5)
            cpu = processor_time(process.pid)
            time.sleep(1.0)
            # Accepting what cannot be accepted is not tried again and again.
            assert processor_time(process.pid) - cpu < 0.7
            (engine,) = children(process.pid)
            os.kill(engine, signal.SIGKILL)
            playing = talker.until("playing", timeout=20)
            assert playing["reason"] == "engine"
            assert len(talker.symbols(50)) == 50
            assert children(process.pid) not in ([], [engine])
            assert len(there) == 60
    assert "Traceback" not in capfd.readouterr().err


def processor_time(pid: int) -> float:
    """Seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_small_limit_of_descriptors_is_told_and_kept_to(models: Path, tmp_path: Path) -> None:
    limit, log = 160, tmp_path / "stderr"
    serve = f"{sys.executable} -m stream_rnn serve --port 0 --no-osc --models {models}"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            ["sh", "-c", f"ulimit -n {limit}; exec {serve}"],
            stdout=subprocess.PIPE, stderr=stderr, text=True,
        ) as process,
    ):  # fmt: skip
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split("listening on ")[1].strip()
            with Talker(address) as talker, crowd(address, 400):
                talker.ask("open", "opened", model="verse", session="s", controls={"rate": 50})
                talker.symbols(5)
                assert descriptors(process.pid) < limit
                (engine,) = children(process.pid)
                os.kill(engine, signal.SIGKILL)
                assert talker.until("playing", timeout=20)["reason"] == "engine"
                assert len(talker.symbols(30)) == 30
        finally:
            process.terminate()
            process.wait(20)
    said = log.read_text()
    assert "ulimit -n" in said and "Traceback" not in said
