"""Judges what came of a round: each past is built again on another server."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .judge import Difference, Sight, compare
from .perform import Outcome
from .rebuild import CannotBuild, build_all
from .script import script
from .servers import Server


@dataclass
class Judgement:
    """What came of a round.

    Attributes:
        counts: of operations, sessions, pasts, symbols that were compared, …
    """

    differences: list[Difference]
    counts: Counter[str]


async def judge(
    outcome: Outcome, other: Server, tag: str, defaults: Mapping[str, Mapping[str, Any]]
) -> Judgement:
    """Compares every symbol that anybody saw with the same past, built again.

    Args:
        tag: before the sessions' names, new for each round.
        defaults: the controls that each model begins with.
    """
    sights: dict[tuple[str, int], list[Sight]] = defaultdict(list)
    for (client, session), view in outcome.views.items():
        for (epoch, n), symbols in view.seen.items():
            sights[session, epoch] += [Sight(client, n, symbol) for symbol in symbols]
    scripts = {}
    differences = list(outcome.found)
    for (session, epoch), seen in sights.items():
        history = outcome.histories.get(session)
        if history is None or epoch not in history.pasts:
            differences.append(Difference(session, f"symbols of epoch {epoch}, never told of"))
            continue
        length = 1 + max(sight.n for sight in seen)
        name = f"{tag}{session}-{epoch}"
        scripts[name] = session, epoch, script(history.pasts[epoch], length, defaults)
    built = await build_all(other.address, [(n, s) for n, (_, _, s) in scripts.items()])
    counts = outcome.counts.copy()
    counts["sessions"] += len(outcome.histories)
    for name, (session, epoch, _) in scripts.items():
        again = built[name]
        if isinstance(again, CannotBuild):
            differences.append(Difference(session, f"epoch {epoch} cannot be built again: {again}"))
            continue
        seen = sights[session, epoch]
        counts["pasts"] += 1
        counts["symbols"] += len(seen)
        differences += compare(session, epoch, seen, again)
    return Judgement(differences, counts)
