"""A model whose weights are damaged while it is served, and an engine that is killed then."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from support import make_models
from talker import Talker

from stream_rnn.bench.serve import children, running_server


def test_the_other_models_play_on_and_its_own_listeners_are_told(tmp_path: Path) -> None:
    models = make_models(tmp_path)
    weights = models / "verse" / "weights.safetensors"
    with running_server(models) as (process, address):
        with Talker(address) as talker, Talker(address) as other:
            talker.ask("open", "opened", model="verse", session="lost")
            other.ask("open", "opened", model="roll", session="kept")
            talker.symbols(5)
            other.symbols(5)
            weights.write_bytes(weights.read_bytes()[:-500])
            (engine,) = children(process.pid)
            os.kill(engine, signal.SIGKILL)
            error = talker.until("error", timeout=30)
            assert (error["code"], error["session"]) == ("unknown_model", "lost")
            assert str(weights) in error["message"]
            assert other.until("playing", timeout=30)["session"] == "kept"
            other.symbols(10)
            assert talker.ask("open", "opened", model="verse")["code"] == "unknown_model"
            hello = Talker(address)
            assert [m["name"] for m in hello.hello["models"]] == ["roll"]
            hello.close()
    with running_server(models) as (_, address), Talker(address) as talker:
        assert [m["name"] for m in talker.hello["models"]] == ["roll"], "at a start, too"
