"""The table of models in docs/models.md, and the program that makes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stream_rnn.checkpoint import Card, find_models, read_card, write_card
from stream_rnn.errors import DataError
from stream_rnn.nets.architecture import Architecture
from stream_rnn.train.table import HEAD, main, renewed, row_of

ROOT = Path(__file__).parents[2]
PAGE = "# Models\n\n{table}\n\nmore\n"


def card(name: str, nll: float = 1.25) -> Card:
    return Card(
        name=name,
        title="Made up",
        codec={"domain": "text", "characters": "ab"},
        architecture=Architecture(4, 0, 64, 2, "categorical", "mi-lstm").to_json(),
        training={
            "seconds": 600,
            "symbols": 2_000_000,
            "epochs": 3.06,
            "hardware": "NVIDIA H200",
        },
        scores={"test": {"nll": nll}},
        weights={"bytes": 400_000},
    )


def test_rows_are_made_of_cards_and_what_stands_beside_is_kept() -> None:
    old = "\n".join([*HEAD, "| `b` | x | x | x | **9** | 1.1, theirs [^a] |", "| `gone` | x | — |"])
    page = renewed(PAGE.format(table=old), [card("a"), card("b", 1.5)])
    made = "| text | 2 × 64 MI-LSTM, 0.4 MB | 10 min on H200, 2.0 M symbols, 3.1 epochs |"
    rows = [f"| `b` {made} **1.500** | 1.1, theirs [^a] |", f"| `a` {made} **1.250** | — |"]
    assert page == PAGE.format(table="\n".join([*HEAD, *rows]))
    assert renewed(page, [card("a"), card("b", 1.5)]) == page


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        (
            {"layers": 1, "hidden": 8, "cell": "lstm", "head_hidden": 4},
            "1 × 8 LSTM, NADE of 4, 0.4",
        ),
        ({"layers": 1, "hidden": 8, "cell": "tanh", "head_hidden": 0}, "1 × 8 tanh, 0.4 MB"),
        ({"cell": "markov", "order": 5}, "markov of order 5, 0.4 MB"),
        ({"cell": "unigram", "order": 0}, "unigram, 0.4 MB"),
    ],
)
def test_heads_and_baselines_say_what_they_are(architecture: dict[str, object], said: str) -> None:
    assert said in row_of(replace(card("a"), architecture=architecture))


def test_a_page_without_the_table_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match="no table of models"):
        renewed("# Models\n", [])
    (tmp_path / "page.md").write_text("nothing")
    assert main([str(tmp_path / "page.md"), str(tmp_path)]) == 1
    assert "page.md: no table of models" in capsys.readouterr().err
    assert main([]) == 2


def test_the_page_is_written_in_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(table="\n".join(HEAD)))
    (tmp_path / "models" / "a").mkdir(parents=True)
    write_card(tmp_path / "models" / "a", card("a"))
    assert main([str(page), str(tmp_path / "models")]) == 0
    assert "| `a` | text |" in page.read_text()


def test_the_page_agrees_with_the_cards() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    cards = [read_card(folder) for folder in find_models(ROOT / "models").values()]
    assert renewed(page, cards) == page, "run: python -m stream_rnn.train.table docs/models.md"
