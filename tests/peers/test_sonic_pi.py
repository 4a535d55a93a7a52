"""The rig for Sonic Pi in its server, without its window, on JACK without a sound card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.programs import (
    SONIC_PI,
    Served,
    SonicPi,
    free_port,
    jack_record,
    jack_server,
    needs,
    sonic_pi,
    sounds,
    stream_rnn,
    until,
)
from peers.rigs import Listener, check_steering, with_settings

pytestmark = [pytest.mark.peer, needs(str(SONIC_PI), "jackd", "jack_rec", "sox")]

Studio = tuple[SonicPi, dict[str, str], Path]


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with stream_rnn(models, tmp_path_factory.mktemp("log") / "log") as it:
        yield it


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Sonic Pi, the environment of its JACK server, and a folder."""
    folder = tmp_path_factory.mktemp("sonic_pi")
    with jack_server(folder, period=256) as (env, _), sonic_pi(env, folder) as it:
        yield it, env, folder


class Buffer:
    """The rig in an editor: settings are changed, and Run is pressed."""

    def __init__(self, studio: Studio, served: Served, session: str, model: str) -> None:
        self._pi, _, folder = studio
        self._copy = folder / f"{session}.rb"
        self._settings = {
            "port = …": str(served.osc),
            "my_port = …": str(free_port()),
            "cue_port = …": str(self._pi.cues),
            'session = "…"': session,
            'model = "…"': model,
        }

    def run(self, **changes: str) -> None:
        self._settings |= {f"{name} = …": value for name, value in changes.items()}
        self._pi.run(
            with_settings("sonic_pi/stream_rnn.rb", self._copy, self._settings).read_text()
        )


def record(studio: Studio, name: str) -> Path:
    """A second of what it plays."""
    _, env, folder = studio
    jack_record(env, folder / name, 1, "SuperCollider:out_1")
    return folder / name


def test_plays_a_text_and_steers_it(studio: Studio, served: Served) -> None:
    it = studio[0]
    buffer = Buffer(studio, served, "words", "verse")
    with Listener(served, "words", "verse") as viewer:
        buffer.run()
        it.wait(r"^char [\s\S] \d+$", 20)
        assert sounds(record(studio, "words.wav"))
        check_steering(
            it,
            viewer,
            lambda: buffer.run(temperature="0.25"),
            lambda: buffer.run(artists='{"Ada" => 1, "Bo" => 3}'),
        )
        it.say("/stop-all-jobs")
    viewer.agree_on_characters(it.find(r"^char ([\s\S]) (\d+)$"))


def test_plays_notes_until_it_is_paused(studio: Studio, served: Served) -> None:
    it = studio[0]
    buffer = Buffer(studio, served, "keys", "roll")
    with Listener(served, "keys", "roll") as viewer:
        buffer.run()
        it.wait(r"^frame ", 20)
        assert sounds(record(studio, "keys.wav"))
        buffer.run(playing="false")
        it.wait(r"^paused$")
        until(lambda: viewer.of("paused"))
        it.say("/stop-all-jobs")
    viewer.agree_on_frames([[int(p) for p in m[1].split()] for m in it.find(r"^frame (.*)$")])
