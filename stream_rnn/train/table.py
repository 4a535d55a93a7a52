"""Makes the table of models from their cards: `python -m stream_rnn.train.table PAGE [MODELS]`.

It replaces the table in PAGE (docs/models.md) by one of the models in the folder MODELS (models).
The last column, `beside`, is written by hand and kept, and so is the order of the rows. A new
model comes last.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from stream_rnn import page_tables
from stream_rnn.checkpoint import Card, find_models, read_card
from stream_rnn.errors import DataError, StreamRnnError

HEAD = (
    "| model | domain | network | training | test, nats a symbol | beside |",
    "|---|---|---|---|---|---|",
)
_ROW = re.compile(r"\| `(?P<name>[^`]+)` \|.*\| (?P<beside>[^|]*) \|")


def renewed(page: str, cards: Iterable[Card]) -> str:
    """The page with a new table.

    Raises:
        DataError: the page has no such table.
    """
    known = {card.name: card for card in cards}

    def rows(lines: list[str]) -> list[str]:
        before = {m["name"]: m["beside"] for m in map(_ROW.fullmatch, lines) if m}
        names = [*(n for n in before if n in known), *(n for n in known if n not in before)]
        return [f"{row_of(known[name])} {before.get(name, '—')} |" for name in names]

    return page_tables.renewed(page, HEAD, rows, "models")


def row_of(card: Card) -> str:
    """A model's row without its last column."""
    score = card.scores.get("test", {}).get("nll")
    cells = (
        f"`{card.name}`",
        card.codec["domain"],
        _network(card),
        _training(card),
        "—" if score is None else f"**{score:.3f}**",
    )
    return f"| {' | '.join(cells)} |"


def _network(card: Card) -> str:
    shape, size = card.architecture, f"{card.weights.get('bytes', 0) / 1e6:.1f} MB"
    cell = shape.get("cell", "lstm")
    if "hidden" not in shape:  # a baseline
        order = f" of order {shape['order']}" if shape.get("order") else ""
        return f"{cell}{order}, {size}"
    kind = cell if cell == "tanh" else cell.upper()
    head = f", NADE of {shape['head_hidden']}" if shape.get("head_hidden") else ""
    return f"{shape['layers']} × {shape['hidden']} {kind}{head}, {size}"


def _training(card: Card) -> str:
    made = card.training
    if "seconds" not in made or "epochs" not in made:
        return "counted"
    read = f"{made['symbols'] / 1e6:.1f} M symbols, {made['epochs']:.1f} epochs"
    on = made.get("hardware", "").partition(",")[0].removeprefix("NVIDIA ")
    return f"{max(1, round(made['seconds'] / 60))} min on {on or 'a CPU'}, {read}"


def main(arguments: list[str]) -> int:
    """The command line; see the module."""
    if not 1 <= len(arguments) <= 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    page, models = Path(arguments[0]), Path(*arguments[1:] or ["models"])
    try:
        cards = [read_card(folder) for folder in find_models(models).values()]
        page.write_text(renewed(page.read_text(encoding="utf-8"), cards), encoding="utf-8")
    except DataError as error:
        sys.stderr.write(f"{page}: {error}\n")
        return 1
    except (OSError, StreamRnnError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
