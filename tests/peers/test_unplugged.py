"""What docs/installations.md says of what goes away, done to real processes."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.programs import free_port, needs, running, stream_rnn, until
from talker import Talker, Witness

pytestmark = [pytest.mark.peer, needs("oscdump", "setpriv")]


@contextlib.contextmanager
def dumping(port: int, path: Path) -> Iterator[Path]:
    with path.open("wb") as out, running(["oscdump", "-L", str(port)], stdout=out):
        yield path


def numbers(dump: Path) -> list[int]:
    """The n of each character that oscdump printed."""
    text = dump.read_text(errors="replace")
    return [int(n) for n in re.findall(r'/rnn/s/char si "[^"]" (\d+)$', text, re.MULTILINE)]


def test_an_osc_target_goes_and_comes_back_and_nobody_else_is_held_up(
    models: Path, tmp_path: Path
) -> None:
    port, config = free_port(), tmp_path / "serve.toml"
    config.write_text(f'[[osc.target]]\nport = {port}\nsession = "s"\n')
    with (
        stream_rnn(models, tmp_path / "log", "--config", str(config)) as server,
        Talker(server.http) as talker,
    ):
        with dumping(port, tmp_path / "one") as dump:
            time.sleep(0.3)  # until it listens
            talker.ask("open", "opened", model="verse", session="s", controls={"rate": 50})
            until(lambda: len(numbers(dump)) > 50)
            stack = contextlib.ExitStack()
            stack.enter_context(Witness(server.http, calm=2.0, osc=server.osc))
        with stack:
            time.sleep(2)  # datagrams to nobody
            with dumping(port, tmp_path / "two") as dump:
                until(lambda: len(numbers(dump)) > 50)
        first, second = numbers(tmp_path / "one"), numbers(tmp_path / "two")
    assert first == list(range(len(first)))
    assert second == list(range(second[0], second[0] + len(second)))
    assert second[0] > first[-1] + 100, "what came meanwhile is gone"
