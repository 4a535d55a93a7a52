import json
import subprocess
import sys

import pytest

from stream_rnn.bench.backprop import WAYS, main


def test_the_table_has_every_way_at_a_length(capfd: pytest.CaptureFixture[str]) -> None:
    few = ["--hidden", "8", "--rows", "2", "--lengths", "33", "--chunk", "8"]
    assert main(few) == 0
    head, line, *rows = capfd.readouterr().out.splitlines()
    assert all(way in head for way in WAYS) and "chunks of 8" in head
    assert [row.split(" | ")[0] for row in rows] == ["| 33"]
    assert {text.count("|") for text in (head, line, *rows)} == {2 + 2 * len(WAYS)}
    assert all(row.count(" MiB ") == row.count(" s ") == len(WAYS) for row in rows)


def mebibytes(way: str) -> float:
    """Of 1,024 symbols, in a process of its own."""
    command = [sys.executable, "-m", "stream_rnn.bench.backprop", "--one", "1024", way]
    return float(json.loads(subprocess.check_output(command))["mebibytes"])


def test_what_is_measured_is_the_memory_of_the_gradient() -> None:
    """It leaves out what a first use loads, which is 70 MiB for checkpointing."""
    whole = mebibytes("whole")
    assert whole > 100
    assert mebibytes("truncated") < whole / 2
    assert mebibytes("checkpointed") < whole / 2
