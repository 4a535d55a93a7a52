"""Runs that are killed, that diverge, and whose disk is full: from the command line, for real."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream_rnn import cli

ROOT = Path(__file__).parents[2]
RECIPE = """
[data]
source = "prose.txt"
format = "text"
least = 1
split = [0.6, 0.2, 0.2]
[model]
name = "tiny"
title = "Tiny"
hidden = 8
layers = 1
[train]
rows = 4
chunk = 8
steps = {steps}
learning_rate = {rate}
evaluate_every = 3
save_every = 100000
sample_every = 100000
"""


@pytest.fixture
def train(tmp_path: Path) -> list[str]:
    """The arguments of a small run."""
    dice = random.Random(1)
    (tmp_path / "prose.txt").write_text("".join(dice.choice("ab c\n") for _ in range(2000)))
    recipe(tmp_path, steps=6, rate=1e-2)
    return [
        "train", str(tmp_path / "x.toml"), "--data", str(tmp_path), "--run", str(tmp_path / "run")
    ]  # fmt: skip


def recipe(folder: Path, **values: float) -> None:
    (folder / "x.toml").write_text(RECIPE.format(**values))


def test_a_run_that_was_killed_before_its_first_save_goes_on(
    train: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(tmp_path, steps=1_000_000, rate=1e-2)
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_rnn", *train],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    log = tmp_path / "run" / "log.csv"
    try:
        for _ in range(1200):
            if log.exists():
                break
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert log.exists()
    with log.open("a") as file:
        file.write("7,tra")  # a line that was not finished

    recipe(tmp_path, steps=6, rate=1e-2)
    assert cli.main(train) == 2
    assert "--resume it" in capsys.readouterr().err
    assert cli.main([*train, "--resume"]) == 0
    whole = tmp_path / "whole"
    assert cli.main([*train[:-1], str(whole)]) == 0
    went_on, at_once = (
        [line.split(",")[:3] for line in (folder / "log.csv").read_text().splitlines()]
        for folder in (tmp_path / "run", whole)
    )
    assert went_on == at_once


@pytest.mark.parametrize("rate", [1e6, 1e12, 1e30])
def test_a_run_that_diverges_has_failed_and_its_card_says_no_nonsense(
    train: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], rate: float
) -> None:
    recipe(tmp_path, steps=9, rate=rate)
    code = cli.main(train)
    said = capsys.readouterr().err
    card = tmp_path / "run" / "best" / "card.json"
    if card.exists():
        assert "NaN" not in card.read_text() and "Infinity" not in card.read_text()
    if code:
        assert code == 1 and "diverged after" in said and "lower train.learning_rate" in said
    else:
        assert json.loads(card.read_text())["scores"]["test"]["nll"] > 0
    assert rate < 1e12 or code == 1


def test_a_disk_that_is_full_is_told_in_a_line_and_the_run_can_go_on(
    train: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # No file may become larger than this, as on a disk that is full. The signal that comes with
    # it is ignored, so that the write itself fails.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    try:
        code = cli.main(train)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    said = capsys.readouterr().err
    assert code == 1
    assert "run.safetensors: cannot be written (File too large)" in said
    assert "Traceback" not in said
    assert not list((tmp_path / "run").rglob("*.new"))
    assert cli.main(train) == 0
