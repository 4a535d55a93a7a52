"""One client asks for as much as it may, and another one's session plays on in time.

With `-s` the figures are shown. The bounds are loose, for a machine that is busy; what they tell
apart is a server that stood still, for seconds, or lost its engine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from attacker import ANSWERS, ENOUGH
from support import resident
from talker import Talker

from stream_rnn.bench.serve import children, running_server

ATTACKER = Path(__file__).parents[1] / "attacker.py"
RATE, CALM, SECONDS = 30, 60, {"rewinds": 20.0, "feeds": 12.0, "replays": 12.0}


def percentile(late: list[float], share: float) -> float:
    return sorted(late)[min(len(late) - 1, int(len(late) * share))]


@pytest.mark.parametrize("kind", ["rewinds", "feeds", "replays"])
def test_who_asks_for_too_much_makes_nobody_else_late(models: Path, kind: str) -> None:
    with running_server(models) as (process, address), Talker(address) as witness:
        witness.ask("open", "opened", model="verse", session="w", controls={"rate": RATE})
        before = witness.symbols(CALM)
        engines, memory = children(process.pid), resident(process.pid)
        command = [sys.executable, str(ATTACKER), kind, address, str(SECONDS[kind])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as attacker:
            during = []
            while attacker.poll() is None:  # at least SECONDS
                during += witness.symbols(RATE, timeout=60.0)
            said, _ = attacker.communicate()
        grown = resident(process.pid) - memory
        symbols = before + during
        late = [s["arrived"] - s["due"] for s in during]
        calm = [s["arrived"] - s["due"] for s in before]
        sys.stdout.write(
            f"\n{kind}: late by {1000 * percentile(late, 0.5):.1f} ms (half), "
            f"{1000 * percentile(late, 0.99):.1f} (99 of 100), {1000 * max(late):.1f} (all); "
            f"before, {1000 * max(calm):.1f} (all); "
            f"over 50 ms: {sum(x > 0.05 for x in late)} of {len(late)}; "
            f"memory +{grown / 1e6:.0f} MB; the attacker heard {said.strip()}\n"
        )
        assert len(during) > 0.8 * SECONDS[kind] * RATE
        assert json.loads(said)[ANSWERS[kind]] >= ENOUGH, "it is an attack"
        assert [s["n"] for s in symbols] == list(range(len(symbols)))
        assert not [m for m in witness.heard if m["type"] in ("paused", "gap", "error")]
        assert children(process.pid) == engines, "the engine lives on"
        gaps = [b["due"] - a["due"] for a, b in zip(symbols, symbols[1:], strict=False)]
        assert max(gaps) < 0.5, "the timeline never stood still"
        assert percentile(late, 0.99) < 0.5
        assert grown < 60e6
        with Talker(address) as other:
            assert other.ask("open", "opened", model="verse")["type"] == "opened"
            other.symbols(5)
