"""MIDI with real programs: jackd, a synthesizer, and a listener that counts what is on the wire."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import pytest
from peers.hearing import Sound
from peers.midi_rig import PERIOD, children_of, keyboard, listener, stage
from peers.programs import (
    fluidsynth,
    free_port,
    jack_ports,
    jack_server,
    needs,
    program,
    running,
    sounds,
    until,
)
from support import resident
from talker import Talker, Witness

pytestmark = [pytest.mark.peer, needs("jackd", "fluidsynth", "sox", "setpriv")]


def test_the_wav_of_a_synthesizer_sounds_and_the_recording_has_the_notes(
    models: Path, tmp_path: Path
) -> None:
    recorded = tmp_path / "take.mid"
    options = ("--midi-out", "fluid", "--midi-out", "ear:in", "--record", str(recorded))
    with stage(models, tmp_path, *options) as (server, env), listener(env) as wire:
        with fluidsynth(env, tmp_path) as wav:
            until(lambda: (tmp_path / "server.log").read_text().count(" is here: ") == 2)
            time.sleep(1)  # while JACK takes new connections up, it may drop messages
            with Talker(server.http) as talker:
                talker.ask("open", "opened", model="roll", session="s", seed=5)
                heard = talker.symbols(60)
                talker.ask("pause", "paused", session="s")
            until(lambda: not wire.hanging())
    assert sounds(wav)
    onsets = list(begun(heard))
    assert [data[1] for _, data in wire.heard if data[0] >> 4 == 9][: len(onsets)] == [
        p for _, p in onsets
    ]
    late = [
        moment - due
        for (moment, _), (due, _) in zip(
            [m for m in wire.heard if m[1][0] >> 4 == 9], onsets, strict=False
        )
    ]
    assert sorted(late)[len(late) // 2] < 0.02, "half of the notes came within three periods"
    now, taken = 0.0, []
    for message in mido.MidiFile(recorded):
        now += message.time
        if message.type == "note_on" and message.velocity:
            taken.append((now, message.note))
    first = onsets[0][0]
    assert [p for _, p in taken][: len(onsets)] == [p for _, p in onsets]
    for (moment, _), (due, _) in zip(taken, onsets, strict=False):
        assert moment == pytest.approx(due - first, abs=0.002)


PATCH = """#N canvas 0 0 450 300 12;
#X obj 20 20 netreceive -u -b PORT;
#X obj 20 50 oscparse;
#X obj 20 80 list trim;
#X obj 20 110 print got;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 0 3 0;
"""
SPARSE = {"rate": 5, "density": -1.0, "pitches": list(range(60, 85))}  # what an ear can tell


@needs("oscdump", "pd")
def test_one_session_is_the_same_everywhere(models: Path, tmp_path: Path) -> None:
    """A WebSocket client, liblo's oscdump, Pd, fluidsynth and the wire, at once."""
    port, other = free_port(), free_port()
    config = f"[[osc.target]]\nport = {port}\n"
    config += f'[[osc.target]]\nport = {other}\nsession = "s"\nsymbol = "/at {{n}}"\n'
    config += 'note = "/on {n} {pitch}"\n[midi]\napi = "jack"\n'
    for name in ("fluid", "ear:in"):
        config += f'[[midi.out]]\nport = "{name}"\nsession = "s"\n'
    dump, patch = tmp_path / "dump", tmp_path / "patch.pd"
    patch.write_text(PATCH.replace("PORT", str(other)))
    pd = ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr", patch]
    with (
        dump.open("wb") as out,
        running(["oscdump", "-L", str(port)], stdout=out),
        program(pd, tmp_path / "pd.log") as puredata,
        stage(models, tmp_path, config=config) as (server, env),
        listener(env) as wire,
        fluidsynth(env, tmp_path) as wav,
        Talker(server.http) as talker,
    ):
        until(lambda: (tmp_path / "server.log").read_text().count(" is here: ") == 2)
        time.sleep(1)  # while JACK takes new connections up, it may drop messages
        talker.ask("open", "opened", model="roll", session="s", seed=5, controls=SPARSE)
        talker.ask("open", "opened", model="verse", session="t", seed=5)
        while len(symbols := of(talker, "s")) < 60:
            talker.symbols(1)
        talker.ask("pause", "paused", session="s")
        until(lambda: not wire.hanging())
        frames = until(lambda: found if len(found := frames_of(dump)) >= 60 else None)
        puredata.wait(r"^got: at 59$")
    wall = time.time() - time.monotonic()
    for symbol, (stamp, pitches) in zip(symbols, frames, strict=False):
        assert pitches == symbol["notes"]
        assert stamp == pytest.approx(symbol["due"] + wall, abs=0.005)
    said = of(talker, "t")
    characters = characters_of(dump)[: len(said)]
    assert len(characters) > 150
    assert [(n, c) for _, n, c in characters] == [(m["n"], m["text"]) for m in said][
        : len(characters)
    ]
    for m, (stamp, _, _) in zip(said, characters, strict=False):
        assert stamp == pytest.approx(m["due"] + wall, abs=0.005)
    numbers = [int(m[1]) for m in puredata.find(r"^got: at (\d+)$")]
    assert numbers[:60] == [m["n"] for m in symbols[:60]] == list(range(60))
    onsets = list(begun(symbols))
    place = {symbol["due"]: symbol["n"] for symbol in symbols}
    played = [(int(m[1]), int(m[2])) for m in puredata.find(r"^got: on (\d+) (\d+)$")]
    assert played[: len(onsets)] == [(place[due], pitch) for due, pitch in onsets]
    heard = [(moment, data[1]) for moment, data in wire.heard if data[0] >> 4 == 9]
    assert [pitch for _, pitch in heard][: len(onsets)] == [pitch for _, pitch in onsets]
    # What is written in the log is what the synthesizer rendered, and nothing else is.
    sound = Sound(wav)
    early = sound.begins() - onsets[0][0]
    notes = [
        (due + early, pitch, {p for m in symbols[max(0, place[due] - 2) :][:3] for p in m["notes"]})
        for due, pitch in onsets
    ]
    assert len(notes) > 20 and sound.has(notes) >= 0.95
    beside = [(at, p + 1, others) for at, p, others in notes if p + 1 not in others]
    assert sound.has(beside) < 0.4, "a semitone higher there is nothing"
    before = [(at - 0.2, p, others) for at, p, others in notes if at > early + 0.4]
    assert sound.has(before) < 0.5, "nor a frame before"


def of(talker: Talker, session: str) -> list[dict[str, Any]]:
    """The symbols of a session so far."""
    return [m for m in talker.heard if m["type"] == "symbol" and m["session"] == session]


IN = """
[midi]
api = "jack"
[[midi.in]]
port = "keys:out"
session = "s"
silence = 0.4
[[midi.control]]
cc = 1
control = "temperature"
"""


def test_it_listens_while_one_plays_and_answers(models: Path, tmp_path: Path) -> None:
    with (
        stage(models, tmp_path, config=IN) as (server, env),
        keyboard(env) as keys,
        Talker(server.http) as talker,
    ):
        until(lambda: "is here: keys:out" in (tmp_path / "server.log").read_text())
        talker.ask("open", "opened", model="roll", session="s", controls={"rate": 20})
        talker.symbols(5)
        for pitch in (60, 64, 67):
            keys.play(pitch, 0.15)
        talker.until("paused")
        talker.until("playing")
        fed = [set(m["notes"]) for m in talker.heard if m["type"] == "symbol" and m.get("fed")]
        assert [p for p, _ in itertools.groupby(fed)] in ([{60}, {64}, {67}],)
        assert all(not m.get("fed") for m in talker.symbols(5))
        keys.send(bytes((0xB0, 1, 127)))
        controlled = talker.until("controlled")
        assert controlled["changed"] == ["temperature"]
        assert controlled["controls"]["temperature"] == pytest.approx(2.0)


def test_its_own_output_is_not_taken_for_input(models: Path, tmp_path: Path) -> None:
    config = IN.replace("silence = 0.4", "silence = 0.4\npanic = true")
    config += '[[midi.out]]\nport = "thru"\nvirtual = true\nclock = "s"\n'
    with (
        stage(models, tmp_path, config=config) as (server, env),
        keyboard(env),
        listener(env) as wire,
        Talker(server.http) as talker,
    ):
        ours = until(lambda: [p for p in jack_ports(env) if p.endswith(":thru")])[0]
        ear = until(lambda: [p for p in jack_ports(env) if p.endswith(":keys:out")])[0]
        for target in (ear, "ear:in"):
            subprocess.run(["jack_connect", ours, target], env=env, check=True)
        # Whoever follows a clock that comes in has none to follow here.
        follower = {"sync": "midi", "rate": 20}
        talker.ask("open", "opened", model="roll", session="f", controls=follower)
        talker.ask("open", "opened", model="roll", session="s", controls={"rate": 20})
        talker.symbols(160)
        assert wire.begun() > 40, "it was heard, also by its own ear"
        assert sum(data == b"\xf8" for _, data in wire.heard) > 200, "and so was its clock"
        # A gateway that hangs is silenced, with a message that would be a panic of another's.
        os.kill(server.pid, signal.SIGSTOP)
        until(lambda: any(data[0] >> 4 == 11 for _, data in wire.heard), 10)
        os.kill(server.pid, signal.SIGCONT)
        talker.symbols(80)
        talker.ask("pause", "paused", session="s")
        until(lambda: any(data == b"\xfc" for _, data in wire.heard), 5)
        talker.symbols(20)
        news = [(m["type"], m["session"]) for m in talker.heard if "n" not in m and "session" in m]
        assert news == [("opened", "f"), ("opened", "s"), ("paused", "s")], (
            tmp_path / "server.log"
        ).read_text()
        assert not any(m.get("fed") for m in talker.heard)


GROWTH = 4 << 20  # bytes; 280 that were kept of each message would be as much


def test_random_bytes_from_a_port_stop_nothing(models: Path, tmp_path: Path) -> None:
    numbers = random.Random(3)
    with (
        stage(models, tmp_path, config=IN) as (server, env),
        keyboard(env) as keys,
        Talker(server.http) as talker,
    ):
        until(lambda: "is here: keys:out" in (tmp_path / "server.log").read_text())
        talker.ask("open", "opened", model="roll", session="s")
        _, midi = children_of(server.pid)
        memory = 0
        with Witness(server.http, calm=2.0, osc=server.osc):
            for number in range(20_000):
                if number == 5_000:  # when all that is kept is there
                    memory = resident(server.pid) + resident(midi)
                data = numbers.randbytes(numbers.choice((1, 2, 3, 3, 3)))
                keys.send(data)
                if number % 100 == 0:
                    time.sleep(0.02)
        assert children_of(server.pid)[1] == midi, "the MIDI process lives on"
        grown = resident(server.pid) + resident(midi) - memory
        assert memory > 0 and grown < GROWTH, f"{grown / 2**20:.1f} MB"
        talker.ask("close", "closed", session="s")
        talker.ask("open", "opened", model="roll", session="s")
        talker.symbols(5)


def test_play_is_an_installation_in_one_command(models: Path, tmp_path: Path) -> None:
    port, recorded = free_port(), tmp_path / "take.mid"
    dump, log = tmp_path / "dump", tmp_path / "log"
    command = [sys.executable, "-m", "stream_rnn", "play", models / "roll", "--midi-out", "ear:in"]
    command += ["--osc-out", f"127.0.0.1:{port}", "--record", recorded, "--rate", "30"]
    with (
        jack_server(tmp_path, PERIOD) as (env, _),
        listener(env) as wire,
        dump.open("wb") as out,
        log.open("wb") as err,
        running(["oscdump", "-L", str(port)], stdout=out),
        running(command, env=env, stdout=subprocess.PIPE, stderr=err, patience=10) as process,
    ):
        assert process.stdout is not None
        assert b"playing; watch it at http://127.0.0.1:" in process.stdout.readline()
        until(lambda: wire.begun() > 40, 30, log.read_text)
        until(lambda: dump.read_text(errors="replace").count("/rnn/main/frame") > 20)
        listed = subprocess.run(
            [sys.executable, "-m", "stream_rnn", "ports", "--api", "jack", "--json"],
            env=env, capture_output=True, text=True,
        )  # fmt: skip
        assert "ear:in" in json.loads(listed.stdout)["outs"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        until(lambda: not wire.hanging(), why=lambda: str(wire.hanging()))
    assert sum(m.type == "note_on" and m.velocity > 0 for m in mido.MidiFile(recorded)) > 30


def frames_of(dump: Path) -> list[tuple[float, list[int]]]:
    """(seconds since 1970, pitches) of each `/frame` that oscdump printed."""
    found = printed(dump, r"/rnn/s/frame \S*(.*)")
    return [(stamp, [int(word) for word in words[1].split()]) for stamp, words in found]


def characters_of(dump: Path) -> list[tuple[float, int, str]]:
    """(seconds since 1970, n, character) of each `/char`."""
    found = printed(dump, r'/rnn/t/char si "(.)" (\d+)')
    return [(stamp, int(words[2]), words[1]) for stamp, words in found]


def printed(dump: Path, pattern: str) -> list[tuple[float, re.Match[str]]]:
    """What oscdump printed, with the time of its bundle."""
    lines = []
    stamped = re.split(r"^([0-9a-f]{8})\.([0-9a-f]{8}) ", dump.read_text("utf-8"), flags=re.M)
    for seconds, fraction, text in zip(stamped[1::3], stamped[2::3], stamped[3::3], strict=True):
        if words := re.fullmatch(pattern, text.removesuffix("\n"), re.DOTALL):
            stamp = int(seconds, 16) - 2_208_988_800 + int(fraction, 16) / 2**32
            lines.append((stamp, words))
    return lines


def begun(symbols: list[dict[str, object]]) -> Iterator[tuple[float, int]]:
    """(due, pitch) of each note that begins, lowest first."""
    held: set[int] = set()
    for symbol in symbols:
        now = set(symbol["notes"])  # type: ignore[call-overload]
        yield from ((float(symbol["due"]), p) for p in sorted(now - held))  # type: ignore[arg-type]
        held = now
