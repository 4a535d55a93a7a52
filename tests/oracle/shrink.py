"""Shorter lists that still fail. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from typing import Any

Operation = dict[str, Any]
Shrinking = Generator[list[Operation], bool, list[Operation]]
SHORT = 0.1  # seconds
TOGETHER = ("session", "by", "do")


def shrink(operations: Sequence[Operation], suspects: Collection[str] = ()) -> Shrinking:
    """Looks for some of the operations that fail as the whole list does, as few as can be.

    After Zeller and Hildebrandt's ddmin (2002), beginning with what belongs together: sessions,
    clients, the engine's troubles.

    Args:
        suspects: sessions that failed; perhaps it takes no others.

    Yields:
        a list to try; it is sent whether that fails.

    Returns:
        The shortest that failed.
    """
    best = list(operations)
    for everywhere in (False, True):  # the engine, and who comes and goes
        theirs = [o for o in best if _concerns(o, suspects) or (everywhere and "session" not in o)]
        if theirs and len(theirs) < len(best) and (yield theirs):
            best = theirs
            break
    for kind in TOGETHER:
        for value in sorted({str(o.get(kind)) for o in best}):
            left = [o for o in best if str(o.get(kind)) != value]
            if left and len(left) < len(best) and (yield left):
                best = left
    # With less time between them: a try takes as long as they do.
    quick = yield hurried(best)
    if quick:
        best = hurried(best)
    size = len(best) // 2
    while size:
        for part in _without(best, size):
            part = hurried(part) if quick else part
            if part and (yield part):
                best = part
                break
        else:
            size //= 2
    return best


def ancestry(operations: Sequence[Operation], sessions: set[str]) -> set[str]:
    """Some sessions, and those that they are forks of."""
    found = set(sessions)
    for operation in reversed(operations):  # a fork comes after its parent
        if operation.get("fork") in found:
            found.add(operation["session"])
    return found


def _without(operations: list[Operation], size: int) -> Iterator[list[Operation]]:
    """The list without one stretch of so many, the last stretch first: what comes late may
    have come after the fault.
    """
    for start in range((len(operations) - 1) // size * size, -1, -size):
        yield operations[:start] + operations[start + size :]


def _concerns(operation: Operation, sessions: Collection[str]) -> bool:
    return operation.get("session") in sessions


def hurried(operations: Sequence[Operation]) -> list[Operation]:
    """The same with no long waits in it."""
    quick, before, at = [], 0.0, 0.0
    for operation in operations:
        at += min(operation["at"] - before, SHORT)
        before = operation["at"]
        quick.append({**operation, "at": round(at, 3)})
    return quick
