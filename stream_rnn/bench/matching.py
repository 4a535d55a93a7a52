"""Matches received notes with those that were due: aligns two sequences of times.

This is done at the end, when both are complete. A note and its match are at most `PATIENCE` apart;
beyond that, one note was lost and another arrived unexpectedly.
"""

from __future__ import annotations

from collections.abc import Sequence

PATIENCE = 1.0  # seconds
_SKIP = PATIENCE / 2  # the cost of an unmatched note: two cost as much as a pair PATIENCE apart


def align(due: Sequence[float], came: Sequence[float]) -> list[tuple[float | None, float | None]]:
    """Pairs of (due, came) in order, with the least sum of distances; None for a missing partner.

    If as many came as were due, the notes are paired in order, unless a pair is too far apart.
    """
    if len(due) == len(came) and all(
        abs(c - d) <= PATIENCE for d, c in zip(due, came, strict=True)
    ):
        return list(zip(due, came, strict=True))
    return _cheapest(due, came)


def _cheapest(
    due: Sequence[float], came: Sequence[float]
) -> list[tuple[float | None, float | None]]:
    """An alignment as in edit distance: the least sum of distances and costs of unmatched notes."""
    costs = [[_SKIP * j for j in range(len(came) + 1)]]
    for i, moment in enumerate(due):
        row = [_SKIP * (i + 1)]
        for j, heard in enumerate(came):
            pair = costs[i][j] + abs(heard - moment)
            row.append(min(pair, costs[i][j + 1] + _SKIP, row[j] + _SKIP))
        costs.append(row)
    pairs: list[tuple[float | None, float | None]] = []
    i, j = len(due), len(came)
    while i or j:
        if i and j and costs[i][j] == costs[i - 1][j - 1] + abs(came[j - 1] - due[i - 1]):
            i, j = i - 1, j - 1
            pairs.append((due[i], came[j]))
        elif i and costs[i][j] == costs[i - 1][j] + _SKIP:
            i -= 1
            pairs.append((due[i], None))
        else:
            j -= 1
            pairs.append((None, came[j]))
    return pairs[::-1]
