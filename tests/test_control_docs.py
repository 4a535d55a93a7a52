"""The table of controls in docs/protocol.md, and what makes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_rnn.control_docs import HEAD, main, renewed, row_of
from stream_rnn.control_table import TABLE
from stream_rnn.errors import DataError

PROTOCOL = Path(__file__).parents[1] / "docs" / "protocol.md"


def test_the_table_in_the_documentation_is_that_of_the_rows() -> None:
    page = PROTOCOL.read_text(encoding="utf-8")
    assert renewed(page) == page, "run: python -m stream_rnn.control_docs docs/protocol.md"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bpm", "| 0.1 to 12,000 | 40 to 240 | `f` |"),
        ("transpose", "| −48 to 48 | −24 to 24 | `i` |"),
        ("seed", "| 0 to 2⁵³ − 1 | – | `i` |"),
        ("sync", '| `"free"`, `"link"`, `"midi"` | – | `s` |'),
        ("pitches", "or null | – | `s` |"),
    ],
)
def test_a_row_says_what_is_legal_and_what_a_fader_wants(name: str, values: str) -> None:
    assert values in row_of(TABLE[name])


def test_a_page_is_written_in_place_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("\n".join(["before", *HEAD, "| `gone` | 1 |", "", "after"]))
    assert main([str(page)]) == 0
    lines = page.read_text(encoding="utf-8").split("\n")
    assert lines == ["before", *HEAD, *map(row_of, TABLE.values()), "", "after"]
    page.write_text("nothing")
    with pytest.raises(DataError, match="no table of controls"):
        renewed("nothing")
    assert main([str(page)]) == 1 and "page.md: no table" in capsys.readouterr().err
    assert main([]) == 2
