"""The page as it is when somebody comes for the first time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stream_rnn.bench.serve import running_server

sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SHIPPED = Path(__file__).parents[2] / "models"

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium"),
]


def chosen(models: Path) -> Any:
    """The model that the page has chosen by itself."""
    with running_server(models) as (_, address), sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("() => window.streamRnn.connected", timeout=20_000)
        value = page.get_by_label("Model", exact=True).input_value()
        browser.close()
        return value


@pytest.mark.parametrize(
    ("there", "first"),
    [
        (["death-metal", "lyrics", "star-trek"], "lyrics"),
        (["star-trek", "death-metal"], "death-metal"),
    ],
)
def test_a_first_visit_opens_lyrics_or_else_the_first(
    there: list[str], first: str, tmp_path: Path
) -> None:
    for name in there:
        (tmp_path / name).symlink_to(SHIPPED / name, target_is_directory=True)
    assert chosen(tmp_path) == first
