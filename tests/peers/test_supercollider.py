"""The rig for SuperCollider in sclang and scsynth, on JACK without a sound card."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
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
from peers.rigs import Listener, check_steering, with_settings

pytestmark = [pytest.mark.peer, needs("sclang", "scsynth", "jackd", "jack_rec", "sox")]

RIG = "supercollider/stream_rnn.scd"
Rig = tuple[Program, dict[str, str], Path]


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with stream_rnn(models, tmp_path_factory.mktemp("log") / "log") as it:
        yield it


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An interpreter, the environment of its JACK server, and a folder."""
    folder = tmp_path_factory.mktemp("supercollider")
    with jack_server(folder, period=256) as (env, _), sclang(env, folder) as it:
        yield it, env, folder


def play(rig: Rig, served: Served, session: str, model: str) -> Program:
    """Runs the rig, as somebody does who has changed its settings."""
    it, _, folder = rig
    settings = {
        "~port = …;": str(served.osc),
        '~session = "…";': session,
        '~model = "…";': model,
    }
    copy = with_settings(RIG, folder / f"{session}.scd", settings)
    it.type(f'"{copy}".load;\n')
    return it


def record(rig: Rig, name: str) -> Path:
    """A second of what it plays."""
    _, env, folder = rig
    jack_record(env, folder / name, 1, "SuperCollider:out_1")
    return folder / name


def test_a_text_comes_with_its_due_times_and_is_steered(rig: Rig, served: Served) -> None:
    with Listener(served, "words", "verse") as viewer:
        it = play(rig, served, "words", "verse")
        it.wait(r"^char ", 20, seconds=30)
        assert sounds(record(rig, "words.wav"))
        check_steering(
            it,
            viewer,
            temperature=lambda: it.type("~temperature.(0.25);\n"),
            artist=lambda: it.type('~artist.("Ada", 1, "Bo", 3);\n'),
        )
        it.type("~stop.();\n")
    heard = it.find(r"^char ([\s\S]) (\d+) (\S+)$")
    viewer.agree_on_characters(heard)
    wall = time.time() - time.monotonic()
    due = {m["n"]: m["due"] + wall for m in viewer.of("symbol")}
    assert_on_time(abs(due[int(m[2])] - float(m[3])) for m in heard)


def test_notes_sound_and_end(rig: Rig, served: Served) -> None:
    with Listener(served, "keys", "roll") as viewer:
        it = play(rig, served, "keys", "roll")
        it.wait(r"^note ", 30, seconds=30)
        assert sounds(record(rig, "keys.wav"))
        it.type("~temperature.(0.5);\n")
        temperature = it.wait(r"^controlled temperature 0.5 (\d+)$")[0]
        it.type("~pause.();\n")
        until(lambda: viewer.of("paused"))
        it.type('"sounding %".postf(~sounding.size); "".postln;\n')
        it.wait(r"^sounding 0$")
        it.type("~stop.();\n")
    assert viewer.changes("temperature") == [(0.5, int(temperature[1]))]
    heard = it.find(r"^note (\d+) (\d+) \S+ (\S+)$")
    viewer.agree_on_notes(heard)
    wall = time.time() - time.monotonic()
    frames = [(m["due"] + wall, m["notes"]) for m in viewer.of("symbol")]
    assert_on_time(
        min(abs(due - float(m[3])) for due, notes in frames if int(m[1]) in notes)
        for m in heard
        if m[2] != "0"
    )


def assert_on_time(errors: Iterable[float]) -> None:
    """Holds that the times that sclang gave are the due times.

    sclang reckons a date from two clocks that it reads one after the other; a machine that is
    busy may hold it up in between.
    """
    ordered = sorted(errors)
    assert ordered[len(ordered) // 2] < 0.002, ordered
