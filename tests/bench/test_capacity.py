from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream_rnn import cli
from stream_rnn.bench import capacity
from stream_rnn.errors import StreamRnnError


def run_of(limit: int, tried: list[int], kind: str) -> Any:
    """A run in which so many are in time, and more are not."""

    def run(*, sessions: int = 0, viewers: int = 0, **given: Any) -> dict[str, Any]:
        count = sessions or viewers
        tried.append(count)
        return {
            "lateness_ms": {"p99": -15.0 if count <= limit else 80.0},
            f"symbols_per_{kind}": {"least": 75, "most": 75, "expected": 75},
            "lost": 0,
            "doubled": 0,
            "busy": {},
        }

    return run


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Any:
    def search(sessions: int, viewers: int) -> tuple[dict[str, Any], list[int], list[int]]:
        tried: tuple[list[int], list[int]] = ([], [])
        monkeypatch.setattr(capacity, "bench_serve", run_of(sessions, tried[0], "session"))
        monkeypatch.setattr(capacity, "bench_audience", run_of(viewers, tried[1], "viewer"))
        result = capacity.bench_capacity(models=Path(), model=None, rate=15.0, seconds=1.0)
        return result, *tried

    return search


@pytest.mark.parametrize("limit", [0, 1, 30, 50, 51, 777, 5000, 10**6])
def test_the_most_that_holds_is_found_in_few_runs(limit: int, found: Any) -> None:
    result, sessions, _ = found(limit, 1000)
    most, top = result["sessions"]["most"], capacity.MOST["sessions"]
    assert most <= min(limit, top) and most >= min(0.9 * limit, top) - 1
    assert len(sessions) == len(set(sessions)) < 14


def test_a_run_that_loses_symbols_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    lossy = run_of(10**6, [], "session")
    result = capacity._try("sessions", 100, lambda n: {**lossy(sessions=n), "lost": 1})
    assert not result["holds"] and "lost" in result["why"]


def test_a_refusal_is_too_many_unless_it_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(count: int) -> dict[str, Any]:
        raise StreamRnnError("the server refused: too many")

    assert capacity._try("sessions", 800, refuses)["why"].endswith("too many")
    with pytest.raises(StreamRnnError):
        capacity._try("sessions", capacity.FIRST["sessions"], refuses)


def test_an_interrupt_keeps_what_was_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = run_of(10**6, [], "session")

    def run(**given: Any) -> dict[str, Any]:
        if given["sessions"] > 150:
            raise KeyboardInterrupt
        result: dict[str, Any] = count(**given)
        return result

    monkeypatch.setattr(capacity, "bench_serve", run)
    picture = tmp_path / "capacity.png"
    assert cli.main(["bench", "capacity", "--json", "--out", str(picture)]) == 130
    result = json.loads(capsys.readouterr().out)
    assert result["interrupted"] and result["sessions"]["most"] == 100
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_each_bound_has_its_line() -> None:
    good = {"interrupted": False, "sessions": {"most": 1000}, "viewers": {"most": 4000}}
    assert not capacity.breaches(good)
    assert capacity.breaches({**good, "viewers": {"most": 900}}) == ["900 viewers hold, not 4000"]
    assert len(capacity.breaches({**good, "interrupted": True})) == 1


def test_it_is_told_in_lines(found: Any) -> None:
    told = capacity.describe(found(300, 900)[0])
    assert "are too many: p99 80.0 ms" in told and "viewers" in told
