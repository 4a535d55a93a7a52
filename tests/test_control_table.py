"""The table of controls, and that a new control is one row of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import House

from stream_rnn.adapters.web.websocket import hello
from stream_rnn.codecs.registry import CODECS
from stream_rnn.control_table import FADERS, NORMS, TABLE, Controls, Fader
from stream_rnn.engine.messages import Settings
from stream_rnn.sessions.controls import ENGINE_FIELDS

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"


# Rows


def test_each_row_is_whole() -> None:
    for row in TABLE.values():
        assert row.help and set(row.domains) <= set(CODECS), row.name
        assert bool(row.choices) == (row.kind == "choice"), row.name
        default = getattr(Controls(), row.name)
        if row.is_number:
            least, most = row.legal
            kind = int if row.kind == "whole" else float
            assert least <= default <= most and type(default) is kind, row.name
            assert type(least) is type(most) is kind, row.name
        if row.fader is not None:
            assert row.legal[0] <= row.fader.least < row.fader.most <= row.legal[1], row.name
            assert 0 < row.fader.step <= row.fader.most - row.fader.least, row.name


def test_the_engine_is_told_of_the_controls_that_it_draws_by() -> None:
    told = {f.name for f in msgspec.structs.fields(Settings)}
    named = {"artists": "artist", "allowed": "pitches"}
    assert {named.get(name, name) for name in told} == ENGINE_FIELDS


@given(st.sampled_from([*FADERS.values(), Fader(2.0, 8.0, curve=3.0)]), st.floats(0, 1))
def test_a_place_is_a_value_within_the_range_and_the_way_back(fader: Fader, place: float) -> None:
    value = fader.value(place)
    assert fader.least <= value <= fader.most
    assert fader.value(fader.place(value)) == pytest.approx(value)
    assert fader.place(fader.least - 1) == 0.0 and fader.place(fader.most + 1) == 1.0


def test_hello_tells_clients_all_that_a_fader_needs(house: House) -> None:
    told = json.loads(hello(house.stage, 0.0).json)["controls"]
    assert list(told) == list(TABLE)
    assert told["temperature"] == {
        "type": "number", "min": 0.0, "max": 100.0, "help": TABLE["temperature"].help,
        "fader": {"min": 0.0, "max": 2.0, "step": 0.01, "curve": 1.0},
    }  # fmt: skip
    assert told["sync"]["choices"] == ["free", "link", "midi"]
    assert told["pitches"]["domains"] == ["pianoroll", "ensemble"]
    assert "fader" not in told["seed"] and "domains" not in told["seed"]


# One more row


@pytest.fixture(scope="module")
def found(models: Path) -> dict[str, Any]:
    """Where a control appears for which a row was added; see `one_more_control`."""
    script = [sys.executable, str(TESTS / "one_more_control.py"), str(models)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{TESTS}"}
    done = subprocess.run(script, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_new_control_is_set_over_the_websocket(found: dict[str, Any]) -> None:
    assert (found["opened"], found["websocket"]) == (0.125, 1.5)
    assert found["refused"]["field"] == "controls.swing"
    assert "from 0 to 2, not 2.5" in found["refused"]["message"]


def test_a_new_control_is_set_and_told_by_osc(found: dict[str, Any]) -> None:
    assert (found["osc"], found["norm"]) == (0.75, 0.125)  # half of the way, squared
    assert found["feedback"] == [["/rnn/a/swing", [0.125]], ["/rnn/a/swing/norm", [0.5]]]


def test_a_new_control_is_in_the_tree_of_oscquery(found: dict[str, Any]) -> None:
    node = found["node"]
    assert (node["TYPE"], node["RANGE"]) == ("f", [{"MIN": 0.0, "MAX": 2.0}])
    assert node["DESCRIPTION"] == "how late every other note is"
    assert found["values"] == {"/rnn/a/swing": 0.125, "/rnn/a/swing/norm": 0.5}


def test_a_new_control_is_learnt_by_midi(found: dict[str, Any]) -> None:
    assert found["learned"] == {
        "type": "learned", "control": "swing", "cc": 20, "channel": 1, "id": "mine"
    }  # fmt: skip
    assert found["midi"] == 1.0


def test_a_new_control_is_in_hello(found: dict[str, Any]) -> None:
    assert found["hello"]["controls"]["swing"] == {
        "type": "number", "min": 0.0, "max": 2.0, "help": "how late every other note is",
        "fader": {"min": 0.0, "max": 0.5, "step": 0.01, "curve": 2.0}, "domains": ["pianoroll"],
    }  # fmt: skip
    assert {m["controls"]["swing"] for m in found["hello"]["models"]} == {0.25}


def test_a_new_control_is_in_the_documentation(found: dict[str, Any]) -> None:
    assert found["docs"] == [
        "| `swing` | 0 to 2 | 0 to 0.5 | `f` | how late every other note is (`pianoroll`) |"
    ]


# Nowhere else


def read() -> list[Path]:
    """The files that may not repeat a control's range: the package, the page, the docs."""
    some = [
        *(ROOT / "stream_rnn").rglob("*.py"), *(ROOT / "clients" / "web").rglob("*.js"),
        *(ROOT / "clients" / "web").rglob("*.html"), *(ROOT / "docs").glob("*.md"),
    ]  # fmt: skip
    own = {ROOT / "stream_rnn" / "control_table.py", ROOT / "docs" / "protocol.md"}
    return [path for path in some if path not in own and "bundled" not in path.parts]


def pairs(name: str) -> Iterator[re.Pattern[str]]:
    """How a control's ranges would be written: `1.0, 60`, `-6 to 6`, `min="-6" max="6"`."""
    row = TABLE[name]
    ranges = {row.legal} if row.is_number else set()
    ranges |= {(row.fader.least, row.fader.most)} if row.fader else set()
    for least, most in ranges - {(0.0, 1.0)}:  # which is the range of much else
        yield re.compile(rf"(?<![\w.]){least:g}(\.0)?[^\d\n]{{1,12}}?{most:g}(\.0)?(?![\w.]*\d)")


# The two left out have MIDI's own ranges, which appear wherever there is MIDI.
@pytest.mark.parametrize("name", sorted(TABLE.keys() - {"velocity", "channel"}))
def test_no_other_file_has_a_controls_range(name: str) -> None:
    for path in read():
        for line in path.read_text(encoding="utf-8").replace("−", "-").split("\n"):
            if re.search(rf"\b{name}\b", line):
                assert not any(pair.search(line) for pair in pairs(name)), f"{path}: {line}"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("density", '"density": (-6.0, 6.0),'),
        ("rate", "`rate` 1 to 60, `bpm` 40 to 240"),
        ("transpose", '<input id="transpose" type="range" min="-24" max="24" step="1">'),
        ("velocity", "velocity: { min: 1, max: 127 },"),
        ("transpose", "transpose: Annotated[int, Meta(ge=-48, le=48)] = 0"),
    ],
)
def test_a_range_would_be_found_as_it_stood_before(name: str, line: str) -> None:
    assert any(pair.search(line) for pair in pairs(name))


def test_only_numbers_with_fractions_have_a_norm_form() -> None:
    assert set(NORMS) == {name for name in FADERS if isinstance(getattr(Controls(), name), float)}
