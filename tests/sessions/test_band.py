"""An ensemble on stage: people take players' parts, and touches fall between the symbols."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support import Ear, House, make_band_model, make_text_model

from stream_rnn.codecs.scales import scale_pitches
from stream_rnn.codecs.snippets import snippet


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    make_band_model(root / "band")
    make_text_model(root / "verse")
    return root


def play(stages: Path, seconds: float = 3.5, **fields: Any) -> tuple[House, Ear]:
    house = House(stages)
    ear = house.join()
    house.say(ear, "open", model="band", session="s", **{"seed": 3, **fields})
    house.run(seconds)
    return house, ear


def rows(ear: Ear) -> list[list[tuple[int, int, bool]]]:
    """(player, gesture, fed) of each moment."""
    found = defaultdict(list)
    for m in ear.of("symbol"):
        if "player" in m["event"]:
            event = m["event"]
            found[m["due"]].append((event["player"], event["gesture"], m.get("fed", False)))
    return list(found.values())


def test_the_players_take_turns_a_row_a_second_whatever_the_network_thinks(stages: Path) -> None:
    _, ear = play(stages, 20.0, controls={"temperature": 3.0})
    heard = rows(ear)
    assert len(heard) >= 18 and all([p for p, *_ in row] == [0, 1, 2, 3] for row in heard)
    dues = sorted({m["due"] for m in ear.of("symbol")})
    assert all(b - a == pytest.approx(1.0) for a, b in pairwise(dues))


def test_a_lead_holds_from_the_very_next_second_until_another(stages: Path) -> None:
    house, ear = play(stages)
    house.say(ear, "lead", session="s", gesture=6)
    led = ear.last("led")
    assert (led["player"], led["gesture"], led["position"] % 4) == (0, 6, 0)
    house.run(3.0)
    house.say(ear, "lead", session="s", gesture=2)
    house.run(2.0)
    house.say(ear, "lead", session="s", gesture=None)
    house.run(2.0)
    heard = rows(ear)
    first = led["position"] // 4
    assert [row[0] for row in heard[first : first + 5]] == [(0, 6, True)] * 3 + [(0, 2, True)] * 2
    assert not any(fed for row in heard[first + 5 :] for *_, fed in row)
    # The others answer by themselves, in the same second.
    assert not any(fed for row in heard for _, _, fed in row[1:])
    assert all(len(row) == 4 for row in heard)


def test_what_the_others_play_follows_from_what_the_lead_did_in_the_same_second(
    stages: Path,
) -> None:
    house, ear = play(stages)
    house.say(ear, "lead", session="s", gesture=6)
    house.run(4.0)
    house.say(ear, "pause", session="s")
    symbols = [(m["event"], m.get("fed", False)) for m in ear.of("symbol")]
    # The same by hand: each lead fed at its position, and the rest asked for.
    by_hand = house.join()
    house.say(by_hand, "open", model="band", session="t", seed=3, play=False)
    for event, fed in symbols:
        if fed:
            house.say(by_hand, "feed", session="t", symbols=[event])
        else:
            house.say(by_hand, "step", session="t")
            house.run(0.1)
    assert [(m["event"], m.get("fed", False)) for m in by_hand.of("symbol")] == symbols


@pytest.mark.parametrize(("before", "obeyed"), [(0.06, True), (0.03, True), (0.01, False)])
def test_a_lead_comes_in_up_to_the_moment_of_its_commitment(
    stages: Path, before: float, obeyed: bool
) -> None:
    house, ear = play(stages, 1.0)
    house.run(house.stage.sessions["s"].next_due - before - house.clock.now(), step=0.001)
    house.say(ear, "lead", session="s", gesture=7)
    house.run(0.5)
    assert (rows(ear)[-1][0] == (0, 7, True)) == obeyed
    house.run(1.0)
    assert rows(ear)[-1][0] == (0, 7, True)


def test_two_people_may_play_and_even_four(stages: Path) -> None:
    house, ear = play(stages)
    for player in (0, 2):
        house.say(ear, "lead", session="s", gesture=player + 1, player=player)
    house.run(2.0)
    assert [g for _, g, fed in rows(ear)[-1] if fed] == [1, 3]
    for player in (1, 3):
        house.say(ear, "lead", session="s", gesture=player + 1, player=player)
    house.run(3.0)
    assert rows(ear)[-2:] == [[(p, p + 1, True) for p in range(4)]] * 2


@pytest.mark.parametrize(
    ("session", "fields", "said"),
    [
        ("s", {"gesture": 9}, "gesture must be 0 to 8, not 9"),
        ("s", {"gesture": 1, "player": 4}, "player must be 0 to 3, not 4"),
        ("v", {"gesture": 1}, "has no players to lead: its model is of domain 'text'"),
        ("x", {"gesture": 1}, "there is no session 'x'"),
    ],
)
def test_what_cannot_be_led_is_refused(
    stages: Path, session: str, fields: dict[str, Any], said: str
) -> None:
    house, ear = play(stages, 0.5)
    house.say(ear, "open", model="verse", session="v")
    house.say(ear, "lead", session=session, **fields)
    assert said in ear.last("error")["message"] and not ear.of("led")


def test_a_lead_waits_through_pauses_and_stays_through_a_reset(stages: Path) -> None:
    house, ear = play(stages)
    house.say(ear, "pause", session="s")
    house.say(ear, "lead", session="s", gesture=5)
    heard = len(ear.messages)
    house.run(3.0)
    assert len(ear.messages) == heard
    house.say(ear, "play", session="s")
    house.run(1.5)
    assert rows(ear)[-1][0] == (0, 5, True)
    house.say(ear, "reset", session="s")
    house.run(1.5)
    assert rows(ear)[-1][0] == (0, 5, True) and ear.last("symbol")["n"] < 8
    house.say(ear, "rewind", session="s", to=2)
    house.run(2.5)
    assert [e[0] for e in rows(ear)[-1]] == [0, 1, 2, 3]


# Fingers


def test_touches_are_handed_out_in_order_and_early_and_belong_to_their_second(
    stages: Path,
) -> None:
    house, ear = play(stages, 10.0, controls={"temperature": 3.0, "pitches": "D dorian"})
    touches = ear.of("touch")
    assert len(touches) > 100
    assert all(a["due"] <= b["due"] for a, b in pairwise(touches))
    assert max(m["due"] for m in touches) <= house.clock.now() + 0.021
    playing: dict[int, int] = {}
    for m in ear.messages:
        if m["type"] == "symbol":
            playing[m["event"]["player"]] = m["event"]["gesture"]
        elif m["type"] == "touch":
            touch = m["touch"]
            assert 0 <= touch["x"] <= 1 and 0 <= touch["y"] <= 1
            assert touch["pitch"] in scale_pitches("D dorian")
            # A finger that rests only lifts.
            assert playing[touch["player"]] or not touch["down"]


def test_touches_are_the_same_for_the_same_stream(stages: Path) -> None:
    heard = [
        [m["touch"] for m in play(stages, 8.0, seed=seed)[1].of("touch")] for seed in (3, 3, 4)
    ]
    assert heard[0] == heard[1] != heard[2]


def test_no_touch_comes_while_it_is_paused_and_its_engine_gone(stages: Path) -> None:
    house, ear = play(stages, 5.3)
    for away, back in (("pause", "play"), ("lose", "regain")):
        if away == "lose":
            house.lose_engine()
            house.run(30.0)  # what is computed is played, to the last touch
        else:
            house.say(ear, away, session="s")
        touched = len(ear.of("touch"))
        house.run(2.0)
        assert len(ear.of("touch")) == touched > 0
        if back == "regain":
            house.start_engine()
            house.regain_engine()
        else:
            house.say(ear, back, session="s")
        house.run(3.0)
        assert len(ear.of("touch")) > touched


@pytest.mark.parametrize("rate", [60.0, 7.0])
def test_a_finger_that_was_down_is_lifted_when_the_tempo_cuts_its_second_short(
    stages: Path, rate: float
) -> None:
    house, ear = play(stages, 0.5)
    for gesture in (3, 0, 4, 0, 1, 0, 6, 0, 8, 0):
        for player in range(4):
            house.say(ear, "lead", session="s", gesture=gesture, player=player)
        house.run(0.77)
        rate, other = (20.0, rate) if gesture else (rate, 20.0)
        house.say(ear, "control", session="s", controls={"rate": other})
        rate = max(rate, other)
    house.say(ear, "control", session="s", controls={"rate": 20.0})
    house.run(2.5)
    down = {m["touch"]["player"]: m["touch"]["down"] for m in ear.of("touch")}
    assert down == dict.fromkeys(range(4), 0)


# Hands


def test_what_a_person_touches_is_what_they_lead_until_they_give_it_back(stages: Path) -> None:
    house, ear = play(stages, 2.5)
    start = house.clock.now()
    heard = len(ear.of("touch"))
    for t, touch in snippet(6, "a"):
        house.run(start + t - house.clock.now())
        house.say(ear, "touch", session="s", x=touch.x, y=touch.y, down=int(touch.down))
    assert [row[0] for row in rows(ear)[-2:]] == [(0, 6, True)] * 2
    mine = [m for m in ear.of("touch")[heard:] if m["touch"]["player"] == 0]
    assert [m["touch"]["x"] for m in mine if m.get("fed")] == [
        round(touch.x, 4) for _, touch in snippet(6, "a")
    ]
    # Nothing more is heard of the finger, so it rests, and is lifted.
    assert mine[-1]["touch"]["down"] == 1
    house.run(4.0)
    assert rows(ear)[-1][0] == (0, 0, True)
    own = [m for m in ear.of("touch") if m["touch"]["player"] == 0]
    assert own[-1]["touch"] == {**mine[-1]["touch"], "down": 0}
    house.say(ear, "lead", session="s", gesture=None)
    house.run(2.0)
    assert not rows(ear)[-1][0][2]


def test_a_touch_of_no_player_is_refused(stages: Path) -> None:
    house, ear = play(stages, 0.5)
    house.say(ear, "touch", session="s", x=0.5, y=0.5, player=4)
    assert "player must be 0 to 3" in ear.last("error")["message"]
    house.say(ear, "open", model="verse", session="v")
    house.say(ear, "touch", session="v", x=0.5, y=0.5)
    assert "no players to lead" in ear.last("error")["message"]
