"""An engine is killed under sessions, and what each client heard is compared with what is right."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from stream_rnn.bench import restart
from stream_rnn.bench.restart import Ear, breaches, describe

RESULT: dict[str, Any] = {
    "model": "lyrics", "sessions": 200, "rate": 15.0, "silence_without_ms": 10.0,
    "silence_ms": [12.0, 249.0, 30.5], "symbols": 90_000, "lost": 0, "doubled": 0, "changed": 0,
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the engine is found in /proc")
def test_an_engine_is_killed_and_nothing_is_lost(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart, "KILLS", 1)
    monkeypatch.setattr(restart, "BETWEEN", 1.0)
    result = restart.bench_restart(models=models, model="roll", sessions=3, rate=20.0)
    assert (result["lost"], result["doubled"], result["changed"]) == (0, 0, 0)
    assert len(result["silence_ms"]) == 1 and result["symbols"] > 3 * 20
    assert "3 sessions of 'roll' at 20 symbols a second, whose engine was killed 1 times" in (
        describe(result)
    )


def test_a_silence_is_from_one_symbol_to_the_next() -> None:
    ear, symbol = Ear(), restart._decode(b'{"type":"symbol","n":3,"text":"a"}')
    for time in (1.0, 1.1, 1.5, 1.6):
        ear.hear(symbol, time)
    assert ear.silence == pytest.approx(0.4) and ear.last == 1.6


@pytest.mark.parametrize("model", ["verse", "roll"])
def test_a_symbol_that_differs_is_counted(models: Path, model: str) -> None:
    def heard(n: int, **fields: Any) -> restart._Symbol:
        return restart._Symbol("symbol", n, **fields)

    wrong = [heard(n, text="?", notes=[1], event={}) for n in range(5)]
    assert restart._changed(models / model, 1, wrong) == 5


def test_each_bound_has_its_line() -> None:
    assert not breaches(RESULT)
    for name, value, said in (
        ("silence_ms", [1.0, 251.0], "silent for 251.0 ms, not 250 ms"),
        ("lost", 2, "2 symbols lost"),
        ("doubled", 1, "1 symbols doubled"),
        ("changed", 3, "3 symbols changed"),
    ):
        (line,) = breaches(RESULT | {name: value})
        assert said in line
