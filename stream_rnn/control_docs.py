"""Renews the table of controls in a page: `python -m stream_rnn.control_docs PAGE`.

PAGE is docs/protocol.md; the table is made of the rows of `control_table`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stream_rnn import page_tables
from stream_rnn.control_table import MAX_SEED, TABLE, Kind, Row
from stream_rnn.errors import DataError

HEAD = (
    "| name | values | fader | OSC | |",
    "|---|---|---|---|---|",
)
_VALUES: dict[Kind, str] = {
    "blend": 'a name, or `{"name": weight, …}`',
    "pitches": '`[60, 62, …]`, `"D dorian"`, or null',
}


def renewed(page: str) -> str:
    """A page with its table made anew.

    Raises:
        DataError: the page has no such table.
    """
    return page_tables.renewed(page, HEAD, lambda _: map(row_of, TABLE.values()), "controls")


def row_of(row: Row) -> str:
    """The row of a control, in Markdown."""
    if row.is_number:
        values = _range(*row.legal)
    elif row.choices:
        values = ", ".join(f'`"{word}"`' for word in row.choices)
    else:
        values = _VALUES[row.kind]
    fader = _range(row.fader.least, row.fader.most) if row.fader else "–"
    where = f" ({', '.join(f'`{domain}`' for domain in row.domains)})" if row.domains else ""
    return f"| `{row.name}` | {values} | {fader} | `{row.osc_type}` | {row.help}{where} |"


def _range(least: float, most: float) -> str:
    ends = ("2⁵³ − 1" if end == MAX_SEED else f"{end:,g}" for end in (least, most))
    return " to ".join(end.replace("-", "−") for end in ends)


def main(arguments: list[str]) -> int:
    """The command line; see the module."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    page = Path(arguments[0])
    try:
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
    except (OSError, DataError) as error:
        sys.stderr.write(f"{page}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
