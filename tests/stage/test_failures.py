"""A failure in one session, one model or one sink does not harm the others."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import Ear, House

from stream_rnn.checkpoint import find_models, read_card, write_card
from stream_rnn.engine.core import Core, EngineOptions
from stream_rnn.engine.messages import Failed
from stream_rnn.stage.failures import MOST
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events


def playing(house: House, name: str) -> Ear:
    ear = house.join()
    house.say(ear, "open", model="verse", session=name, seed=7, controls={"rate": 50})
    return ear


def plays_on(house: House, ear: Ear, seconds: float = 1.0) -> bool:
    before = len(ear.of("symbol"))
    house.run(seconds)
    return len(ear.of("symbol")) > before + 40 * seconds


@pytest.mark.parametrize("where", ["commit", "receive"])
def test_a_bug_in_one_session_closes_that_one(
    house: House, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = playing(house, "bad"), playing(house, "good")
    house.run(0.5)

    def broken(*arguments: Any) -> None:
        raise ZeroDivisionError

    setattr(house.stage.sessions["bad"], where, broken)
    assert plays_on(house, good)
    assert bad.last("error")["code"] == "internal" and "'bad'" in bad.last("error")["message"]
    assert bad.last("closed")["reason"] == "internal"
    assert list(house.stage.sessions) == ["good"]
    assert sum("ZeroDivisionError" in str(r.exc_text) for r in caplog.records) == 1


def test_a_bug_in_what_one_client_asks_is_told_to_it_and_the_session_plays_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear, twin = playing(house, "a"), playing(house, "twin")
    house.run(0.5)
    session = house.stage.sessions["a"]

    def broken(*arguments: Any) -> None:
        session._give_up(session.position)  # half of the work, and then
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(session, "change", broken)
        house.say(ear, "control", session="a", controls={"temperature": 0.5}, id=4)
    assert (ear.last("error")["code"], ear.last("error")["id"]) == ("internal", 4)
    assert plays_on(house, ear)
    assert ear.stream("a") == twin.stream("twin")[: len(ear.stream("a"))]


class Broken(Ear):
    """Fails at every symbol, as a bug in a sink would."""

    calls = 0

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        self.calls += 1
        raise RuntimeError("no such port")


def test_a_bug_in_one_place_that_a_session_is_heard_is_not_its_end_elsewhere(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    ear, broken = playing(house, "a"), Broken()
    house.say(broken, "attach", session="a")
    assert plays_on(house, ear)
    assert broken.calls == 1 and broken.last("closed")["reason"] == "internal"
    assert sum("no such port" in str(r.exc_text) for r in caplog.records) == 1


def test_what_the_engine_could_not_do_is_done_anew_from_the_past(house: House) -> None:
    ear, twin = playing(house, "a"), playing(house, "twin")
    house.run(1.0)
    session = house.stage.sessions["a"]
    slots, slot = house.engine._core._where[session.key]
    slots.halt(slot)
    failed = Failed("a step failed", session.key, session.generation)
    house.stage.engine_life.said(house.link, [failed], house.clock.now())
    assert plays_on(house, ear)
    house.run(2.0)
    stream = ear.stream("a")
    assert len(stream) > 150 and stream == twin.stream("twin")[: len(stream)]


def test_a_step_that_fails_for_one_session_is_made_for_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = playing(house, "bad"), playing(house, "good")
    house.run(0.5)
    slots, slot = house.engine._core._where[house.stage.sessions["bad"].key]
    step = slots._step

    def steps(symbols: Any, rows: Any, *others: Any, **more: Any) -> Any:
        if slot in rows:
            raise FloatingPointError("not a number")
        return step(symbols, rows, *others, **more)

    monkeypatch.setattr(slots, "_step", steps)
    assert plays_on(house, good)
    assert len(bad.of("error")) == 1 and "not a number" in bad.last("error")["message"]
    assert bad.last("closed")["reason"] == "internal", f"after {MOST} failures"


def test_a_restarted_engine_leaves_out_a_model_that_cannot_be_loaded(
    models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    house = House(tmp_path)
    ear, frames = playing(house, "a"), house.join()
    house.say(frames, "open", model="roll", session="r", controls={"rate": 50})
    house.run(1.0)
    weights = tmp_path / "verse" / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-500])

    def restart() -> None:
        house.lose_engine()
        house.start_engine()
        house.stage.engine_life.leave_out(house.link, house.engine.ready.left_out)
        house.regain_engine()

    restart()
    assert plays_on(house, frames)
    assert ear.last("error")["code"] == "unknown_model"
    assert str(weights) in ear.last("error")["message"]
    for asked in ({"type": "open", "model": "verse"}, {"type": "attach", "session": "a"}):
        house.say(ear, **asked)
        assert ear.last("error")["code"] == "unknown_model" and len(ear.of("opened")) == 1
    position = house.stage.sessions["a"].position
    weights.write_bytes(whole)
    restart()
    house.say(ear, "attach", session="a")
    house.say(ear, "play", session="a")
    assert plays_on(house, ear) and house.stage.sessions["a"].position > position + 40


def test_a_restarted_engine_does_not_go_on_with_another_model_under_the_name(
    models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    folders = find_models(tmp_path)
    known = {name: read_card(folder).fingerprint for name, folder in folders.items()}
    options = EngineOptions(folders, device="cpu", sessions=2, fingerprints=known)
    assert not Core(options).left_out
    card = read_card(folders["verse"])
    write_card(folders["verse"], replace(card, title="Another title", scores={"measure": "none"}))
    assert not Core(options).left_out, "what plays is the same"
    write_card(folders["verse"], replace(card, artists=card.artists[::-1]))
    assert Core(options).left_out.keys() == {"verse"}
    assert (
        "the model has been replaced since this server started" in Core(options).left_out["verse"]
    )


def test_a_model_that_fails_when_it_is_first_opened_is_left_out(
    models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The engine looked at its folder when it started, and that was a while ago."""
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    house = House(tmp_path)
    weights = tmp_path / "verse" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-500])
    ear = house.join()
    house.say(ear, "open", model="verse", session="a")
    house.run(0.2)
    assert [m["code"] for m in ear.of("error")] == ["unknown_model"]
    assert str(weights) in ear.last("error")["message"]
    assert "verse" not in house.stage.models and "roll" in house.stage.models
    assert f"left out: {weights}" in caplog.text
