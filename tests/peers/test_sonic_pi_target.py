"""The target of `configs/serve.toml` for Sonic Pi, in its real server: its own cues, no rig."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers.programs import SONIC_PI, SonicPi, jack_server, needs, sonic_pi, stream_rnn, until
from talker import Talker

from stream_rnn.sound.voice import letter_pitch

pytestmark = [pytest.mark.peer, needs(str(SONIC_PI), "jackd")]

EXAMPLE = Path(__file__).parents[2] / "configs" / "serve.toml"
COUNT = 60
# As the example says, but that it prints what it would play.
CODE = """
use_debug false
use_cue_logging false
live_loop :notes do
  use_real_time
  n, v, s = sync "/osc*/rnn/note"
  puts "note #{n} #{v} #{s}"
end
live_loop :letters do
  use_real_time
  char, = sync "/osc*/rnn/char"
  puts "char #{char}"
end
sleep 0.5
puts "listening"
"""


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SonicPi]:
    folder = tmp_path_factory.mktemp("sonic_pi")
    with jack_server(folder, period=256) as (env, _), sonic_pi(env, folder) as it:
        it.run(CODE)
        it.wait("^listening$", seconds=30)
        yield it


def example(port: int) -> str:
    """The target, with its comment signs taken away, and Sonic Pi's port of today."""
    after = EXAMPLE.read_text().partition("# Sonic Pi:")[2]
    found = re.search(r"(?:^#\S.*\n)+", after, re.MULTILINE)
    assert found
    text = re.sub("^#", "", found[0], flags=re.MULTILINE)
    assert "port = 4560\n" in text
    return text.replace("port = 4560", f"port = {port}")


def play(pi: SonicPi, models: Path, folder: Path, model: str) -> list[dict[str, Any]]:
    """What it sounds a while; Sonic Pi has been told of all of it by then."""
    pi.listen()
    pi.printed.clear()
    config = folder / "serve.toml"
    config.write_text(example(pi.cues))
    with (
        stream_rnn(models, folder / "log", "--config", str(config)) as served,
        Talker(served.http) as talker,
    ):
        controls = {"rate": 10}
        talker.ask("open", "opened", model=model, session="main", seed=1, controls=controls)
        while len([m for m in talker.heard if m["type"] == "symbol"]) < COUNT:
            talker.until("symbol")
            pi.listen()  # it tells its window much, and does not wait for it
        talker.ask("pause", "paused", session="main")
    return [m for m in talker.heard if m["type"] == "symbol"]


def test_every_letter_comes_and_is_a_note(pi: SonicPi, models: Path, tmp_path: Path) -> None:
    symbols = play(pi, models, tmp_path, "verse")
    text = "".join(s["text"] for s in symbols)
    until(lambda: len(pi.find(r"^char [\s\S]$")) == len(text), why=lambda: str(pi.printed))
    assert "".join(m[1] for m in pi.find(r"^char ([\s\S])$")) == text
    pitches = [str(letter_pitch(letter)) for letter in text if letter_pitch(letter) is not None]
    assert len(pitches) > COUNT / 2
    until(lambda: len(pi.find("^note ")) == len(pitches), why=lambda: str(pi.printed))
    assert [m[1] for m in pi.find(r"^note (\d+) 80 0\.1\d*$")] == pitches


def test_every_note_of_every_chord_comes(pi: SonicPi, models: Path, tmp_path: Path) -> None:
    symbols = play(pi, models, tmp_path, "roll")
    begun, held = list[set[str]](), set[int]()
    for symbol in symbols:
        notes = set(symbol["notes"])
        begun.append({str(pitch) for pitch in notes - held})
        held = notes
    assert max(map(len, begun)) > 3, "chords"
    count = sum(map(len, begun))
    until(lambda: len(pi.find("^note ")) == count, why=lambda: str(pi.printed))
    heard = iter(m[1] for m in pi.find(r"^note (\d+) 80 0\.1\d*$"))
    assert [{next(heard) for _ in frame} for frame in begun] == begun
