"""What a server that is killed has recorded, and the next one beside it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import mido
import pytest


def notes(path: Path) -> int:
    return sum(m.type == "note_on" and m.velocity > 0 for m in mido.MidiFile(path))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has none")
def test_a_take_is_kept_when_the_server_is_killed_and_started_again(
    models: Path, tmp_path: Path
) -> None:
    take = tmp_path / "take.mid"
    command = [sys.executable, "-m", "stream_rnn", "play", str(models / "roll"), "--seed", "5"]
    command += ["--bpm", "300", "--record", str(take)]
    kept: dict[Path, bytes] = {}
    for round in range(3):
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        with process.stdout:
            try:
                assert b"playing; watch it" in process.stdout.readline()
                end = time.monotonic() + 20
                new: list[Path] = []
                while not (new and notes(new[0]) > 20):
                    assert time.monotonic() < end, sorted(tmp_path.iterdir())
                    time.sleep(0.2)
                    new = [p for p in tmp_path.glob("*.mid") if p not in kept]
            finally:
                process.kill()
                process.wait()
        assert len(new) == 1
        kept[new[0]] = new[0].read_bytes()
        said = f"take.mid is there already; recording to {new[0]}"
        assert (said in (tmp_path / "log").read_text()) == (round > 0)
    assert take in kept and len(kept) == 3
    assert all(path.read_bytes() == data for path, data in kept.items())
