"""The oracle's own reasoning: what it makes of acknowledgements, and how it shortens a list."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from oracle.history import History, histories
from oracle.judge import Sight, compare
from oracle.plan import ELEMENTS, LISTENERS, Model, make_round, place, some_symbols
from oracle.script import Change, Cut, Feed, Open, Renew, Step, script
from oracle.shrink import ancestry, hurried, shrink
from oracle.view import View, shown

from stream_rnn.checkpoint import find_models, read_card

ROOT = Path(__file__).parents[1]
CONTROLS = {"temperature": 1.0, "rate": 10.0, "bpm": 150.0, "seed": 7}
DEFAULTS = {"verse": {**CONTROLS, "seed": 0}, "prose": {**CONTROLS, "seed": 0}}
ASKED = {"type": "open", "controls": {"rate": 10}, "prime": "abc"}


def opened(**fields: Any) -> dict[str, Any]:
    common = {"session": "s", "model": "verse", "seed": 7, "position": 0, "epoch": 0}
    return {"type": "opened", "controls": CONTROLS, **common, **fields}


def controlled(position: int, **fields: Any) -> dict[str, Any]:
    changed = fields.pop("changed", {"temperature": 0.5})
    controls = {**CONTROLS, **changed}
    return {"type": "controlled", "session": "s", "position": position, "controls": controls,
            "changed": sorted(changed), **fields}  # fmt: skip


def symbol(n: int, **fields: Any) -> dict[str, Any]:
    return {"type": "symbol", "session": "s", "n": n, "due": 1.0, "text": "x", **fields}


def told(*messages: Any) -> History:
    history = History()
    history.hear(opened(), ASKED)
    for message in messages:
        history.hear(*message) if isinstance(message, tuple) else history.hear(message)
    return history


def fed(position: int, symbols: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    answer = {"type": "fed", "session": "s", "position": position}
    return answer, {"type": "feed", "symbols": symbols}


FIRST = Open("verse", {}, 7, "abc", CONTROLS)


def test_a_past_is_built_again_as_it_was_acknowledged() -> None:
    history = told(controlled(5), fed(9, "wxyz"), controlled(9, changed={"rate": 20.0}))
    (change, tempo) = history.past.changes
    assert tempo.changes == {"bpm": 150.0, "rate": 20.0}, "one tempo, by two names"
    assert list(script(history.past, 12, DEFAULTS)) == [
        FIRST,
        Step(5), Change({"temperature": 0.5}, change.controls), Step(5), Feed("wxyz"),
        Step(9), Change(tempo.changes, tempo.controls), Step(12),
    ]  # fmt: skip


def test_what_was_fed_is_in_parts_where_controls_changed_in_it() -> None:
    history = told(controlled(8, pending=True), controlled(8), fed(12, "uvwxyz"))
    change = history.past.changes[0]
    assert list(script(history.past, 11, DEFAULTS))[1:] == [
        Step(6), Feed("uv"), Step(8), Change(change.changes, change.controls), Step(8),
        Feed("wxy"), Step(11),
    ]  # fmt: skip


def test_a_rewind_leaves_what_came_before_it() -> None:
    rewound = {"type": "rewound", "session": "s", "position": 5, "epoch": 1, "controls": CONTROLS}
    agreed = {**rewound, "controls": {**CONTROLS, "temperature": 0.5}}
    history = told(controlled(5), fed(7, "vw"), controlled(6), agreed)
    assert history.now == 1 and history.position == 5 and history.problems == []
    assert [c.position for c in history.past.changes] == [5] and history.past.fed == ()
    assert [c.position for c in history.pasts[0].changes] == [5, 6], "the old past is kept"
    assert told(controlled(5), rewound).problems, "what is told does not agree with the log"
    into = told({**rewound, "position": 2}).past
    assert list(script(into, 4, DEFAULTS)) == [Open("verse", {}, 7, "ab", CONTROLS), Step(4)]


def test_a_pending_change_comes_into_force_while_nobody_is_there_unless_it_was_cancelled() -> None:
    changed = {"temperature": 0.2, "top_k": 3}
    waits = controlled(8, changed=changed, pending=True)
    gone = controlled(
        5,
        changed={"temperature": 0.9},
        cancelled=[{"position": 8, "changed": ["temperature"]}],
    )
    now = {**CONTROLS, "temperature": 0.9, "top_k": 3}
    back = opened(position=20, controls=now), {"type": "attach", "after": 3, "epoch": 0}
    history = told(waits, gone, back)
    assert history.problems == [] and history.position == 20
    assert [(c.position, c.changes) for c in history.past.changes] == [
        (5, {"temperature": 0.9}),
        (8, {"top_k": 3}),
    ]
    early = opened(position=7, controls=gone["controls"]), back[1]
    assert len(told(waits, gone, early).past.changes) == 1


def test_another_model_takes_over_from_the_past_that_was() -> None:
    asked = {"type": "control", "model": "prose", "controls": {"top_k": 2}}
    history = told(
        controlled(5),
        symbol(5),
        {"type": "reset", "session": "s", "position": 0, "epoch": 1},
        (opened(model="prose", epoch=1), asked),
        {"type": "rewound", "session": "s", "position": 2, "epoch": 2, "controls": CONTROLS},
    )
    *before, renewed, cut, last = script(history.past, 9, DEFAULTS)
    assert before == list(script(history.pasts[0], 6, DEFAULTS))
    assert (renewed, cut, last) == (Renew("prose", {"top_k": 2}, CONTROLS), Cut(2), Step(9))


def test_a_reset_begins_with_the_controls_as_they_are() -> None:
    reset = {"type": "reset", "session": "s", "position": 0, "epoch": 1}
    history = told(controlled(5), symbol(5), reset)
    assert list(script(history.past, 3, DEFAULTS)) == [
        Open("verse", {"temperature": 0.5}, 7, "", {**CONTROLS, "temperature": 0.5}),
        Step(3),
    ]


def test_a_fork_has_a_part_of_its_parents_past() -> None:
    fork = {"type": "fork", "session": "s", "as": "f"}
    found = histories(
        [(opened(), ASKED), (controlled(5), None), (controlled(9), None),
         (opened(session="f", position=6), fork), (symbol(6, session="f"), None)]
    )  # fmt: skip
    assert [c.position for c in found["f"].past.changes] == [5] and found["f"].position == 7


def test_a_view_tells_what_is_missing_and_what_comes_twice() -> None:
    view = View()
    attach = {"type": "attach", "after": 3}
    for message in (symbol(4), symbol(5), {"type": "gap", "after": 5, "before": 9}, symbol(9)):
        if view.next is None:
            view.hear(opened(position=7), attach)
        view.hear(message)
    assert view.problems == []
    view.hear({"type": "rewound", "position": 2, "epoch": 1})
    view.hear(symbol(2, epoch=1))
    assert view.problems == [] and (view.epoch, view.next) == (1, 3)
    view.hear(symbol(2, epoch=1))
    view.hear(symbol(5, epoch=1))
    assert len(view.problems) == 2 and len(view.seen[1, 2]) == 2


def test_each_client_has_its_first_difference() -> None:
    assert shown(symbol(3, epoch=2, fed=True)) == {"text": "x", "fed": True}
    x, y = {"text": "x"}, {"text": "y"}
    sights = [Sight("a", 2, y), Sight("a", 1, y), Sight("b", 0, x), Sight("b", 5, x)]
    found = compare("s", 0, sights, {0: x, 1: x, 2: x})
    assert [str(d).split(":")[2] for d in found] == [" a saw {'text'", " b saw {'text'"]
    assert "symbol 1" in found[0].what and "symbol 5" in found[1].what
    assert compare("s", 0, sights[2:3], {0: x}) == []


MODELS = {
    name: Model(name, card.codec["domain"], card.artists, card.primes)
    for name, card in ((n, read_card(p)) for n, p in find_models(ROOT / "models").items())
}
FEEDABLE = [m for m in MODELS.values() if m.domain in (*ELEMENTS, "text")]


@pytest.mark.parametrize("model", FEEDABLE, ids=lambda m: m.name)
def test_what_is_fed_has_an_element_for_each_symbol(model: Model) -> None:
    codec = read_card(find_models(ROOT / "models")[model.name]).make_codec()
    for seed in range(60):
        symbols = some_symbols(random.Random(seed), model)
        assert len(codec.parse(symbols)) == len(symbols)
        assert codec.parse(symbols[:3]) == codec.parse(symbols)[:3]


def test_a_seed_decides_a_round() -> None:
    models = FEEDABLE[:5]
    one, again = (make_round("1/1", models, 8.0) for _ in range(2))
    assert one == again != make_round("1/2", models, 8.0)
    assert {o["do"] for o in one} >= {"open", "control", "feed", "rewind", "step", "play", "attach"}
    assert all(0 <= a["at"] <= b["at"] for a, b in zip(one, one[1:], strict=False))
    # A driver has to hear all that makes a new session, or what was fed.
    owned = [o for o in one if o["do"] in ("open", "feed", "fork", "model")]
    assert not [o for o in owned if o["by"] in LISTENERS]
    assert not [o for o in make_round("1/1", models, 8.0, kills=False) if "by" not in o]


def test_places_lie_in_the_past() -> None:
    for where in ({"back": 3}, {"from": 12}, {"share": 0.5}, {"share": 1.0}):
        for position in (0, 1, 5, 100):
            assert 0 <= place(where, position) <= position


def shortest(operations: list[dict[str, Any]], fails: Any, suspects: Any = ()) -> Any:
    shrinking, tries = shrink(operations, suspects), 0
    some = next(shrinking)
    while True:
        tries += 1
        try:
            some = shrinking.send(fails(some))
        except StopIteration as end:
            return end.value, tries


@pytest.mark.parametrize("seed", range(20))
def test_shrinking_finds_the_operations_that_it_takes(seed: int) -> None:
    dice = random.Random(seed)
    operations = [
        {"at": float(n), "do": dice.choice("abc"), "session": f"s{n % 5}", "by": "x", "n": n}
        for n in range(120)
    ]
    wanted = set(dice.sample([n for n in range(120) if n % 5 in (1, 3)], 4))
    found, tries = shortest(operations, lambda some: wanted <= {o["n"] for o in some})
    assert {o["n"] for o in found} == wanted and tries < 150
    assert found == hurried(found), "and little time"
    assert [o["n"] for o in found] == sorted(wanted), "in the same order"


def test_shrinking_keeps_what_cannot_be_shorter() -> None:
    operations = [{"at": 0.0, "do": "a", "session": "s", "by": "x"}] * 3
    assert shortest(operations, lambda some: len(some) == 3)[0] == operations


def test_shrinking_looks_at_the_suspects_first() -> None:
    operations = [
        {"at": 0.0, "do": "fork", "session": "a", "fork": "b", "by": "x"},
        {"at": 0.0, "do": "step", "session": "b", "by": "x"},
        {"at": 0.0, "do": "step", "session": "c", "by": "x"},
        {"at": 0.0, "do": "kill"},
    ]
    assert ancestry(operations, {"b"}) == {"a", "b"}
    assert next(shrink(operations, {"a", "b"})) == operations[:2]
