from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream_rnn import cli
from stream_rnn.bench import serve
from stream_rnn.errors import StreamRnnError

QUIET: dict[str, Any] = {
    "lateness_ms": {"p99": -9.0, "p99.9": 20.0},
    "symbols_per_session": {"least": 299, "most": 300, "expected": 300},
    "stalls": 0,
    "lost": 0,
    "doubled": 0,
    "long_pauses": 0,
    "memory_mb": {"server": 100, "engine": 400},
}


def test_sessions_are_measured(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "WARM_UP", 0.5)
    result = serve.bench_serve(models=models, model="verse", sessions=3, rate=20.0, seconds=0.5)
    assert (result["model"], result["sessions"]) == ("verse", 3)
    assert 0 < result["symbols"] and result["symbols_per_session"]["expected"] == 10
    assert result.keys() >= {"lateness_ms", "stalls", "memory_mb", "rate", "seconds"}
    assert (result["lost"], result["doubled"]) == (0, 0)
    assert result["gateway_us_per_symbol"] > 0 and result["engine_us_per_symbol"] > 0
    assert result["busy"].keys() == {"gateway", "system", "engine", "load"}
    assert "3 sessions of 'verse' at 20 symbols a second" in serve.describe(result)


def test_the_favourite_is_measured_unless_another_is_named() -> None:
    assert serve.pick_model(["band", "lyrics"], None, "play") == "lyrics"
    assert serve.pick_model(["band", "folk"], None, "play") == "band"
    assert serve.pick_model(["band", "lyrics"], "band", "play") == "band"
    with pytest.raises(StreamRnnError, match="can play: band, folk$"):
        serve.pick_model(["band", "folk"], "fork", "play")
    with pytest.raises(StreamRnnError, match="can play: none$"):
        serve.pick_model([], None, "play")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lateness_ms": {"p99": 10.5, "p99.9": 20.0}}, "10.5 ms late"),
        ({"lateness_ms": {"p99": 9.5, "p99.9": 25.5}}, "25.5 ms late at p99.9"),
        ({"lateness_ms": {"p99": None, "p99.9": 1.0}}, "None ms late"),
        ({"lost": 2}, "2 symbols lost"),
        ({"doubled": 1}, "1 symbols doubled"),
        (
            {"symbols_per_session": {"least": 298, "most": 300, "expected": 300}},
            "one session had 298 symbols of 300",
        ),
        ({"stalls": 2}, "2 stalls"),
        ({"long_pauses": 1}, "1 collections of garbage took over 2 ms"),
        ({"memory_mb": {"server": 900, "engine": 601}}, "1501 MB"),
    ],
)
def test_each_bound_has_its_line(changed: dict[str, Any], said: str) -> None:
    assert not serve.breaches(QUIET)
    (line,) = serve.breaches(QUIET | changed)
    assert said in line


def test_long_pauses_are_those_beyond_a_bound() -> None:
    name = "stream_rnn_gateway_garbage_seconds_bucket"
    shown = f'{name}{{le="0.002"}} 7.0\n{name}{{le="0.005"}} 8.0\n{name}{{le="+Inf"}} 9.0\n'
    assert serve.long_pauses(shown) == 2


@pytest.mark.parametrize("check", [True, False])
def test_check_fails_with_a_line_for_each_bound(
    check: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = QUIET | {"stalls": 2, "lateness_ms": {"p99": 30.0, "p99.9": 20.0}}
    monkeypatch.setattr(serve, "bench_serve", lambda **asked: broken)
    assert cli.main(["bench", "serve", "--json", *["--check"] * check]) == int(check)
    out, err = capsys.readouterr()
    assert json.loads(out) == broken
    lines = err.splitlines()
    assert len(lines) == 2 * check and all(x.startswith("stream-rnn: ") for x in lines)
    monkeypatch.setattr(serve, "bench_serve", lambda **asked: QUIET)
    assert cli.main(["bench", "serve", "--json", "--check"]) == 0


def test_what_has_no_bounds_is_not_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "train", "--check"]) == 2
    assert "train has no bounds" in capsys.readouterr().err
