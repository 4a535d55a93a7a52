"""The rigs for Max, Open Stage Control and Tidal, as far as they can be tried without them.

The script for Max is run for real, by Node with npm's `osc`; of the others every address that they
send is put to the server's own parser.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers.programs import Program, Served, needs, program, stream_rnn, until
from peers.rigs import CLIENTS, Listener, check_steering

from stream_rnn.cli import _parser
from stream_rnn.wire.osc_requests import requests


def accepted(address: str, *arguments: str | float) -> None:
    """Holds that the server knows what to do with a message."""
    assert requests(address, arguments, ["main"])


# Max


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with stream_rnn(models, tmp_path_factory.mktemp("log") / "log") as it:
        yield it


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script in a folder where `npm install osc` was run, as the rig says."""
    folder = tmp_path_factory.mktemp("max")
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "osc@2.4.5"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        pytest.skip(f"npm cannot install osc here: {done.stderr[-300:]}")
    return Path(shutil.copy(CLIENTS / "max" / "stream_rnn.js", folder))


@contextlib.contextmanager
def max_rig(script: Path, served: Served, session: str, model: str) -> Iterator[Program]:
    """The script, playing, with a terminal in place of Max."""
    settings = [f"port={served.osc}", f"session={session}", f"model={model}"]
    with program(["node", script, *settings], script.parent / f"{session}.log") as it:
        it.wait(r"^(char|note) ", 20)
        yield it


@pytest.mark.peer
@needs("node", "npm")
def test_max_plays_a_text_and_steers_it(served: Served, script: Path) -> None:
    with (
        Listener(served, "words", "verse") as viewer,
        max_rig(script, served, "words", "verse") as it,
    ):
        check_steering(
            it,
            viewer,
            lambda: it.type("temperature 0.25\n"),
            lambda: it.type('artist "Ada" 1 "Bo" 3\n'),
        )
        it.type("temperature hot\n")
        it.wait(r"^error bad_")
    viewer.agree_on_characters(it.find(r"^char ([\s\S]) (\d+)$"))


@pytest.mark.peer
@needs("node", "npm")
def test_max_plays_notes_until_it_is_paused(served: Served, script: Path) -> None:
    with (
        Listener(served, "keys", "roll") as viewer,
        max_rig(script, served, "keys", "roll") as it,
    ):
        it.wait(r"^note ", 40)
        it.type("pause\n")
        until(lambda: viewer.of("paused"))
        until(lambda: len(it.find(r"^note \d+ 0 ")) == len(it.find(r"^note \d+ [1-9]")))
    viewer.agree_on_notes(it.find(r"^note (\d+) (\d+) "))


def test_the_patch_for_max_holds_together() -> None:
    """Every cord ends at an inlet that is there, and what its messages ask for is known."""
    patcher = json.loads((CLIENTS / "max" / "stream_rnn.maxpat").read_text())["patcher"]
    boxes = {box["box"]["id"]: box["box"] for box in patcher["boxes"]}
    for line in patcher["lines"]:
        (source, outlet), (target, inlet) = line["patchline"].values()
        assert 0 <= outlet < boxes[source]["numoutlets"]
        assert 0 <= inlet < boxes[target]["numinlets"]
    messages = [box["text"] for box in boxes.values() if box["maxclass"] == "message"]
    assert len(messages) == 4
    for message in messages:
        action, *words = shlex.split(message.replace("$1", "0.4"))
        values = [float(w) if re.fullmatch(r"[\d.]+", w) else w for w in words]
        accepted(f"/rnn/main/{action}", *values)
    assert (CLIENTS / "max" / boxes["script"]["text"].split()[1]).exists()


# Open Stage Control


def widgets(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All widgets in a widget, itself included."""
    yield node
    for inside in [*node.get("widgets", []), *node.get("tabs", [])]:
        yield from widgets(inside)


def test_the_server_knows_what_the_faders_and_buttons_send() -> None:
    session = json.loads((CLIENTS / "open_stage_control" / "stream_rnn.json").read_text())
    assert session["type"] == "session"
    everything = list(widgets(session["content"]))
    assert len({w["id"] for w in everything}) == len(everything)
    faders = [w for w in everything if w["type"] == "fader"]
    assert len(faders) == 6
    for fader in faders:
        for value in (fader["range"]["min"], 0.37, fader["range"]["max"]):
            if fader.get("bypass"):  # it sends by its script
                accepted(*sent_by(fader["onValue"], value))
            else:
                accepted(fader["address"], float(value))
    buttons = [w for w in everything if w["type"] == "button"]
    assert len(buttons) == 7
    for button in buttons:
        accepted(button["address"], button["on"])
    assert {w["target"] for w in faders + buttons} == {"127.0.0.1:8766"}


def sent_by(script: str, value: float) -> list[Any]:
    """What `send(target, address, arguments…)` sends."""
    found = re.fullmatch(r"send\('127.0.0.1:8766', (.*)\)", script)
    assert found
    words = [word.strip() for word in found[1].split(",")]
    numbers = {"value": value, "1 - value": 1 - value}
    return [numbers[word] if word in numbers else word.strip("'") for word in words]


# Tidal


def test_the_server_knows_what_tidal_sends() -> None:
    text = (CLIENTS / "tidal" / "stream_rnn.hs").read_text()
    shapes = re.findall(r'rnnTo "(\w+)"\s*\[(.*?)\]', text, re.DOTALL)
    assert {action for action, _ in shapes} >= {"open", "temperature", "artist", "pause", "play"}
    words = {"rnnopen": "lyrics", "rnnone": "Ada", "rnntwo": "Bo"}
    for action, arguments in shapes:
        names = re.findall(r'"(\w+)"', arguments)
        accepted(f"/rnn/main/{action}", *(words.get(name, 0.5) for name in names))
        for name in names:  # and some pattern says it
            assert re.search(rf'p{"S" if name in words else "F"} "{name}"', text), name
    assert text.count(":{") == text.count(":}") == 2
    assert "oPort = 8766" in text


# systemd


@pytest.mark.peer
@needs("systemd-analyze")
def test_systemd_takes_the_unit_and_the_program_its_command(tmp_path: Path) -> None:
    program_there = tmp_path / ".venv" / "bin" / "stream-rnn"
    program_there.parent.mkdir(parents=True)
    program_there.touch(0o755)
    text = (CLIENTS / "systemd" / "stream-rnn.service").read_text()
    unit = tmp_path / "stream-rnn.service"
    unit.write_text(text.replace("/opt/stream-rnn", str(tmp_path)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", unit], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    commands = re.findall(r"(?:ExecStart=\S+/|^#.*: )stream-rnn (.*)", text, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        _parser().parse_args(command.split())
