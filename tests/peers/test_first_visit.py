"""The page as it is when somebody comes for the first time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from peers.chromium import Sight, browsing, marks

from stream_rnn.bench.serve import running_server

pytestmark = marks

SHIPPED = Path(__file__).parents[2] / "models"


def chosen(models: Path) -> Any:
    """The model that the page has chosen by itself."""
    with running_server(models) as (_, address), browsing() as browser:
        with Sight(browser, address) as sight:
            sight.until("page?.connected")
            return sight.page.get_by_label("Model", exact=True).input_value()


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
