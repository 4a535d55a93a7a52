"""How to build a past again on another server: what to ask of a paused session, in order. No I/O.

There are no rewinds in it, but for one: what another model was primed with is the server's choice,
so that a part of it can only be had by going back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .history import Fed, Past


@dataclass(frozen=True)
class Open:
    """Opens the session; `expected` are the controls that have to be answered."""

    model: str
    controls: dict[str, Any]
    seed: int
    prime: Sequence[Any]
    expected: dict[str, Any]


@dataclass(frozen=True)
class Renew:
    """Lets another model take over."""

    model: str
    controls: dict[str, Any]
    expected: dict[str, Any]


@dataclass(frozen=True)
class Cut:
    """Goes back to a position, if it is further."""

    to: int


@dataclass(frozen=True)
class Step:
    """Steps until there are so many symbols, if there are fewer."""

    to: int


@dataclass(frozen=True)
class Change:
    """Changes controls."""

    changes: dict[str, Any]
    expected: dict[str, Any] | None


@dataclass(frozen=True)
class Feed:
    """Feeds symbols."""

    symbols: Sequence[Any]


Request = Open | Renew | Cut | Step | Change | Feed


def script(past: Past, length: int, defaults: Mapping[str, Mapping[str, Any]]) -> Iterator[Request]:
    """What to ask so that a session has the first symbols of a past.

    Args:
        length: how many.
        defaults: the controls that each model begins with. Those are not asked for: an even blend
            of 26 artists that is named becomes another one, by the last bit.
    """
    if past.renewal is None:
        usual = defaults[past.model]
        asked = {k: v for k, v in past.asked.items() if k not in usual or v != usual[k]}
        seed = asked.pop("seed", 0)
        prime = past.prime if past.cut is None else past.prime[: past.cut]
        yield Open(past.model, asked, seed, prime, past.controls)
    else:
        yield from script(past.renewal.past, past.renewal.length, defaults)
        yield Renew(past.model, past.asked, past.controls)
        if past.cut is not None:
            yield Cut(past.cut)
    changes = [c for c in past.changes if c.position <= length]
    fed = [f for whole in past.fed for f in _parts(whole, [c.position for c in changes], length)]
    # What changes at a position holds for the symbol that is fed there.
    for entry in sorted([*changes, *fed], key=lambda entry: entry.position):
        yield Step(entry.position)
        if isinstance(entry, Fed):
            yield Feed(entry.symbols)
        else:
            yield Change(entry.changes, entry.controls)
    yield Step(length)


def _parts(fed: Fed, positions: Sequence[int], length: int) -> Iterator[Fed]:
    """What was fed at once and stands before `length`, in parts where controls changed in it."""
    start, end = fed.position, min(fed.position + len(fed.symbols), length)
    for stop in sorted({p for p in positions if start < p < end} | {end}):
        if start < stop:
            yield Fed(start, fed.symbols[start - fed.position : stop - fed.position])
        start = stop
