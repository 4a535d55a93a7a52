"""Models are loaded when they are first opened, and let go when long unused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import make_models, make_text_model

from stream_rnn.checkpoint import WEIGHTS, find_models
from stream_rnn.engine import messages as m
from stream_rnn.engine.core import Core, EngineOptions
from stream_rnn.engine.library import UNUSED


def core_of(models: Path, **options: object) -> Core:
    return Core(EngineOptions(find_models(models), device="cpu", **options))  # type: ignore[arg-type]


def opened(core: Core, key: int, model: str) -> list[m.EngineEvent]:
    return core.apply([m.Open(key, model), m.Plan(key, 1, 0, ((0, m.Settings()),))])


def symbols(core: Core, key: int, count: int) -> list[m.EngineEvent]:
    """Steps the session `count` times."""
    arrays = np.array([key]), np.array([count]), np.array([0]), np.zeros(1), np.zeros(1)
    core.apply([m.Credits(*(array.tobytes() for array in arrays))])
    return [event for _ in range(count) for event in core.step(1.0)[0]]


def test_a_model_is_there_while_it_has_sessions_and_for_a_while_after(tmp_path: Path) -> None:
    core = core_of(make_models(tmp_path))
    assert not core._models
    assert not opened(core, 1, "verse") and list(core._models) == ["verse"]
    first = symbols(core, 1, 5)
    core.tidy(0.0)
    core.tidy(10 * UNUSED)
    assert "verse" in core._models, "it has a session"
    core.apply([m.Close(1)])
    core.tidy(10 * UNUSED)
    core.tidy(11 * UNUSED - 1)
    assert "verse" in core._models
    assert not opened(core, 2, "roll")
    core.tidy(11 * UNUSED)
    assert list(core._models) == ["roll"]
    assert not opened(core, 1, "verse")
    assert symbols(core, 1, 5) == first, "loaded again, it is the same"


def test_who_comes_back_in_time_finds_the_model_loaded(tmp_path: Path) -> None:
    core = core_of(make_models(tmp_path))
    for key in (1, 2):
        opened(core, key, "verse")
        core.apply([m.Close(key)])
        core.tidy(key * UNUSED * 0.9)
    slots = core._models["verse"]
    opened(core, 3, "verse")
    core.tidy(UNUSED * 1.9)
    core.apply([m.Close(3)])
    core.tidy(UNUSED * 2.0)
    core.tidy(UNUSED * 2.9)
    assert core._models["verse"] is slots


def test_a_model_whose_weights_are_damaged_fails_for_those_who_open_it(tmp_path: Path) -> None:
    core = core_of(make_models(tmp_path))
    weights = tmp_path / "verse" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-100])
    failed = opened(core, 1, "verse")
    assert [f.key for f in failed if isinstance(f, m.Failed)] == [1, 1]
    assert str(weights) in failed[1].message  # type: ignore[union-attr]
    assert failed[0] == core.ready() and str(weights) in core.left_out["verse"]
    assert not any(isinstance(event, m.Ready) for event in opened(core, 1, "verse")), "told once"
    assert not opened(core, 2, "roll") and len(symbols(core, 2, 3)) == 3


def test_a_model_that_was_replaced_is_not_stepped(tmp_path: Path) -> None:
    """At the start of an engine its card tells; later, when it is opened."""
    make_models(tmp_path)
    fingerprints = {"verse": "another"}
    core = core_of(tmp_path, fingerprints=fingerprints)
    assert "has been replaced" in core.ready().left_out["verse"]
    core = core_of(tmp_path, fingerprints=dict(core._library._fingerprints, verse=None))
    assert not core.ready().left_out
    core._library._fingerprints = fingerprints
    assert "has been replaced" in opened(core, 1, "verse")[1].message  # type: ignore[union-attr]


def test_a_card_that_is_none_leaves_its_model_out(tmp_path: Path) -> None:
    make_models(tmp_path)
    (tmp_path / "verse" / "card.json").write_text(json.dumps({"name": 7}))
    core = core_of(tmp_path)
    assert list(core.ready().left_out) == ["verse"]
    assert opened(core, 1, "verse") and not opened(core, 2, "roll")


def test_no_more_sessions_than_slots(tmp_path: Path) -> None:
    make_text_model(tmp_path / "verse")
    core = core_of(tmp_path, sessions=1)
    assert not opened(core, 1, "verse")
    (failed, _) = opened(core, 2, "verse")
    assert isinstance(failed, m.Failed) and failed.message == "no slot is free"


@pytest.mark.parametrize("kernel", ["reference", "plain"])
def test_a_kernel_is_forced_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str
) -> None:
    make_models(tmp_path)
    chosen, forced = core_of(tmp_path), core_of(tmp_path)
    opened(chosen, 1, "verse")
    monkeypatch.setenv("STREAM_RNN_KERNEL", kernel)
    opened(forced, 1, "verse")
    assert (
        type(chosen._models["verse"].kernel) is not type(forced._models["verse"].kernel)
        or kernel == "plain"
    )
    assert symbols(forced, 1, 20) == symbols(chosen, 1, 20)


def test_a_model_may_be_loaded_before_it_is_opened(tmp_path: Path) -> None:
    core = core_of(make_models(tmp_path))
    assert core.apply([m.Load("verse")]) == [] and list(core._models) == ["verse"]
    slots = core._models["verse"]
    assert not opened(core, 1, "verse") and core._models["verse"] is slots
    (tmp_path / "roll" / WEIGHTS).unlink()
    ready, failed = core.apply([m.Load("roll")])
    assert isinstance(ready, m.Ready) and list(ready.left_out) == ["roll"]
    assert isinstance(failed, m.Failed) and failed.key is None
