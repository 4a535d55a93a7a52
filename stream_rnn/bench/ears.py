"""The listeners of `bench midi`: a JACK server with clients, and a UDP socket."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from stream_rnn.errors import StreamRnnError

PERIOD = 32  # frames, at 48 kHz
NTP_TO_UNIX = 2_208_988_800
RECEIVE_BUFFER = 1 << 22
SO_TIMESTAMPNS = 35  # Linux: the kernel stamps each datagram's arrival


@contextlib.contextmanager
def jack() -> Iterator[None]:
    """A JACK server for this process and its children.

    The server waits for its clients (-S), so that a listener without processor time loses nothing.
    """
    name = "stream-rnn-bench"
    before = {k: os.environ.get(k) for k in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")}
    os.environ.update(JACK_DEFAULT_SERVER=name, JACK_NO_START_SERVER="1")
    driver = ["-d", "dummy", "-r", "48000", "-p", str(PERIOD)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        server = subprocess.Popen(
            ["jackd", "-R", "-P", "50", "-S", "--name", name, *driver], **quiet
        )  # type: ignore[call-overload]
    except FileNotFoundError:
        raise StreamRnnError("bench midi needs jackd (Debian: jackd2)") from None
    try:
        waited = subprocess.run(["jack_wait", "-s", name, "-w", "-t", "10"], **quiet)  # type: ignore[call-overload]
        if waited.returncode or server.poll() is not None:
            raise StreamRnnError("jackd does not start; is another bench running?")
        yield
    finally:
        server.terminate()
        server.wait()
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextlib.contextmanager
def listener(client: str) -> Iterator[list[tuple[float, bytes]]]:
    """The messages that arrive at a JACK port: a list of (time, bytes) that grows."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_rnn.bench.jack_listener", client],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    lines, heard = process.stdout, []
    if not lines.readline():
        raise StreamRnnError("the JACK listener does not start")

    def listen() -> None:
        for line in lines:
            moment, data = line.split()
            heard.append((float(moment), bytes.fromhex(data)))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield heard
    finally:
        process.stdin.close()
        process.wait()
        thread.join()
        lines.close()


class OscEar:
    """A UDP socket that notes each bundle's timetag, and by how much later the bundle arrived."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[float, float]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.port: int = self._socket.getsockname()[1]
        self._open = True
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> OscEar:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                data, extra, _, _ = self._socket.recvmsg(1 << 16, 64)
                if data.startswith(b"#bundle\0"):
                    (stamp,) = struct.unpack_from(">Q", data, 8)
                    due = stamp / 2**32 - NTP_TO_UNIX
                    seconds, nanoseconds = struct.unpack("qq", extra[0][2])
                    since = time.monotonic() - time.time()
                    self.arrivals.append((due + since, seconds + nanoseconds / 1e9 - due))
