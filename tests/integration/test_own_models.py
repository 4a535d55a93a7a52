"""Corpora of other people's kinds, from a file to a stream: trained, sampled, scored and served."""

from __future__ import annotations

import contextlib
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from talker import Talker

from stream_rnn.bench.serve import running_server
from stream_rnn.cli import main

RECIPE = """
[data]
source = "{source}"
format = "{format}"
split = [0.6, 0.2, 0.2]
origin = "made by the test"
licence = "none"
[model]
name = "{name}"
title = "a few steps"
hidden = 32
layers = 1
[train]
rows = 4
chunk = 32
steps = 3
learning_rate = 3e-3
evaluate_every = 3
sample_every = 3
save_every = 3
"""


def impsy_logs(folder: Path) -> None:
    """A folder of two logs: a time, who played, three values."""
    dice = random.Random(1)
    for evening in range(2):
        lines, seconds = [], 0.0
        for _ in range(400):
            seconds += dice.choice((0.02, 0.1, 1.5))
            who = dice.choice(("interface", "interface", "rnn"))
            time = f"2026-01-0{evening + 1}T00:{int(seconds) // 60:02}:{seconds % 60:09.6f}"
            lines.append(",".join([time, who, *(f"{dice.random():.4f}" for _ in range(3))]))
        (folder / f"2026-01-0{evening + 1}T00-00-00-4d-mdrnn.log").write_text("\n".join(lines))


def impsy_set(path: Path) -> None:
    """Its data set: performances of different lengths, a row a report, the seconds first."""
    noise = np.random.default_rng(1)
    performances = np.empty(3, dtype=object)
    for i in range(3):
        performances[i] = noise.random((150 + 50 * i, 4)).astype(np.float32)
    np.savez(path, perfs=performances)


def jsb_json(path: Path) -> None:
    """Chorales as JSB's JSON has them: four voices a sixteenth, -1 for one that rests."""
    dice = random.Random(1)
    voices = (72, 65, 60, 48)

    def piece() -> list[list[int]]:
        return [[v + dice.choice((0, 2, 4)) for v in voices] for _ in range(40)] + [[-1] * 4]

    sets = {name: [piece() for _ in range(n)] for name, n in (("train", 8), ("valid", 2))}
    path.write_text(json.dumps({**sets, "test": [piece(), piece()]}))


def trio(folder: Path) -> None:
    """A band of three: a row a second, a gesture a player."""
    dice = random.Random(1)
    for name in range(12):
        rows = ["time,a,b,c"]
        rows += [f"{t},{dice.randrange(9)},{dice.randrange(9)},{t % 9}" for t in range(120)]
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")


KINDS: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "impsy-logs": ("touch", "logs", impsy_logs),
    "impsy-set": ("touch", "set.npz", impsy_set),
    "jsb-json": ("rolls", "jsb.json", jsb_json),
    "trio": ("ensemble", "trio", trio),
}


def ran(*arguments: object) -> str:
    """What a command prints; it must end well."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main([str(a) for a in arguments]) == 0
    return said.getvalue()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models, each trained for three steps by the command line."""
    root = tmp_path_factory.mktemp("own")
    models = root / "models"
    models.mkdir()
    for name, (kind, source, make) in KINDS.items():
        data = root / name
        data.mkdir()
        where = data / source
        if not where.suffix:
            where.mkdir()
        make(where)
        (data / "recipe.toml").write_text(RECIPE.format(name=name, format=kind, source=source))
        ran("train", data / "recipe.toml", "--data", data, "--run", data / "run")
        score = json.loads(ran("eval", data / "run" / "best", "--data", data, "--json"))
        assert score["nll"] > 0 and score["symbols"] > 20
        (data / "run" / "best").rename(models / name)
    return models


@pytest.fixture(scope="module")
def address(trained: Path) -> Iterator[str]:
    with running_server(trained) as (_, where):
        yield where


def events(address: str, model: str, count: int = 20) -> list[dict[str, Any]]:
    with Talker(address) as talker:
        opened = talker.ask("open", "opened", session=model, model=model)
        assert opened["type"] == "opened", opened
        talker.say("control", session=model, rate=50)
        heard = talker.symbols(count)
    assert [m["n"] for m in heard] == list(range(count))
    return heard


@pytest.mark.parametrize(("model", "ending"), [
    ("impsy-logs", ".csv"), ("impsy-set", ".csv"), ("jsb-json", ".mid"), ("trio", ".mid"),
    ("trio", ".csv"),
])  # fmt: skip
def test_a_sample_is_a_file_that_has_all_of_it(
    trained: Path, tmp_path: Path, model: str, ending: str
) -> None:
    out = tmp_path / f"sample{ending}"
    ran("sample", trained / model, "--length", 60, "--out", out)
    if ending == ".csv":
        rows = [line.split(",") for line in out.read_text().splitlines()]
        assert len(rows) >= 10
        if "dt" in rows[0]:
            times, steps = ([float(row[i]) for row in rows[1:]] for i in (0, rows[0].index("dt")))
            assert times == pytest.approx(np.cumsum(steps), abs=1e-3)
        assert {len(row) for row in rows} == {5 if "dt" in rows[0] else 4}  # a time, and values
    else:
        assert out.read_bytes().startswith(b"MThd")


@pytest.mark.parametrize("model", ["impsy-logs", "impsy-set"])
def test_reports_come_with_their_times(address: str, model: str) -> None:
    heard = [m["event"] for m in events(address, model, 40)]
    columns = {name for event in heard for name in event}
    assert "dt" in columns and len(columns - {"end"}) == 4
    assert all(event["dt"] >= 0 for event in heard if "dt" in event)


def test_chords_of_four_voices_are_heard(address: str) -> None:
    assert all(set(m["notes"]) <= set(range(21, 109)) for m in events(address, "jsb-json"))


def test_a_band_of_three_has_three_parts(address: str) -> None:
    heard = [m["event"] for m in events(address, "trio", 9)]
    assert {event["player"] for event in heard if "player" in event} == {0, 1, 2}
