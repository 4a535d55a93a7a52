"""Asks the oracle; see the package's own words."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from .judge import Difference
from .judgement import Judgement, judge
from .perform import Outcome, perform
from .plan import Model, Operation, make_round
from .servers import MODELS, Server, served, some_models
from .shrink import ancestry, shrink

ROUND = 10.0  # seconds of operations
EVERY = 5.0  # seconds between two lines that tell how it goes
LIMITS = ("--max-sessions", "18")  # so that who is not listened to gives way


class Oracle:
    """The servers of a run, and what it has found.

    Attributes:
        counts: of all rounds.
        differences: of all rounds.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.counts: Counter[str] = Counter()
        self.differences: list[Difference] = []
        self.began = time.monotonic()
        self._told = 0.0
        self._stack = contextlib.ExitStack()
        self._tags = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """With the servers there."""
        options = self.options
        with self._stack:
            self._folder = self._stack.enter_context(some_models(options.models))
            options.out.mkdir(parents=True, exist_ok=True)
            self._log: IO[str] = self._stack.enter_context((options.out / "server.log").open("w"))
            with ThreadPoolExecutor() as threads:  # each takes its seconds to start
                started = threads.map(self._start, ((), LIMITS))
                self._other, self._server = started
            self._other.give_way()  # what it builds is not in a hurry, and the engine played is
            yield

    def _start(self, limits: Iterable[str]) -> Server:
        return self._stack.enter_context(served(self._folder, *limits, said=self._log))

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    def models(self) -> list[Model]:
        """The models that are played."""
        with urllib.request.urlopen(f"{self._other.address}/v1/models") as answer:
            said = json.load(answer)["models"]
        self.defaults = {model["name"]: model["controls"] for model in said}
        return [Model.of(model) for model in said]

    async def perform(self, operations: list[Operation]) -> Outcome:
        """Does the operations of a round."""
        if not self._server.runs:
            self._server = self._start(LIMITS)
        self._tags += 1
        outcome = await perform(self._server, operations, self.tag)
        if not self._server.runs:
            code = self._server.process.returncode
            outcome.found.append(Difference("", f"the server ended, with {code}"))
        return outcome

    @property
    def tag(self) -> str:
        """Before the sessions' names of the latest round."""
        return f"r{self._tags}-"

    def judge(self, outcome: Outcome) -> asyncio.Task[Judgement]:
        """Judges what came of the latest round, while the next is done."""
        return asyncio.create_task(judge(outcome, self._other, self.tag, self.defaults))

    async def round(self, operations: list[Operation]) -> Judgement:
        """Does a round, and judges it."""
        return await self.judge(await self.perform(operations))

    def add(self, judgement: Judgement) -> None:
        """Counts what came of a round."""
        self.counts += judgement.counts
        self.counts["rounds"] += 1
        self.differences += judgement.differences

    def tell(self, *, now: bool = False) -> None:
        """How it goes, every few seconds."""
        if now or self.seconds - self._told > EVERY:
            self._told = self.seconds
            say(f"{self.seconds:6.0f} s  {self.summary()}")

    def summary(self) -> str:
        """What has been done so far, and found."""
        names = ("rounds", "operations", "sessions", "pasts", "symbols", "kill", "stop")
        counted = ", ".join(f"{self.counts[name]:,} {WORDS.get(name, name)}" for name in names)
        return f"{counted}; {len(self.differences)} differences"


WORDS = {"symbols": "symbols compared", "kill": "kills", "stop": "times held still"}


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Runs it.

    Returns:
        0: nothing differs; 1: something does; 130: interrupted.
    """
    options = _options()
    oracle = Oracle(options)
    interrupted = False
    with oracle.running():
        models = oracle.models()
        oracle.began = time.monotonic()  # of the first round
        try:
            asyncio.run(_replay(oracle) if options.replay else _search(oracle, models))
        except KeyboardInterrupt:
            interrupted = True
    say(
        f"{'interrupted after' if interrupted else 'in'} {oracle.seconds:.0f} s: {oracle.summary()}"
    )
    (options.out / "counts.json").write_text(json.dumps(oracle.counts))
    done = sorted((k, v) for k, v in oracle.counts.items() if v)
    say("  " + ", ".join(f"{name} {count:,}" for name, count in done))
    return 1 if oracle.differences else 130 if interrupted else 0


async def _search(oracle: Oracle, models: list[Model]) -> None:
    options = oracle.options
    earlier: tuple[int, list[Operation], asyncio.Task[Judgement]] | None = None
    number = 0
    while True:
        number += 1
        left = options.seconds - oracle.seconds
        length = min(ROUND, options.seconds)
        operations = make_round(
            f"{options.seed}/{number}", models, length, kills=not options.no_kills
        )
        round = asyncio.create_task(oracle.perform(operations)) if left > 1.0 else None
        if earlier is not None:
            done, earlier_operations, task = earlier
            judgement = await task
            oracle.add(judgement)
            oracle.tell(now=bool(judgement.differences))
            if judgement.differences:
                if round is not None:
                    round.cancel()
                    await asyncio.wait({round})
                name = f"seed-{options.seed}-round-{done}"
                await _report(oracle, judgement, earlier_operations, name)
                if len(oracle.differences) >= options.most:
                    return
                earlier = None
                continue
        if round is None:
            return
        outcome = await round
        earlier = number, operations, oracle.judge(outcome)


async def _replay(oracle: Oracle) -> None:
    operations = json.loads(oracle.options.replay.read_text())["operations"]
    for _ in range(oracle.options.times):
        judgement = await oracle.round(operations)
        oracle.add(judgement)
        oracle.tell(now=True)
        if judgement.differences:
            await _report(oracle, judgement, operations, oracle.options.replay.stem)
            return


async def _report(
    oracle: Oracle, judgement: Judgement, operations: list[Operation], name: str
) -> None:
    """Says what differs, and looks for fewer operations of which something does."""
    for difference in judgement.differences[:5]:
        say(f"  {difference}")
    path = oracle.options.out / f"{name}.json"
    _write(path, operations, judgement.differences)
    say(f"  {len(operations)} operations: {path}")
    if oracle.options.shrink <= 0:
        return
    shortest, found = operations, judgement.differences
    short = path.with_suffix(".short.json")
    end = time.monotonic() + oracle.options.shrink
    shrinking = shrink(operations, ancestry(operations, {d.session for d in found}))
    some = next(shrinking)
    with contextlib.suppress(StopIteration):
        while time.monotonic() < end:
            fails = False
            for _ in range(oracle.options.tries):
                if differences := (await oracle.round(some)).differences:
                    fails, shortest, found = True, some, differences
                    say(f"  {len(some)} operations still fail")
                    _write(short, shortest, found)
                    break
            some = shrinking.send(fails)
    say(f"  the shortest found, {len(shortest)} operations: {short}")
    for operation in shortest[:60]:
        say(f"    {json.dumps(operation)[:200]}")
    for difference in found[:3]:
        say(f"  {difference}")


def _write(path: Path, operations: list[Operation], differences: list[Difference]) -> None:
    kept: dict[str, Any] = {"differences": [str(d) for d in differences], "operations": operations}
    path.write_text(json.dumps(kept, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=lambda text: text.split(","), default=MODELS,
                        help="bundled ones, or folders (" + ",".join(MODELS) + ")")  # fmt: skip
    parser.add_argument("--no-kills", action="store_true", help="leave the engine alone")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="the operations of a file")
    parser.add_argument("--times", type=int, default=3, help="to replay it at most (%(default)s)")
    parser.add_argument("--shrink", type=float, default=180.0, metavar="SECONDS",
                        help="for a shorter list; 0: none (%(default)s)")  # fmt: skip
    parser.add_argument("--tries", type=int, default=2, help="of a shorter list (%(default)s)")
    parser.add_argument("--most", type=int, default=1, help="differences to end at (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/oracle"),
                        help="folder for what fails (%(default)s)")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
