from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import make_categorical_model, make_models

from stream_rnn.bench import osc
from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.codecs.performance import PerformanceCodec
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.codecs.playlist import PlaylistCodec
from stream_rnn.codecs.tablature import TablatureCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.errors import StreamRnnError


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_models(tmp_path_factory.mktemp("zoo"))
    make_categorical_model(root / "piano", PerformanceCodec())
    make_categorical_model(root / "band", EnsembleCodec.usual())
    return root


@pytest.mark.parametrize(
    ("model", "fed"), [("verse", ["a"]), ("roll", [60, 64, 67]), ("piano", ["on", 60])]
)
def test_round_trips_are_measured(
    zoo: Path, model: str, fed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osc, "WARM_UP", 2)
    result = osc.bench_osc(models=zoo, model=model, round_trips=20)
    assert (result["model"], result["round_trips"], result["fed"]) == (model, 20, fed)
    for name in ("step_ms", "feed_step_ms"):
        took = result[name]
        assert 0 < took["median"] <= took["p99"] <= took["max"] < 2000
    assert f"20 round trips over OSC each, a paused session of '{model}'" in osc.describe(result)


@pytest.mark.parametrize(
    ("codec", "fed"),
    [
        (TextCodec("xyz"), ("x",)),
        (PianorollCodec(4), (60, 64, 67)),
        (PerformanceCodec(), ("on", 60)),
        (TablatureCodec(), ("D2",)),
        (TouchCodec(["x", "y"], 32, 0.05), ("x", 0.5)),
        (PlaylistCodec(["A Song", "Another"]), ("A Song\n",)),
        (EnsembleCodec.usual(), ()),  # a band is led, and cannot be fed
    ],
    ids=lambda x: getattr(x, "domain", ""),
)
def test_whatever_osc_can_say_is_fed(codec: Codec, fed: tuple[Any, ...]) -> None:
    assert osc.feed_of(codec) == fed


def test_a_model_that_cannot_be_measured_is_told_of_the_others(zoo: Path) -> None:
    for model in ("nothing", "band"):
        with pytest.raises(StreamRnnError, match="can be fed over OSC: piano, roll, verse$"):
            osc.bench_osc(models=zoo, model=model)


def test_each_bound_has_its_line() -> None:
    fast = {"median": 2.0, "p99": 5.0, "max": 50.0}
    assert not osc.breaches({"step_ms": fast, "feed_step_ms": fast})
    slow = {"median": 2.01, "p99": 5.01, "max": 50.0}
    said = osc.breaches({"step_ms": fast, "feed_step_ms": slow})
    assert said == [
        "feed and step, symbol: median 2.01 ms, not 2 ms",
        "feed and step, symbol: p99 5.01 ms, not 5 ms",
    ]
