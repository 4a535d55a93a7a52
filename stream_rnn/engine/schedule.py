"""Which sessions to step, and when: earliest deadline first, in full tiles where time allows.

A step of sixteen rows takes less than twice as long as a step of one, so while no deadline is
near, work may collect. What is near a deadline is stepped at once, and without the rest: the
fewer the rows, the sooner it is done.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Choice:
    """`slots` to step now, or (none) the time to ask again: `wake`, perhaps infinite.

    `collecting` is whether others go on collecting meanwhile.
    """

    slots: NDArray[np.int64]
    wake: float
    deadline: float
    collecting: bool = False


_NONE = np.zeros(0, np.int64)


def choose(
    ready: NDArray[np.int64],
    deadlines: NDArray[np.float64],
    *,
    now: float,
    since: float,
    tile: int,
    near: float,
    collect: float,
) -> Choice:
    """The most urgent sessions, up to a tile of them.

    Args:
        ready: slots with credit left.
        deadlines: of each of them, in seconds on the engine's clock.
        since: when work began to collect.
        tile: the rows of a tile.
        near: a deadline closer than this is stepped for at once, in seconds.
        collect: the longest that work may collect, in seconds.
    """
    if not len(ready):
        return Choice(_NONE, np.inf, np.inf)
    first = float(deadlines.min())
    if len(ready) < tile:
        wake = min(since + collect, first - near)
        if now < wake:
            return Choice(_NONE, wake, first)
        if now < since + collect:
            hurried = ready[deadlines - near <= now]
            return Choice(hurried, now, first, collecting=len(hurried) < len(ready))
        return Choice(ready, now, first)
    if len(ready) > tile:
        # Ties go to the lower slot, so that the same load is stepped in the same order.
        ready = ready[np.argsort(deadlines, kind="stable")[:tile]]
    return Choice(ready, now, first)
