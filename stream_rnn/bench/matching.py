"""Which note on the wire is which of those that were due: two sequences of moments, aligned.

Done when all is over and both are complete. A note is no further from its moment than `PATIENCE`;
beyond that, one was lost and another came that nobody sent.
"""

from __future__ import annotations

from collections.abc import Sequence

PATIENCE = 1.0  # seconds
_SKIP = PATIENCE / 2  # so that two of these are worth one pair so far apart


def align(due: Sequence[float], came: Sequence[float]) -> list[tuple[float | None, float | None]]:
    """Pairs of (due, came) in order, one of them none where the other has no partner.

    With as little distance in all as can be. Where as many came as were due, that is each in
    its turn, unless one is too far away.
    """
    if len(due) == len(came) and all(
        abs(c - d) <= PATIENCE for d, c in zip(due, came, strict=True)
    ):
        return list(zip(due, came, strict=True))
    return _cheapest(due, came)


def _cheapest(
    due: Sequence[float], came: Sequence[float]
) -> list[tuple[float | None, float | None]]:
    """As one corrects spelling: by the least sum of distances and of what is left alone."""
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
