from __future__ import annotations

from pathlib import Path

import pytest

from stream_rnn.bench import osc
from stream_rnn.errors import StreamRnnError


@pytest.mark.parametrize("model", ["verse", "roll"])
def test_round_trips_are_measured(
    models: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osc, "WARM_UP", 2)
    result = osc.bench_osc(models=models, model=model, round_trips=20)
    assert (result["model"], result["round_trips"]) == (model, 20)
    for name in ("step_ms", "feed_step_ms"):
        took = result[name]
        assert 0 < took["median"] <= took["p99"] <= took["max"] < 2000
    assert f"20 round trips over OSC each, a paused session of '{model}'" in osc.describe(result)


def test_a_model_that_is_not_there_is_named(models: Path) -> None:
    with pytest.raises(StreamRnnError, match="feeds models of text, pianoroll: .*verse"):
        osc.bench_osc(models=models, model="nothing")
