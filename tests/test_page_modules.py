"""The page's modules that need no browser, by Node's own test runner: see tests/page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from peers.programs import needs

PAGE = Path(__file__).parent / "page"
MODULES = Path(__file__).parents[1] / "clients" / "web" / "js"

# Modules that draw, sound or listen to a page's elements: tests/peers/test_browser.py and
# tests/peers/test_page_access.py try them in a real browser.
BROWSERS = {
    "audio", "band-view", "clipboard", "event-roll", "frame-roll", "lead-pad", "main", "panel",
    "pointer", "roll-view", "screen", "tab-view", "text-view", "toast", "touch-view", "views",
    "wake-lock",
}  # fmt: skip


def test_every_module_is_tried_here_or_in_a_browser() -> None:
    tests = "".join(file.read_text() for file in PAGE.glob("*.test.js"))
    tried = set(re.findall(r'web/js/([\w-]+)\.js"', tests))
    assert tried | BROWSERS == {file.stem for file in MODULES.glob("*.js")}
    assert not tried & BROWSERS


@pytest.mark.peer
@needs("node")
def test_modules_of_the_page() -> None:
    files = sorted(str(file) for file in PAGE.glob("*.test.js"))
    done = subprocess.run(["node", "--test", *files], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"^. pass (\d+)", done.stdout, re.M)[0]) > 50
