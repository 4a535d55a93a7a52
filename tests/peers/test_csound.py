"""The rig for Csound, with its sound on a JACK server without a sound card."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.programs import (
    Program,
    Served,
    free_port,
    jack_record,
    jack_server,
    needs,
    program,
    sounds,
    stream_rnn,
    until,
)
from peers.rigs import Listener, check_steering, with_settings

pytestmark = [pytest.mark.peer, needs("csound", "jackd", "jack_rec", "sox")]


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with stream_rnn(models, tmp_path_factory.mktemp("log") / "log") as it:
        yield it


@contextlib.contextmanager
def rig(folder: Path, served: Served, session: str, model: str) -> Iterator[Program]:
    """The rig, playing; `sound.wav` in the folder is a second of it."""
    settings = {
        "giPort = …": str(served.osc),
        "giMyPort = …": str(free_port()),
        'gSsession = "…"': session,
        'gSmodel = "…"': model,
    }
    copy = with_settings("csound/stream_rnn.csd", folder / "rig.csd", settings)
    options = ["-+rtaudio=jack", "-+jack_client=cs", "-b", "256", "-B", "1024"]
    with jack_server(folder, period=256) as (env, _):
        command = ["csound", *options, copy]
        with program(command, folder / "csound.log", "\x1b[m", env=env, cwd=folder) as it:
            it.wait(r"^(char|note) ", 20)
            jack_record(env, folder / "sound.wav", 1, "cs:output1")
            yield it


def test_plays_a_text_and_steers_it(served: Served, tmp_path: Path) -> None:
    with (
        Listener(served, "words", "verse") as viewer,
        rig(tmp_path, served, "words", "verse") as it,
    ):
        check_steering(
            it,
            viewer,
            temperature=lambda: it.type('i "temperature" 0 1 0.25\n'),
            artist=lambda: it.type('i "artist" 0 1 "Ada" 1 "Bo" 3\n'),
        )
    # Of messages that came while it was busy, OSClisten hands out some before others.
    heard = sorted(it.find(r"^char ([\s\S]) (\d+)$"), key=lambda m: int(m[2]))
    viewer.agree_on_characters(heard)
    assert sounds(tmp_path / "sound.wav")


def test_plays_notes_until_it_is_paused(served: Served, tmp_path: Path) -> None:
    with (
        Listener(served, "keys", "roll") as viewer,
        rig(tmp_path, served, "keys", "roll") as it,
    ):
        it.wait(r"^note ", 40)
        it.type('i "pause" 0 1\n')
        until(lambda: viewer.of("paused"))
        it.wait(r"^note (\d+) 0 ", len(it.find(r"^note \d+ [1-9]")))
    viewer.agree_on_notes(it.find(r"^note (\d+) (\d+) "))
    assert sounds(tmp_path / "sound.wav")
