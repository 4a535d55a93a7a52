"""The built wheel in an empty environment, away from the clone.

It installs torch anew, which takes a minute where a wheel of it is at hand and gigabytes where it
is not, so it runs where STREAM_RNN_INSTALL is set, as in `.ci/run`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from talker import Talker

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(not os.environ.get("STREAM_RNN_INSTALL"), reason="STREAM_RNN_INSTALL unset"),
    pytest.mark.timeout(1200),
]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and a folder to be in that has nothing to do with it."""

    bin: Path
    elsewhere: Path

    def command(self, name: str, *arguments: str) -> list[str]:
        return [str(self.bin / name), *arguments]

    def run(self, name: str, *arguments: str) -> str:
        done = subprocess.run(
            self.command(name, *arguments),
            cwd=self.elsewhere,
            env=clean(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def clean() -> dict[str, str]:
    """The environment without what would lead to the clone."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}


def pip(python: Path | str, *arguments: str | Path) -> None:
    command: Sequence[str | Path] = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, env=clean(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    pip(sys.executable, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("stream_rnn-*-py3-none-any.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    here = Installed(folder / "venv" / "bin", folder / "elsewhere")
    here.elsewhere.mkdir()
    pip(here.bin / "python", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel)
    return here


def test_it_is_the_wheel_and_lacks_nothing(installed: Installed) -> None:
    where = installed.run("python", "-c", "import stream_rnn; print(stream_rnn.__file__)")
    assert Path(where.strip()).is_relative_to(installed.bin.parent)
    pip(installed.bin / "python", "check")


def test_lyrics_are_sampled(installed: Installed) -> None:
    said = installed.run("stream-rnn", "sample", "lyrics", "--length", "200", "--seed", "1")
    assert len(said.split()) > 20


def test_the_page_and_the_models_are_served(installed: Installed) -> None:
    command = installed.command("stream-rnn", "serve", "--port", "0", "--no-osc")
    with subprocess.Popen(
        command, cwd=installed.elsewhere, env=clean(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "listening on " in line
            address = line.split("listening on ")[1].strip()
            with urllib.request.urlopen(f"{address}/") as response:
                page = response.read().decode()
            scripts = re.findall(r'src="([^"]+\.js)"', page)
            assert scripts
            for script in scripts:
                with urllib.request.urlopen(f"{address}/{script.lstrip('./')}") as response:
                    assert "javascript" in response.headers["content-type"]
            with urllib.request.urlopen(f"{address}/v1/models") as response:
                names = {model["name"] for model in json.load(response)["models"]}
            assert names == {path.parent.name for path in (ROOT / "models").glob("*/card.json")}
            with Talker(address) as talker:
                talker.ask("open", "opened", model="lyrics", controls={"rate": 100})
                assert [m["n"] for m in talker.symbols(20)] == list(range(20))
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
