"""Sessions that come back from a store: each goes on as if nothing had happened."""

import errno
import os
import random
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from store_house import KeptHouse, heard
from support import Ear, make_text_model

from stream_rnn.config import SessionConfig
from stream_rnn.errors import ConfigError
from stream_rnn.stage.resident import open_sessions
from stream_rnn.store.database import FILE, Database

LATER = 1.5  # seconds for which two streams are compared


def goes_on(house: KeptHouse, back: KeptHouse, ear: Ear, name: str) -> None:
    """Asserts that a client hears after a return what it would have heard without one."""
    known = heard(ear, name)
    last = max((key for key in known), default=(0, -1))
    client, session = back.join(), house.stage.sessions[name]
    again = back.stage.sessions[name]
    assert again.epoch == session.epoch and again.playing == session.playing
    back.say(client, "attach", session=name, after=last[1], epoch=last[0])
    house.run(LATER)
    back.run(LATER)
    after, more = heard(client, name), heard(ear, name)
    assert not after.keys() & known.keys() or session.epoch != last[0]
    assert {**more, **{k: v for k, v in after.items() if k not in more}} == {**after, **more}
    for key in after.keys() & more.keys():
        assert after[key] == more[key], key
    mine = sorted(n for epoch, n in after if epoch == session.epoch)
    assert mine == list(range(mine[0], mine[0] + len(mine))) if mine else True
    if session.playing:
        assert len(mine) > 5
    assert again.log.at(10**9) == session.log.at(10**9)


def test_a_session_goes_on_with_the_very_next_symbol(models: Path, tmp_path: Path) -> None:
    house = KeptHouse(models, tmp_path / "a")
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=3, prime="ab")
    house.run(1.0)
    house.ask(ear, "control", session="s", controls={"temperature": 0.5})
    house.run(0.7)
    back = house.killed(tmp_path / "b")
    assert back.said == []
    assert back.stage.sessions["s"].position == house.stage.sessions["s"].position
    goes_on(house, back, ear, "s")
    house.close()
    back.close()


def test_a_change_is_acknowledged_when_it_is_stored_and_obeyed_at_once(
    models: Path, tmp_path: Path
) -> None:
    house = KeptHouse(models, tmp_path / "a")
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=3)
    house.run(0.5)
    house.say(ear, "control", session="s", controls={"temperature": 0.25}, id=7)
    house.say(ear, "pause", session="s", id=8)
    assert not ear.of("controlled") and not ear.of("paused")
    assert house.stage.sessions["s"].controls.temperature == 0.25
    house.settle()
    assert ear.last("controlled")["id"] == 7 and ear.last("paused")["id"] == 8
    kinds = [m["type"] for m in ear.messages]
    assert kinds.index("controlled") < kinds.index("paused")
    house.close()


def test_a_store_that_does_not_answer_holds_nobody_up(models: Path, tmp_path: Path) -> None:
    house = KeptHouse(models, tmp_path / "a")
    house.folder._writer.put = lambda job: None  # type: ignore[union-attr, method-assign]
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=3)
    house.run(0.5)
    house.say(ear, "rewind", session="s", to=2)
    assert not ear.of("rewound")
    house.run(0.5)  # the first symbol of the new past comes after the news of it
    assert ear.last("rewound")["position"] == 2
    kinds = [(m["type"], m.get("epoch", 0)) for m in ear.messages]
    assert kinds.index(("rewound", 1)) < kinds.index(("symbol", 1))
    house.say(ear, "control", session="s", controls={"temperature": 0.25})
    assert not ear.of("controlled")
    house.run(3.0)
    assert ear.last("controlled")["controls"]["temperature"] == 0.25
    assert house.stage.counters.store_failing == 1
    assert len(heard(ear, "s")) > 30
    house.close()


def test_closed_sessions_do_not_come_back_and_paused_ones_pause(
    models: Path, tmp_path: Path
) -> None:
    house = KeptHouse(models, tmp_path / "a")
    ear = house.join()
    for name in ("closed", "paused"):
        house.say(ear, "open", model="verse", session=name, seed=3)
    house.run(0.5)
    house.ask(ear, "pause", session="paused")
    house.ask(ear, "close", session="closed")
    back = house.killed(tmp_path / "b")
    assert list(back.stage.sessions) == ["paused"]
    goes_on(house, back, ear, "paused")
    client = back.join()
    back.say(client, "attach", session="closed")
    assert client.last("error")["code"] == "unknown_session"
    house.close()
    back.close()


def change(house: KeptHouse, ear: Ear, dice: random.Random, name: str) -> None:
    """Does something to a session."""
    session = house.stage.sessions[name]
    verse = session.card.name == "verse"
    kind = dice.choice(["control", "bar", "feed", "rewind", "reset", "pause", "play", "model"])
    fields: dict[str, Any] = {"session": name}
    if kind in ("control", "bar"):
        fields["controls"] = {"temperature": dice.choice([0.3, 0.8, 1.5])}
        fields["at"] = "bar" if kind == "bar" else "now"
        kind = "control"
    elif kind == "feed":
        fields |= {"symbols": "abca" if verse else [[60], [62, 64]],
                   "in_time": dice.random() < 0.5}  # fmt: skip
    elif kind == "rewind":
        fields["to"] = dice.randint(0, session.position)
    elif kind == "model":
        kind, fields["model"] = "control", "roll" if verse else "verse"
        fields["controls"] = {}
    (house.ask if dice.random() < 0.5 else house.say)(ear, kind, **fields)
    assert not ear.of("error"), ear.last("error")


@pytest.mark.parametrize("behind", [False, True], ids=["stored", "only-recent"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_done_to_a_session_it_goes_on_exactly(
    models: Path, tmp_path: Path, seed: int, behind: bool
) -> None:
    dice = random.Random(seed)
    house = KeptHouse(models, tmp_path / "a")
    if behind:  # the server is killed before anything is in the database
        house.folder._writer.put = lambda job: None  # type: ignore[union-attr, method-assign]
        house.keeping._be_patient = lambda now: None  # type: ignore[method-assign]
        house.settle = lambda: None  # type: ignore[method-assign]
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=seed)
    house.say(ear, "open", model="roll", session="t", seed=seed)
    for round in range(3):
        for _ in range(4):
            house.run(dice.uniform(0.0, 0.6))
            change(house, ear, dice, dice.choice("st"))
        house.settle()
        back = house.killed(tmp_path / f"b{round}")
        assert back.said == []
        twice = back.killed(tmp_path / f"c{round}")  # and is killed again at once
        for name in "st":
            goes_on(house, twice, ear, name)
        back.close()
        twice.close()
    house.close()


@pytest.mark.parametrize("times", [12])
def test_a_store_cut_at_a_random_byte_gives_no_wrong_symbol(
    models: Path, tmp_path: Path, times: int
) -> None:
    house = KeptHouse(models, tmp_path / "a")
    ear, dice = house.join(), random.Random(5)
    for name in "stu":
        house.say(ear, "open", model="verse", session=name, seed=ord(name))
    for number in range(12):
        house.run(0.4)
        if number in (4, 8):
            house.folder.settle()  # what is in the database is nowhere else from now on
        house.ask(ear, "control", session=dice.choice("stu"),
                  controls={"temperature": dice.choice([0.3, 0.8, 1.5])})  # fmt: skip
    house.ask(ear, "rewind", session="u", to=5)
    house.run(0.4)
    house.settle()
    shutil.copytree(house.folder_path, tmp_path / "whole")
    house.run(3.0)
    house.close()
    sizes = {p.name: p.stat().st_size for p in (tmp_path / "whole").iterdir()}
    names = [name for name, size in sizes.items() if size]
    assert len(names) >= 3
    came_back = 0
    for nth in range(times):
        cut = tmp_path / f"cut{nth}"
        shutil.copytree(tmp_path / "whole", cut)
        victim = names[nth % len(names)]
        with (cut / victim).open("r+b") as file:
            file.truncate(dice.randrange(sizes[victim]))
        back = KeptHouse(models, cut)
        client = back.join()
        for name in sorted(back.stage.sessions):
            known = heard(ear, name)
            last = back.stage.sessions[name]
            back.say(client, "attach", session=name, after=-1, epoch=last.epoch)
            back.run(1.0)
            for key, symbol in heard(client, name).items():
                assert known.get(key, symbol) == symbol, (victim, name, key)
            came_back += 1
        back.close()
        shutil.rmtree(cut)
    assert came_back > times


def test_a_database_that_has_lost_changes_begins_another_past(models: Path, tmp_path: Path) -> None:
    house = KeptHouse(models, tmp_path / "a")
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=3)
    house.run(1.0)
    house.ask(ear, "control", session="s", controls={"temperature": 0.5})
    shutil.copytree(house.folder_path, tmp_path / "older")
    house.run(1.0)
    house.ask(ear, "control", session="s", controls={"temperature": 1.7})
    house.folder.settle()
    house.settle()
    house.run(0.5)
    shutil.copytree(house.folder_path, tmp_path / "lost")
    for path in (tmp_path / "older").glob("sessions*"):
        shutil.copy(path, tmp_path / "lost")
    back = KeptHouse(models, tmp_path / "lost")
    session, last = back.stage.sessions["s"], max(heard(ear, "s"))
    assert session.epoch > 1000 and session.position < last[1]
    client = back.join()
    back.say(client, "attach", session="s", after=last[1], epoch=0)
    assert client.last("rewound")["position"] == session.position
    again = back.killed(tmp_path / "again")  # it is the same past from now on
    assert again.stage.sessions["s"].epoch == session.epoch
    for one in (house, back, again):
        one.close()


def test_what_was_heard_beyond_the_store_is_caught_up_with(models: Path, tmp_path: Path) -> None:
    house = KeptHouse(models, tmp_path / "a")
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=3)
    house.run(1.0)
    house.settle()
    shutil.copytree(house.folder_path, tmp_path / "b")  # the power fails here, says the disk
    house.run(1.0)
    back = KeptHouse(models, tmp_path / "b")
    assert back.stage.sessions["s"].position < house.stage.sessions["s"].position - 5
    goes_on(house, back, ear, "s")
    far = back.join()
    back.say(far, "attach", session="s", after=10**6)
    assert far.last("error")["code"] == "bad_position"
    house.close()
    back.close()


def test_a_model_that_has_changed_costs_its_sessions_alone(models: Path, tmp_path: Path) -> None:
    house = KeptHouse(models, tmp_path / "a")
    ear = house.join()
    house.say(ear, "open", model="verse", session="v", seed=3)
    house.say(ear, "open", model="roll", session="r", seed=3)
    house.run(0.5)
    house.settle()
    shutil.copytree(models, tmp_path / "models")
    shutil.rmtree(tmp_path / "models" / "verse")
    make_text_model(tmp_path / "models" / "verse", hidden=24)
    house.close()
    back = KeptHouse(tmp_path / "models", tmp_path / "a")
    assert list(back.stage.sessions) == ["r"]
    assert len(back.said) == 1 and "'v'" in back.said[0] and "no longer the one" in back.said[0]
    client = back.join()
    back.say(client, "attach", session="v")
    assert "no longer the one" in client.last("error")["message"]
    back.say(client, "open", model="verse", session="v")
    back.close()
    once = KeptHouse(tmp_path / "models", tmp_path / "a")
    assert sorted(once.stage.sessions) == ["r", "v"] and not once.said
    once.close()


def test_a_database_of_a_later_version_is_left_alone(models: Path, tmp_path: Path) -> None:
    house = KeptHouse(models, tmp_path / "a")
    house.close()
    with sqlite3.connect(tmp_path / "a" / FILE) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = (tmp_path / "a" / FILE).read_bytes()
    back = KeptHouse(models, tmp_path / "a")
    assert len(back.said) == 1 and "later version" in back.said[0]
    ear = back.join()
    back.say(ear, "open", model="verse", session="s", seed=3)
    back.say(ear, "control", session="s", controls={"temperature": 0.5})
    back.run(0.5)
    assert ear.of("controlled") and heard(ear, "s")
    back.close()
    assert (tmp_path / "a" / FILE).read_bytes() == before


def test_sessions_of_the_configuration_go_on_unless_their_model_is_another(
    models: Path, tmp_path: Path
) -> None:
    house = KeptHouse(models, tmp_path / "a")
    wanted = [SessionConfig(name=name, model="verse", seed=3) for name in "st"]
    open_sessions(house.stage, wanted, house.clock.now())
    house.run(1.0)
    house.settle()
    at = house.stage.sessions["s"].position
    back = house.killed(tmp_path / "b")
    assert not back.stage.viewers("s")
    wanted[1] = SessionConfig(name="t", model="roll", seed=3)
    open_sessions(back.stage, wanted, back.clock.now())
    assert back.stage.sessions["s"].position >= at > 0 and back.stage.viewers("s")
    assert back.stage.sessions["t"].position == 0
    assert back.stage.sessions["t"].card.name == "roll"
    house.close()
    back.close()


def test_two_servers_cannot_share_a_folder(models: Path, tmp_path: Path) -> None:
    house = KeptHouse(models, tmp_path / "a")
    with pytest.raises(ConfigError, match="another server uses it"):
        KeptHouse(models, tmp_path / "a")
    house.close()


def test_a_full_disk_is_said_once_and_stored_again_when_there_is_room(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = KeptHouse(models, tmp_path / "a")
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=3)
    house.run(0.5)
    house.settle()

    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", no_room)
        disk.setattr(Database, "write", full)
        for temperature in (0.5, 0.6, 0.7):
            house.say(ear, "control", session="s", controls={"temperature": temperature})
            house.run(1.0)
            assert ear.last("controlled")["controls"]["temperature"] == temperature
        house.run(6.0)
        assert house.stage.counters.store_failing == 1
    said = [r for r in caplog.records if "are not stored" in r.getMessage()]
    assert len(said) == 1
    for _ in range(200):
        house.run(0.1)
        if not house.stage.counters.store_failing:
            break
        time.sleep(0.03)  # the writer is a thread, which goes by no clock of ours
    assert house.stage.counters.store_failing == 0
    house.run(1.2)
    house.settle()
    back = house.killed(tmp_path / "b")
    goes_on(house, back, ear, "s")
    house.close()
    back.close()


def test_sessions_that_nothing_changed_for_long_are_let_go(models: Path, tmp_path: Path) -> None:
    house = KeptHouse(models, tmp_path / "a")
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=3)
    house.run(0.3)
    house.close()
    soon = KeptHouse(models, tmp_path / "a")
    assert list(soon.stage.sessions) == ["s"]
    soon.folder.close()
    assert not KeptHouse(models, tmp_path / "a", days=-1.0).stage.sessions
