"""Models that cannot be played beside those that can: at the start, and once they are served."""

from __future__ import annotations

import json
import os
import shutil
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_bad_models_among_good_ones_are_told_in_a_line_each(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    models = make_models(tmp_path)
    bad = {
        "deep": "card.json: cannot be read (nested deeper than 32 levels)",
        "huge": "architecture has ",
        "pipe": "weights.safetensors: cannot be read (a folder, a pipe or a device",
        "steps": "codec.steps_per_beat is 0; it must be a whole number from 1 to 96",
        "crowd": "artists is ['A0', ",
        "tempo": "defaults.bpm must be from 0.1 to 12000, not -5",
    }

    def change(name: str, field: str, **values: Any) -> None:
        path = models / name / "card.json"
        card = json.loads(path.read_text())
        card[field] = values["all"] if "all" in values else card[field] | values
        path.write_text(json.dumps(card))

    for name in bad:
        shutil.copytree(models / ("roll" if name == "steps" else "verse"), models / name)
        change(name, "name", all=name)
    (models / "deep" / "card.json").write_text("[" * 10**6)
    change("huge", "architecture", hidden=16_384, layers=64)
    (models / "pipe" / "weights.safetensors").unlink()
    os.mkfifo(models / "pipe" / "weights.safetensors")
    change("steps", "codec", steps_per_beat=0)
    change("crowd", "artists", all=[f"A{i}" for i in range(100_000)])
    change("tempo", "defaults", all={"bpm": -5})

    with running_server(models) as (_, address):
        for _ in range(2):
            with Talker(address) as talker:
                assert [m["name"] for m in talker.hello["models"]] == ["roll", "verse"]
                talker.ask("open", "opened", model="verse")
                talker.symbols(3)
        with urllib.request.urlopen(f"{address}/v1/models") as answer:
            assert [m["name"] for m in json.load(answer)["models"]] == ["roll", "verse"]
    lines = capfd.readouterr().err.splitlines()
    for name, said in bad.items():
        (line,) = [line for line in lines if f"{models / name}/" in line]
        assert line.startswith("ERROR stream_rnn: left out: ") and said in line
    assert not any("Traceback" in line for line in lines)
