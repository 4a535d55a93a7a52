"""Generated Markdown tables in pages that people write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from stream_rnn.errors import DataError


def renewed(
    page: str, head: Sequence[str], rows: Callable[[list[str]], Iterable[str]], of: str
) -> str:
    """A page with one of its tables made anew.

    Args:
        head: the table's first two lines.
        rows: makes the new rows, given the table's present lines.
        of: what the table lists, for the error.

    Raises:
        DataError: the page has no such table.
    """
    lines = page.split("\n")
    if head[0] not in lines:
        raise DataError(f"no table of {of} in it; it must begin {head[0]!r}")
    first = last = lines.index(head[0])
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    return "\n".join([*lines[:first], *head, *rows(lines[first:last]), *lines[last:]])
