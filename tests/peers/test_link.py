"""Ableton Link with another program on it: in a namespace of its own, so that nothing leaves."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers.programs import needs, running, until

from stream_rnn.adapters.tempo.ableton_link import wants_link
from stream_rnn.config import Config, SessionConfig, TempoConfig
from stream_rnn.errors import ConfigError
from stream_rnn.sessions.tempo import Tempo

PROGRAMS = Path(__file__).with_name("link_programs.py")
TESTS = Path(__file__).parents[1]
PER_BEAT = 4


@pytest.fixture
def namespace() -> Iterator[str]:
    """A network of its own, with a loopback that carries multicast."""
    name = f"link-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
    try:
        for words in ("link set lo up", "link set lo multicast on", "route add 224.0.0.0/4 dev lo"):
            subprocess.run(["ip", "-n", name, *words.split()], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


class Talk:
    """A program of `link_programs.py`, and what it has said."""

    def __init__(self, log: Path) -> None:
        self._log = log

    @property
    def said(self) -> list[dict[str, Any]]:
        text = self._log.read_text()
        return [json.loads(line) for line in text.split("\n")[:-1]]


@contextlib.contextmanager
def talking(namespace: str, folder: Path, *words: object) -> Iterator[Talk]:
    log = folder / f"{words[0]}-{time.monotonic_ns()}.jsonl"
    command = ["ip", "netns", "exec", namespace, sys.executable, PROGRAMS, *words]
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    env = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS="1")
    errors = log.with_suffix(".err").open("w")
    with errors, log.open("w") as out, running(command, stdout=out, stderr=errors, env=env):
        yield Talk(log)


def symbols(talk: Talk) -> list[dict[str, Any]]:
    return [m for m in talk.said if m.get("type") == "symbol"]


@pytest.mark.peer
@needs("ip", "setpriv")
def test_joining_leaves_the_tempo_and_the_symbols_fall_on_the_others_beat(
    namespace: str, tmp_path: Path, models: Path
) -> None:
    pytest.importorskip("aalink")
    with talking(namespace, tmp_path, "peer", 97) as peer:
        until(lambda: len(peer.said) > 10)
        with talking(namespace, tmp_path, "session", models, 120) as ours:
            until(lambda: any(m["peers"] for m in peer.said), seconds=40)
            joined = time.monotonic() + 3.0
            until(lambda: len([m for m in symbols(ours) if m["due"] > joined]) > 40, seconds=30)
        assert all(m["bpm"] == pytest.approx(97, abs=0.001) for m in peer.said)
        shown = [m["controls"]["bpm"] for m in ours.said if m.get("type") == "controlled"]
        assert shown[-1] == pytest.approx(97, abs=0.001)
        heard = [m for m in symbols(ours) if m["due"] > joined]
        beats = {m["at"]: m for m in peer.said}
        worst = 0.0
        for m in heard:
            last = beats[max(at for at in beats if at <= m["due"])]
            step = Tempo(last["bpm"], last["beat"], last["at"]).beat_at(m["due"]) * PER_BEAT
            off = math.remainder(step - m["n"], 4 * PER_BEAT) * 60 / 97 / PER_BEAT
            worst = max(worst, abs(off))
        assert worst < 0.003  # seconds from its place in the other's bar
        numbers = [m["n"] for m in heard]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_link_is_joined_where_something_follows_it() -> None:
    assert not wants_link(Config())
    assert wants_link(Config(tempo=TempoConfig(sync="link")))
    follower = SessionConfig(name="a", model="m", controls={"sync": "link"})
    assert wants_link(Config(session=(follower,)))


def test_without_the_extra_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from support import ManualClock

    from stream_rnn.adapters.tempo.ableton_link import LinkSide
    from stream_rnn.stage.stage import Stage
    from stream_rnn.stage.transport import TransportFollower

    monkeypatch.setitem(sys.modules, "aalink", None)
    stage = Stage({})
    with pytest.raises(ConfigError, match=r"pip install 'stream-rnn\[link\]'"):
        LinkSide(stage, TransportFollower(stage), ManualClock(), 120.0)
