"""Floods of small frames, messages and requests, beside a session that plays on in time.

`pytest -s` shows how late its symbols came. The bounds are loose, for a machine that is busy: what
they tell apart is a server that stood still, for seconds.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import resident
from talker import Talker

from stream_rnn.bench.serve import running_server

FLOODER = Path(__file__).parents[1] / "flooder.py"
SECONDS = 1.2  # of each kind
RATE = 30
LATE = 0.5  # seconds; what stood still came up to 10 s late
KINDS = (
    "pings", "pings of fifty", "pings that are not read", "pongs", "fragments", "controls",
    "attaches", "mistakes", "marks", "signs", "lists", "metrics", "pages", "pipelined",
    "connections", "halves",
)  # fmt: skip
SILENT = ("pings that are not read", "pongs", "fragments", "listening")  # nothing is answered
QUERIES = ("trees", "trees on new connections", "listening")


@dataclass
class Found:
    """What came of one kind of flood: times are in seconds, and hold for nine of ten.

    Attributes:
        late: how long after they were due symbols came.
        waited: how long a performer waited for answers.
        was_heard: whether the flood was answered.
    """

    kind: str
    late: float
    waited: float
    was_heard: bool


class Performer:
    """Asks for a sign of life now and then, in a thread of its own.

    Attributes:
        waits: when it asked, and how long it waited for the answer.
    """

    def __init__(self, address: str) -> None:
        self._talker, self._stop = Talker(address), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.waits: list[tuple[float, float]] = []
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            asked = time.monotonic()
            self._talker.say("ping", t0=asked)
            self._talker.until("pong", timeout=60.0)
            self.waits.append((asked, time.monotonic() - asked))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._talker.close()


def percentile(numbers: Sequence[float], share: float) -> float:
    return sorted(numbers)[min(len(numbers) - 1, int(len(numbers) * share))]


def flooded(address: str, web: str, kinds: Sequence[str]) -> list[Found]:
    """Floods an address with one kind after the other, and returns what came of each.

    Args:
        web: the address where the witness is.
    """
    command = [sys.executable, str(FLOODER), address, str(SECONDS), *kinds]
    with Talker(web) as witness:
        for name in ("witness", "flooded"):
            opened = witness.ask("open", "opened", model="verse", session=name, play=False)
            assert opened["type"] == "opened", opened
        witness.say("control", session="witness", controls={"rate": RATE})
        witness.say("play", session="witness")
        witness.symbols(RATE)
        performer = Performer(web)
        symbols: list[dict[str, Any]] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooder:
            while flooder.poll() is None or not symbols or symbols[-1]["due"] < time.monotonic():
                symbols += witness.symbols(1, timeout=60.0)
            assert flooder.stdout is not None
            told = [json.loads(line) for line in flooder.stdout]
        performer.stop()
        for name in ("witness", "flooded"):
            witness.ask("close", "closed", session=name)
    assert [one["kind"] for one in told] == list(kinds)
    assert [s["n"] for s in symbols] == list(range(symbols[0]["n"], symbols[-1]["n"] + 1))
    found = []
    for one in told:
        within = [s for s in symbols if one["began"] + 0.2 < s["due"] < one["ended"]]
        waits = [wait for asked, wait in performer.waits if one["began"] < asked < one["ended"]]
        late = [s["arrived"] - s["due"] for s in within] or [9.0]  # it stood still
        wait = max(waits, default=0.0)
        sys.stdout.write(
            f"\n{one['kind']}: late by {1e3 * percentile(late, 0.5):.1f} ms (half), "
            f"{1e3 * percentile(late, 0.9):.1f} (9 of 10), {1e3 * max(late):.1f} (all); a "
            f"performer waited for {1e3 * wait:.1f} ms; sent {one.get('sent', 0) / 1e6:.2f} MB, "
            f"heard {one.get('heard', 0) / 1e6:.3f} MB"
        )
        found.append(
            Found(
                kind=one["kind"],
                late=percentile(late, 0.9),
                waited=percentile(waits or [9.0], 0.9),
                was_heard=one.get("heard", 0) > 0,
            )
        )
    return found


def test_floods_make_nobody_late(models: Path, tmp_path: Path) -> None:
    config = tmp_path / "serve.toml"
    config.write_text("[discovery]\nport = 0\n")
    log = tmp_path / "log"
    with log.open("w") as said:
        options = ("--config", str(config))
        with running_server(models, *options, said=said) as (process, address):
            query = re.search(r"OSCQuery on (http://[\d.:]+)", log.read_text())
            assert query is not None
            memory = resident(process.pid)
            found = flooded(address, address, KINDS) + flooded(query[1], address, QUERIES)
            grown = resident(process.pid) - memory
            with Talker(address) as other:
                assert other.ask("open", "opened", model="verse")["type"] == "opened"
                other.symbols(5)
    sys.stdout.write(f"\nmemory +{grown / 1e6:.0f} MB\n")
    assert not [one for one in found if one.late > LATE], "symbols came late"
    assert not [one for one in found if one.waited > 4 * LATE], "a performer waited"
    assert not [one for one in found if not one.was_heard and one.kind not in SILENT]
    assert grown < 100e6
    assert "Traceback" not in log.read_text()
