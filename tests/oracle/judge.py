"""What differs between what was seen and what a past that was built again has. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Shown = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """Something that a stream's promise does not allow.

    Attributes:
        session: by its name in the round; empty where it is the server as a whole.
        what: in words.
    """

    session: str
    what: str

    def __str__(self) -> str:
        return f"{self.session}: {self.what}" if self.session else self.what


@dataclass(frozen=True)
class Sight:
    """That a client saw a symbol."""

    client: str
    n: int
    symbol: Shown


def compare(
    session: str, epoch: int, sights: Iterable[Sight], built: Mapping[int, Shown]
) -> list[Difference]:
    """The first symbol of each client that is not what it should be."""
    wrong: dict[str, Sight] = {}
    for sight in sights:
        first = wrong.get(sight.client)
        if sight.symbol != built.get(sight.n) and (first is None or sight.n < first.n):
            wrong[sight.client] = sight
    return [
        Difference(
            session,
            f"epoch {epoch}, symbol {sight.n}: {client} saw {sight.symbol}, "
            f"and it should be {built.get(sight.n)}",
        )
        for client, sight in sorted(wrong.items())
    ]
