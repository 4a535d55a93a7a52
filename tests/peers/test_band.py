"""The rig for the band in sclang and scsynth: it leads, and sounds four players."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.programs import (
    Program,
    Served,
    jack_record,
    jack_server,
    needs,
    sclang,
    sounds,
    stream_rnn,
    until,
)
from peers.rigs import Listener, with_settings
from support import make_band_model

pytestmark = [pytest.mark.peer, needs("sclang", "scsynth", "jackd", "jack_rec", "sox")]

RIG = "band/stream_rnn_band.scd"
Rig = tuple[Program, dict[str, str], Path]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    make_band_model(folder / "models" / "band")
    with stream_rnn(folder / "models", folder / "log") as it:
        yield it


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("supercollider")
    with jack_server(folder, period=256) as (env, _), sclang(env, folder) as it:
        yield it, env, folder


def test_it_leads_and_four_players_sound(rig: Rig, served: Served) -> None:
    it, env, folder = rig
    settings = {"~port = …;": str(served.osc), "~verbose = …;": "true"}
    with Listener(served, "band", "band") as viewer:
        copy = with_settings(RIG, folder / "band.scd", settings)
        it.type(f'"{copy}".load;\n')
        it.wait(r"^gesture ", 4, seconds=30)
        it.type("~pad.();\n")
        for player, gesture in enumerate((6, 1, 8)):
            it.type(f"~lead.({gesture}, {player});\n")
        led = it.wait(r"^led (\d) (\d) (\d+)$", 3)
        until(lambda: len(viewer.of("led")) == 3)
        it.wait(r"^touch 2 ", 8)
        it.wait(r"^touch 1 ", 8)
        jack_record(env, folder / "band.wav", 2, "SuperCollider:out_1")
        assert sounds(folder / "band.wav")
        it.type('"fingers %".postf(~fingers.size); "".postln;\n')
        it.wait(r"^fingers [1-4]$")
        it.type("~pause.();\n")
        it.wait(r"^paused$")
        it.type('"fingers %".postf(~fingers.size); "".postln;\n')
        it.wait(r"^fingers 0$")
        it.type("~stop.();\n")
    assert not it.find(r"(?m)^ERROR.*$"), "the pad, or something else, is not SuperCollider"
    heard = [(int(m[1]), int(m[2]), int(m[3])) for m in led]
    assert heard == [(m["player"], m["gesture"], m["position"]) for m in viewer.of("led")]
    first = {player: position for player, _, position in heard}
    for m in viewer.of("symbol"):
        player, gesture = m["event"]["player"], m["event"]["gesture"]
        obeys = player in first and m["n"] >= first[player]
        assert m.get("fed", False) == obeys and (not obeys or gesture == (6, 1, 8)[player])
    # Every touch came, and with its due time.
    seen = [m for m in viewer.of("touch")]
    touches = it.find(r"^touch (\d) (\S+) (\S+) (\d) (\d+) (\S+)$")
    got = [(int(m[1]), int(m[4]), int(m[5])) for m in touches]
    sent = [(m["touch"]["player"], m["touch"]["down"], m["touch"]["pitch"]) for m in seen]
    start = next(i for i in range(len(sent)) if sent[i : i + len(got)] == got)
    wall = time.time() - time.monotonic()
    late = sorted(
        abs(m["due"] + wall - float(t[6])) for m, t in zip(seen[start:], touches, strict=False)
    )
    assert len(got) > 40 and late[len(late) // 2] < 0.002, late
