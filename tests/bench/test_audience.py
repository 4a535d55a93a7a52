from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream_rnn import cli
from stream_rnn.bench import audience, serve

QUIET: dict[str, Any] = {
    "lateness_ms": {"p99": 4.0, "p99.9": 30.0},
    "symbols_per_viewer": {"least": 299, "most": 300, "expected": 300},
    "lost": 0,
    "doubled": 0,
    "dropped": 0,
    "long_pauses": 0,
}


def test_viewers_are_measured(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "WARM_UP", 0.2)
    result = audience.bench_audience(
        models=models, model="verse", viewers=5, rate=20.0, seconds=1.0
    )
    assert (result["model"], result["viewers"]) == ("verse", 5)
    assert result["symbols"] >= 5 * result["symbols_per_viewer"]["least"] > 0
    assert (result["lost"], result["doubled"], result["dropped"]) == (0, 0, 0)
    assert result["gateway_us_per_symbol"] > 0 and result["gateway_us_per_further_viewer"]
    assert "5 viewers of one session of 'verse'" in audience.describe(result)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lateness_ms": {"p99": 25.5}}, "25.5 ms late at p99"),
        ({"symbols_per_viewer": {"least": 298, "expected": 300}}, "one viewer had 298 symbols"),
        ({"lost": 1}, "1 symbols lost"),
        ({"dropped": 3}, "3 symbols were dropped"),
    ],
)
def test_each_bound_has_its_line(changed: dict[str, Any], said: str) -> None:
    assert not audience.breaches(QUIET)
    (line,) = audience.breaches(QUIET | changed)
    assert said in line


def test_the_command_asks_for_as_many(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(audience, "bench_audience", lambda **given: asked.append(given) or QUIET)
    assert cli.main(["bench", "audience", "--viewers", "7", "--json", "--check"]) == 0
    assert json.loads(capsys.readouterr().out) == QUIET
    assert (asked[0]["viewers"], asked[0]["rate"]) == (7, 15.0)
