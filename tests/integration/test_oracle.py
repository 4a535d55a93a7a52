"""A short run of the oracle: `python -m tests.oracle` is the long one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(
    not (hasattr(signal, "SIGSTOP") and Path("/proc/self/stat").exists()),
    reason="engines are found in /proc, and held still",
)
def test_every_history_is_what_its_log_says(models: Path, tmp_path: Path) -> None:
    tiny = [str(models / "verse"), str(models / "roll")]
    bundled = ["lyrics", "lyrics-any", "performance", "folk"]
    command = [
        sys.executable, "-m", "tests.oracle", "--seconds", "8", "--seed", "8",
        "--shrink", "0", "--models", ",".join([*tiny, *bundled]), "--out", str(tmp_path),
    ]  # fmt: skip
    # What fails is found by this test, and made short by the command.
    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr + (tmp_path / "server.log").read_text()
    sys.stdout.write(run.stdout)
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts["symbols"] > 500 and counts["pasts"] > 20
    assert counts["kill"] and counts["stop"], "another seed has them"
