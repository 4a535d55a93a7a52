"""The rig for ChucK, with its sound on a JACK server without a sound card, and keys on a tty."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.programs import (
    Program,
    Served,
    free_port,
    jack_ports,
    jack_record,
    jack_server,
    needs,
    program,
    sounds,
    stream_rnn,
    until,
)
from peers.rigs import Listener, check_steering, with_settings

pytestmark = [pytest.mark.peer, needs("chuck", "jackd", "jack_rec", "sox")]


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with stream_rnn(models, tmp_path_factory.mktemp("log") / "log") as it:
        yield it


@contextlib.contextmanager
def rig(folder: Path, served: Served, session: str, model: str) -> Iterator[Program]:
    """The rig, playing; `sound.wav` in the folder is a second of it."""
    settings = {
        "… => int PORT;": str(served.osc),
        "… => int MY_PORT;": str(free_port()),
        '"…" => string SESSION;': session,
        '"…" => string MODEL;': model,
        "[…] @=> string ARTISTS[];": '"Ada", "Bo"',
        "… => float temperature;": "0.3",
    }
    copy = with_settings("chuck/stream_rnn.ck", folder / "rig.ck", settings)
    with (
        jack_server(folder, period=256) as (env, _),
        program(["chuck", copy], folder / "chuck.log", tty=True, env=env) as it,
    ):
        it.wait(r"^(char|note) ", 20)
        outputs = [port for port in jack_ports(env) if port.startswith("ChucK:out")]
        jack_record(env, folder / "sound.wav", 1, outputs[0])
        yield it


def test_plays_a_text_and_steers_it(served: Served, tmp_path: Path) -> None:
    with (
        Listener(served, "words", "verse") as viewer,
        rig(tmp_path, served, "words", "verse") as it,
    ):
        check_steering(it, viewer, lambda: it.type("-"), lambda: it.type(">"))
    viewer.agree_on_characters(it.find(r"^char ([\s\S]) (\d+) $"))
    assert sounds(tmp_path / "sound.wav")


def test_plays_notes_until_it_is_paused(served: Served, tmp_path: Path) -> None:
    with (
        Listener(served, "keys", "roll") as viewer,
        rig(tmp_path, served, "keys", "roll") as it,
    ):
        it.wait(r"^note ", 40)
        it.type(" ")
        until(lambda: viewer.of("paused"))
        it.wait(r"^note (\d+) 0 ", len(it.find(r"^note \d+ [1-9]")))
    viewer.agree_on_notes(it.find(r"^note (\d+) (\d+) "))
    assert sounds(tmp_path / "sound.wav")
