import pytest

from stream_rnn.errors import DataError
from stream_rnn.page_tables import renewed

HEAD = ("| a | b |", "|---|---|")
PAGE = "# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nText.\n"


def test_a_table_is_made_anew_and_the_rest_stays() -> None:
    page = renewed(PAGE, HEAD, lambda old: ["| 3 | 4 |", "| 5 | 6 |"], "figures")
    assert page == "# Title\n\n| a | b |\n|---|---|\n| 3 | 4 |\n| 5 | 6 |\n\nText.\n"


def test_rows_are_made_of_the_table_as_it_stands() -> None:
    assert renewed(PAGE, HEAD, lambda old: old[2:], "figures") == PAGE


def test_a_table_at_the_end_of_a_page_without_rows() -> None:
    assert renewed("| a | b |\n|---|---|", HEAD, lambda old: ["| 1 | 2 |"], "figures") == (
        "| a | b |\n|---|---|\n| 1 | 2 |"
    )


def test_a_page_without_the_table_is_refused() -> None:
    with pytest.raises(DataError, match=r"no table of figures in it.*\| a \| b \|"):
        renewed("# Title\n", HEAD, lambda old: [], "figures")
