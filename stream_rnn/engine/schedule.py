"""Which sessions to step, and when: earliest deadline first, in full batches where time allows.

A step of sixteen rows takes less than twice as long as a step of one, so work is gathered into a
batch while no deadline is near. A session near its deadline is stepped at once, without the
others, because a step of fewer rows is done sooner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Choice:
    """`slots` to step now, or none and the time to ask again: `wake`, perhaps infinite.

    `deadline` is the earliest of all ready slots. `gathering` is whether the ready slots that are
    not stepped now go on waiting for a fuller batch.
    """

    slots: NDArray[np.int64]
    wake: float
    deadline: float
    gathering: bool = False


_NONE = np.zeros(0, np.int64)


def choose(
    ready: NDArray[np.int64],
    deadlines: NDArray[np.float64],
    *,
    now: float,
    since: float,
    batch: int,
    margin: float,
    batch_window: float,
) -> Choice:
    """Chooses the most urgent sessions, up to a batch of them.

    Args:
        ready: slots with credit left.
        deadlines: the deadline of each slot, in seconds on the engine's clock.
        now: the current time on that clock.
        since: when work began to wait.
        batch: the most rows of a batch.
        margin: a slot whose deadline is closer than this, in seconds, is stepped at once.
        batch_window: the longest that work may wait for a fuller batch, in seconds.
    """
    if not len(ready):
        return Choice(_NONE, np.inf, np.inf)
    first = float(deadlines.min())
    if len(ready) < batch:
        wake = min(since + batch_window, first - margin)
        if now < wake:
            return Choice(_NONE, wake, first)
        if now < since + batch_window:
            hurried = ready[deadlines - margin <= now]
            return Choice(hurried, now, first, gathering=len(hurried) < len(ready))
        return Choice(ready, now, first)
    if len(ready) > batch:
        # Among equal deadlines the lower slot goes first, so the same load keeps the same order.
        ready = ready[np.argsort(deadlines, kind="stable")[:batch]]
    return Choice(ready, now, first)
