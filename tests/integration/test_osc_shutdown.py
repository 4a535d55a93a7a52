"""What sounds at OSC programs when the server is told to end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import make_models

from stream_rnn.bench.serve import children
from stream_rnn.wire import osc


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc tells who has children")
@pytest.mark.parametrize("plain", ["false", "true"])
def test_notes_end_before_the_engine_does(tmp_path: Path, plain: str) -> None:
    models, config = make_models(tmp_path / "models"), tmp_path / "serve.toml"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(5)
        config.write_text(
            f"""
            [[session]]
            name = "s"
            model = "roll"
            seed = 1
            [[osc.target]]
            port = {there.getsockname()[1]}
            plain = {plain}
            """
        )
        command = [sys.executable, "-m", "stream_rnn", "serve", "--no-spare"]
        command += ["--port", "0", "--osc-port", "0"]
        command += ["--models", str(models), "--config", str(config)]
        sounding: set[int] = set()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert re.search("listening on", process.stdout.readline())
            end, alive = time.monotonic() + 1.0, True
            while process.poll() is None:
                try:
                    packet = there.recv(1 << 16)
                except TimeoutError:
                    break
                for timed in osc.parse_packet(packet):
                    if timed.address == "/rnn/s/note":
                        pitch, velocity, _ = timed.arguments
                        (sounding.add if velocity else sounding.discard)(pitch)
                if time.monotonic() > end and sounding:
                    process.send_signal(signal.SIGTERM)
                    end = float("inf")
                if end == float("inf") and not sounding:
                    alive = bool(children(process.pid))
                    there.settimeout(1)
            assert process.wait(10) == 0
    assert end == float("inf") and not sounding and alive
