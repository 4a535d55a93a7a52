"""Another model plays under a session's name, for the same listeners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mido
import pytest
from adapters.midi.test_out import Synth
from support import (
    ARTISTS,
    Ear,
    House,
    make_band_model,
    make_roll_model,
    make_text_model,
)

from stream_rnn.adapters.midi.recording import Recorder
from stream_rnn.adapters.osc.voices import OscVoices, PlainForm
from stream_rnn.config import MidiOut


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    make_text_model(root / "verse")
    make_text_model(root / "prose", hidden=24)
    make_roll_model(root / "roll")
    make_roll_model(root / "tune", hidden=24)
    make_band_model(root / "band")
    return root


@pytest.fixture
def house(folder: Path) -> House:
    return House(folder)


def opened(house: House, model: str = "verse", seconds: float = 2.0, **fields: Any) -> Ear:
    ear = house.join()
    house.say(ear, "open", model=model, session="s", seed=5, **fields)
    house.run(seconds)
    return ear


def change(house: House, ear: Ear, model: str, **controls: Any) -> dict[str, Any]:
    house.say(ear, "control", session="s", model=model, controls=controls, id="x")
    assert not ear.of("error")
    return ear.last("opened")


def test_everybody_hears_of_it_and_of_the_new_stream(house: House) -> None:
    ear, other, stranger = opened(house), house.join(), house.join()
    house.say(other, "attach", session="s")
    told = change(house, stranger, "roll")
    shown = {k: told[k] for k in ("session", "model", "position", "playing", "epoch", "id", "seed")}
    assert shown == {
        "session": "s", "model": "roll", "position": 0, "playing": True, "epoch": 1, "id": "x",
        "seed": 5,
    }  # fmt: skip
    house.run(1.0)
    for one in (ear, other):
        about = [m for m in one.messages if m["type"] in ("reset", "opened")][-2:]
        assert [m["type"] for m in about] == ["reset", "opened"]
        assert [m["epoch"] for m in about] == [1, 1] and "id" not in about[1]
        since = one.messages[one.messages.index(about[1]) + 1 :]
        assert [m["n"] for m in since] == list(range(len(since))) and len(since) > 10
        assert all("notes" in m and m["epoch"] == 1 for m in since)
    assert not stranger.of("symbol")  # a client that did not view it still does not


def test_the_stream_is_that_of_the_model_from_position_0(house: House, folder: Path) -> None:
    ear = opened(house)
    change(house, ear, "roll", temperature=1.2)
    house.run(2.0)
    alone = House(folder)
    expected = alone.join()
    alone.say(expected, "open", model="roll", session="t", seed=5, controls={"temperature": 1.2})
    alone.run(2.0)
    heard = [tuple(m["notes"]) for m in ear.of("symbol") if "notes" in m]
    assert heard[:30] == expected.stream("t")[:30]


def test_of_the_same_domain_it_goes_on_from_the_last_words(house: House, folder: Path) -> None:
    ear = opened(house, seconds=20.0)
    before = "".join(ear.stream("s"))
    assert len(before) > 300
    change(house, ear, "prose")
    house.run(2.0)
    since = ear.messages[ear.messages.index(ear.last("opened")) + 1 :]
    primed = "".join(m["text"] for m in since if m.get("fed"))
    assert primed == before[-256:]
    alone = House(folder)
    expected = alone.join()
    alone.say(expected, "open", model="prose", session="t", seed=5, prime=primed)
    alone.run(3.0)
    heard = "".join(m["text"] for m in since if m["type"] == "symbol")
    assert heard == "".join(expected.stream("t"))[: len(heard)] and len(heard) > 270


def test_rolls_prime_rolls(house: House) -> None:
    ear = opened(house, "roll")
    before = ear.stream("s")
    change(house, ear, "tune")
    fed = [tuple(m["notes"]) for m in ear.of("symbol") if m.get("fed")]
    assert fed == before


def test_what_was_set_and_means_something_is_kept(house: House) -> None:
    ear = opened(house, "roll", controls={"bpm": 90, "velocity": 33, "pitches": "D dorian"})
    house.say(ear, "control", session="s", controls={"temperature": 0.4, "density": 1})
    kept = change(house, ear, "verse", top_k=3)["controls"]
    names = ("bpm", "velocity", "temperature", "density", "top_k", "transpose")
    assert [kept[name] for name in names] == [90, 33, 0.4, 1, 3, 0]
    assert "pitches" not in kept and kept["artist"] == pytest.approx(dict.fromkeys(ARTISTS, 1 / 3))
    house.say(ear, "control", session="s", controls={"artist": {"Ada": 3, "Bo": 1}})
    assert change(house, ear, "prose")["controls"]["artist"] == {"Ada": 0.75, "Bo": 0.25}
    back = change(house, ear, "roll")["controls"]
    assert back["artist"] == {} and back["temperature"] == 0.4


def test_what_is_pending_is_not_kept(house: House) -> None:
    ear = opened(house)
    house.say(ear, "control", session="s", controls={"temperature": 9}, at="bar")
    assert "pending" not in change(house, ear, "prose")
    house.run(3.0)
    assert house.stage.sessions["s"].controls.temperature == 1.0


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"model": "nothing", "controls": {}}, "unknown_model", "model"),
        ({"model": "roll", "controls": {"temperature": -1}}, "bad_value", "controls.temperature"),
        ({"model": "roll", "controls": {"artist": "Ada"}}, "bad_value", "controls.artist"),
        ({"model": "roll", "controls": {}, "at": "bar"}, "bad_value", "at"),
    ],
)
def test_what_cannot_be_changes_nothing(
    house: House, fields: dict[str, Any], code: str, field: str
) -> None:
    ear = opened(house)
    house.say(ear, "control", session="s", **fields)
    assert (ear.last("error")["code"], ear.last("error")["field"]) == (code, field)
    count = len(ear.of("symbol"))
    house.run(1.0)
    assert not ear.of("reset") and len(ear.of("symbol")) > count + 10
    assert house.stage.sessions["s"].card.name == "verse"


def test_the_same_model_is_no_change(house: House) -> None:
    ear = opened(house)
    house.say(ear, "control", session="s", model="verse", controls={"temperature": 2})
    assert ear.last("controlled")["changed"] == ["temperature"]
    assert not ear.of("reset") and house.stage.sessions["s"].epoch == 0


def test_a_paused_one_stays_paused_and_a_rewind_goes_back_in_the_new_stream(house: House) -> None:
    ear = opened(house)
    house.say(ear, "pause", session="s")
    assert change(house, ear, "prose")["playing"] is False
    primed = house.stage.sessions["s"].position
    house.run(1.0)
    assert house.stage.sessions["s"].position == primed > 0
    house.say(ear, "step", session="s", count=20)
    house.run(1.0)
    told = ear.stream("s")[-20:]
    house.say(ear, "rewind", session="s", to=primed)
    house.say(ear, "step", session="s", count=20)
    house.run(1.0)
    assert ear.stream("s")[-20:] == told and ear.last("rewound")["epoch"] == 2


def test_who_was_away_hears_that_nothing_of_the_old_stream_holds(house: House) -> None:
    ear, other = opened(house), house.join()
    seen = ear.last("symbol")["n"]
    house.stage.leave(ear, house.clock.now())
    change(house, other, "roll")
    house.run(2.0)
    house.say(ear, "attach", session="s", after=seen, epoch=0)
    assert ear.last("opened")["model"] == "roll"
    assert (ear.last("rewound")["position"], ear.last("rewound")["epoch"]) == (0, 1)


def test_there_and_back_again_takes_no_more_slots_and_an_engine_may_die(house: House) -> None:
    ear = opened(house)
    for n in range(300):  # more than there are slots
        change(house, ear, ("roll", "verse", "band")[n % 3])
        house.run(0.004)
    house.run(1.0)
    house.lose_engine()
    change(house, ear, "roll")
    house.start_engine()
    house.regain_engine()
    count = len(ear.of("symbol"))
    house.run(2.0)
    assert len(ear.of("symbol")) > count + 20 and "notes" in ear.last("symbol")
    assert not ear.of("error") and len(house.stage.sessions) == 1


@pytest.mark.parametrize("seed", range(4))
def test_notes_end_everywhere_and_the_new_model_sounds(
    house: House, tmp_path: Path, seed: int
) -> None:
    synth = Synth(house, MidiOut(port="x", program=7), MidiOut(port="y", clock="s"))
    recorder = Recorder(tmp_path / "take.mid", "*", house.clock.now)
    house.stage.add_sink(recorder)
    packets: list[bytes] = []
    osc = OscVoices(packets.append, house.clock.now, lambda t: t, PlainForm(), 0.0)
    ear = house.join()
    house.say(ear, "open", model="roll", session="s", seed=seed)
    osc.begin("s")
    house.say(osc, "attach", session="s")  # type: ignore[arg-type]
    for model in ("verse", "band", "roll", "tune"):
        house.run(1.5)
        before = len(synth.notes())
        change(house, ear, model)
        house.run(0.05)
        assert not synth.sounding(), model
        assert before > 0
    assert b"/rnn/s/opened" in b"".join(packets) and b"/rnn/s/reset" in b"".join(packets)
    count = len(synth.notes())
    house.run(2.0)
    assert len(synth.notes()) > count
    house.say(ear, "pause", session="s")
    house.run(1.0)
    assert not synth.sounding()
    recorder.close()
    held: set[tuple[int, int]] = set()
    for message in mido.MidiFile(tmp_path / "take.mid"):
        if message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            begins = message.type == "note_on" and message.velocity
            (held.add if begins else held.discard)(key)
    assert not held
