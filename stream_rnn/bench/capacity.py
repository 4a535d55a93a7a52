"""`stream-rnn bench capacity`: how many sessions, and how many viewers, this machine holds.

A number holds if `HOLDS` is kept to: symbols arrive in time and none is lost. It is found by short
runs, each with a server of its own: more and more until one does not hold, then between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stream_rnn.bench.audience import bench_audience
from stream_rnn.bench.serve import bench_serve
from stream_rnn.errors import StreamRnnError
from stream_rnn.train.curves import COLOURS, new_figure

HOLDS = 10.0  # milliseconds of lateness at p99
FIRST = {"sessions": 50, "viewers": 200}
MOST = {"sessions": 8000, "viewers": 16_000}  # no more is tried
NEAR = 0.1  # what is found lies at most this share below the least that does not hold
BOUNDS = {"sessions": 1000, "viewers": 4000}  # meant for two cores that are otherwise idle

Run = Callable[[int], dict[str, Any]]


def bench_capacity(
    *,
    models: Path,
    model: str | None,
    rate: float,
    seconds: float,
    picture: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Runs the measurement; see `describe` for what the result says.

    An interrupt ends it early, with what has been found so far.

    Args:
        picture: the file to draw.
        tell: called with a line about each number that was tried.

    Raises:
        StreamRnnError: there is no such model, or nothing can be drawn.
    """
    given: dict[str, Any] = {"models": models, "model": model, "rate": rate, "seconds": seconds}
    runs: dict[str, Run] = {
        "sessions": lambda count: bench_serve(**given, sessions=count),
        "viewers": lambda count: bench_audience(**given, viewers=count),
    }
    if picture is not None:
        new_figure((1, 1))  # or all would be measured in vain
    result: dict[str, Any] = {"rate": rate, "seconds": seconds, "interrupted": False}
    try:
        for kind, run in runs.items():
            tried: list[dict[str, Any]] = []
            result[kind] = {"most": 0, "tried": tried}
            for count in _search(tried, FIRST[kind], MOST[kind]):
                tried.append(_try(kind, count, run))
                tell(_line(kind, tried[-1]))
                result[kind]["most"] = most_of(tried)
    except KeyboardInterrupt:
        result["interrupted"] = True
    if picture is not None:
        draw(result, picture)
        result["picture"] = str(picture)
    return result


def _search(tried: Sequence[dict[str, Any]], first: int, most: int) -> Iterator[int]:
    """The numbers to try, one after the other; the results so far are in `tried`."""
    while True:
        low, high = most_of(tried), least_too_many(tried)
        if high is None:
            if low >= most:
                return
            yield min(most, 2 * low or first)
        elif high - low <= max(1, NEAR * high):
            return
        else:
            yield (low + high) // 2


def most_of(tried: Sequence[dict[str, Any]]) -> int:
    """The highest number that held, below the least that did not; 0 if there is none."""
    high = least_too_many(tried)
    held = [t["count"] for t in tried if t["holds"] and (high is None or t["count"] < high)]
    return max(held, default=0)


def least_too_many(tried: Sequence[dict[str, Any]]) -> int | None:
    """The least number that did not hold."""
    return min((t["count"] for t in tried if not t["holds"]), default=None)


def _try(kind: str, count: int, run: Run) -> dict[str, Any]:
    try:
        result = run(count)
    except StreamRnnError as error:
        if count == FIRST[kind]:
            raise  # not for want of room
        return {"count": count, "holds": False, "p99_ms": None, "why": str(error)}
    late = result["lateness_ms"]["p99"]
    per = result["symbols_per_session" if kind == "sessions" else "symbols_per_viewer"]
    missing = result["lost"] + result["doubled"] + (per["least"] < per["expected"] - 1)
    holds = late is not None and late <= HOLDS and not missing
    said = {"count": count, "holds": holds, "p99_ms": late, "busy": result["busy"]}
    return said if not missing else {**said, "why": "symbols were lost or doubled"}


def _line(kind: str, tried: dict[str, Any]) -> str:
    why = f" ({tried['why']})" if "why" in tried else ""
    found = "hold" if tried["holds"] else "are too many"
    return f"{tried['count']:>6,} {kind} {found}: p99 {tried['p99_ms']} ms{why}"


def draw(result: dict[str, Any], picture: Path) -> None:
    """Draws lateness by the number of sessions and of viewers, as PNG or SVG."""
    figure = new_figure((8, 4.2))
    for axes, kind, colour in zip(
        figure.subplots(1, 2, sharey=True), ("sessions", "viewers"), COLOURS, strict=False
    ):
        found = result.get(kind, {"most": 0, "tried": []})
        points = sorted(
            (t["count"], t["p99_ms"]) for t in found["tried"] if t["p99_ms"] is not None
        )
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, marker="o", ms=4)
        axes.axhline(HOLDS, color="#888888", lw=0.8, ls="--")
        axes.set(xlabel=kind, title=f"{found['most']:,} {kind} hold")
        # Far beyond what holds, lateness has no meaning, and would flatten all the rest.
        axes.set_ylim(-25, 40)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if kind == "sessions":
            axes.set_ylabel("ms late at p99 (below 0: early)")
    figure.savefig(picture, dpi=120)


def breaches(result: dict[str, Any]) -> list[str]:
    """The bounds, meant for an idle machine, that this result misses; a line for each."""
    if result["interrupted"]:
        return ["it was interrupted, so nothing is known for certain"]
    return [
        f"{result[kind]['most']} {kind} hold, not {bound}"
        for kind, bound in BOUNDS.items()
        if result[kind]["most"] < bound
    ]


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    lines = [f"at {result['rate']:g} symbols a second, p99 at most {HOLDS:g} ms late, none lost:"]
    for kind in FIRST:
        if kind in result:
            lines.append(f"  {result[kind]['most']:>6,} {kind}")
            tried = sorted(result[kind]["tried"], key=lambda t: int(t["count"]))
            lines += [f"    {_line(kind, one)}" for one in tried]
    if result["interrupted"]:
        lines.append("  interrupted: what was not tried may hold, too")
    if "picture" in result:
        lines.append(f"  drawn: {result['picture']}")
    return "\n".join(lines)
