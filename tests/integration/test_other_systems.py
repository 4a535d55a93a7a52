"""What other systems do not have is taken away from this one, and a server has to do without.

It is no Windows: what that does otherwise than leave things out is not seen here.
"""

from __future__ import annotations

import os
import signal
import urllib.request
from pathlib import Path

import pytest
from peers.programs import until
from support import make_models
from talker import Talker

from stream_rnn.bench.serve import children, running_server

# Python runs it at the start of every process, so of each child, too.
WITHOUT = """
import asyncio, os, select, signal, socket, sys

sys.modules["uvloop"] = None  # importing it fails
sys.modules["resource"] = None
for module, names in {
    select: ("poll", "epoll"),
    os: ("sched_yield", "sched_setscheduler", "sched_getscheduler", "SCHED_BATCH", "SCHED_OTHER"),
    signal: ("SIGHUP", "SIGQUIT", "SIGTSTP", "SIGCONT", "SIGSTOP"),
}.items():
    for name in names:
        delattr(module, name)

def add_signal_handler(self, *arguments):
    raise NotImplementedError

asyncio.SelectorEventLoop.add_signal_handler = add_signal_handler

from stream_rnn import handover

handover.INHERITS = False
print("without", os.getpid(), file=open(os.environ["WITNESS"], "a"))
"""


def test_a_server_streams_restarts_its_engine_and_ends_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    witness = tmp_path / "witness"
    monkeypatch.setenv("WITNESS", str(witness))
    here = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), here]))
    models = make_models(tmp_path / "models")
    config = tmp_path / "serve.toml"
    config.write_text('[[midi.out]]\nport = "synth"\n')
    with running_server(models, "--config", str(config)) as (process, address):
        with Talker(address) as talker:
            talker.ask("open", "opened", model="verse", session="s", controls={"rate": 100})
            assert [m["n"] for m in talker.symbols(20)] == list(range(20))
            with urllib.request.urlopen(f"{address}/metrics") as response:
                shown = response.read().decode()
            assert "stream_rnn_engine_up 1.0" in shown
            assert "peak_memory" not in shown
            before = children(process.pid)
            assert len(before) == 2, "the engine and the MIDI process"
            saw = {int(line.split()[1]) for line in witness.read_text().splitlines()}
            assert {process.pid, *before} <= saw
            for child in before:
                os.kill(child, signal.SIGKILL)
            until(lambda: len(set(children(process.pid)) - set(before)) == 2, 30)
            n = talker.symbols(1)[0]["n"]
            assert [m["n"] for m in talker.symbols(20)] == list(range(n + 1, n + 21))
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
