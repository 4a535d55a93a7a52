"""Does the operations of a round to a server, by several clients, and keeps what they heard."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .client import Client
from .history import History, histories
from .judge import Difference
from .plan import LISTENERS, Operation, place
from .servers import ENGINE, Server
from .view import Message, View

ENCORE = 5  # symbols that each session has to go on with in the end


@dataclass
class Outcome:
    """What came of a round.

    Attributes:
        histories: of the sessions, by name.
        views: by client and session.
        found: what was wrong already.
        counts: of operations done, left out, refused, …
    """

    histories: dict[str, History] = field(default_factory=dict)
    views: dict[tuple[str, str], View] = field(default_factory=dict)
    found: list[Difference] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


async def perform(server: Server, operations: list[Operation], tag: str) -> Outcome:
    """Does the operations of a round.

    Args:
        tag: before the sessions' names, so that no other round has the same.
    """
    performance = _Performance(server, tag)
    try:
        await performance.perform(operations)
        await performance.finish()
    finally:
        server.go_on()
        await performance.leave()
    return performance.outcome()


class _Performance:
    def __init__(self, server: Server, tag: str) -> None:
        self._server, self._tag = server, tag
        self._clients: dict[str, Client] = {}
        self._driver: dict[str, Client] = {}  # by the session's name
        self._numbers = itertools.count(1_000_000)  # ids that are no operation's
        self._tasks: set[asyncio.Task[None]] = set()
        self._found: list[Difference] = []
        self.counts: Counter[str] = Counter()

    async def _client(self, name: str) -> Client:
        if name not in self._clients:
            self._clients[name] = Client(name, self._server.address)
            await self._clients[name].come()
        return self._clients[name]

    async def perform(self, operations: list[Operation]) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        for id, operation in enumerate(operations):
            if (wait := began + operation["at"] - clock()) > 0:
                await asyncio.sleep(wait)
            done = await self._do(id, operation)
            self.counts["operations" if done else "left out"] += 1
            self.counts[operation["do"]] += done

    async def _do(self, id: int, operation: Operation) -> bool:
        """Does one, if those whom it takes are there."""
        match operation["do"]:
            case "kill":
                return self._server.kill_engine()
            case "stop":
                stopped = self._server.stop_engine()
                if stopped:
                    self._begin(self._go_on(operation["seconds"]))
                return stopped
        client = await self._client(operation["by"])
        if not client.there:
            return False
        match operation["do"]:
            case "leave":
                client.there = False
                self._begin(self._leave(client, operation["how"], operation["back"]))
                return True
            case "deaf":
                self._begin(self._sleep(client, operation["seconds"]))
                return True
        return await self._ask(id, client, operation)

    async def _ask(self, id: int, client: Client, operation: Operation) -> bool:
        """What has to do with a session."""
        name, do = self._tag + operation["session"], operation["do"]
        if do == "open":
            self._driver[name] = client
            named = {k: operation[k] for k in ("model", "controls", "seed", "prime", "play")}
            await client.say(id, "open", session=name, **named)
            return True
        driver = self._driver.get(name)
        if driver is None or not driver.there or self._refused(name, driver):
            return False
        came_to = driver.came_to(name)
        match do:
            case "attach":
                await self._attach(id, client, name, operation["after"])
            case "control":
                await client.say(id, do, session=name, controls=operation["controls"],
                                 at=operation["quantum"])  # fmt: skip
            case "model":
                await client.say(id, "control", session=name, controls=operation["controls"],
                                 model=operation["model"])  # fmt: skip
            case "feed":
                await client.say(id, do, session=name, symbols=operation["symbols"],
                                 in_time=operation["in_time"])  # fmt: skip
            case "rewind":
                await client.say(id, do, session=name, to=place(operation["to"], came_to))
            case "fork":
                fork = self._tag + operation["fork"]
                self._driver[fork] = client
                where = operation["place"]  # none: the present
                at = {} if where is None else {"at": place(where, came_to)}
                await client.say(id, do, session=name, **at, **{"as": fork})
            case "step":
                await client.say(id, do, session=name, count=operation["count"])
            case "play" | "pause" | "reset":
                await client.say(id, do, session=name)
        return True

    def _refused(self, name: str, driver: Client) -> bool:
        """Whether there was no room for the session, when it was opened or its driver came back."""
        view = driver.views.get(name)
        return not (view and view.there) and not any(
            request.get("session") == name or request.get("as") == name
            for request in driver.asked.values()
        )

    async def _attach(self, id: int, client: Client, name: str, after: str) -> None:
        view = client.views.get(name)
        if after == "last" and view is not None and view.next is not None:
            await client.say(id, "attach", session=name, after=view.next - 1, epoch=view.epoch)
        elif after == "live":
            await client.say(id, "attach", session=name)
        else:
            await client.say(id, "attach", session=name, after=-1)

    # What takes a while

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _go_on(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._server.go_on()

    async def _sleep(self, client: Client, seconds: float) -> None:
        client.awake.clear()
        await asyncio.sleep(seconds)
        client.awake.set()

    async def _leave(self, client: Client, how: str, back: float) -> None:
        """Goes when all is answered that was asked, so that its log is whole; and comes back."""
        await self._settle()
        await client.say(next(self._numbers), "ping", t0=0)
        if not await client.until(lambda: not client.asked):
            return  # which will be told in the end
        await client.go(how)
        await asyncio.sleep(back)
        await client.come()
        client.there = False  # to the operations; it is busy
        for name, view in client.views.items():
            if view.next is not None:
                await self._attach(next(self._numbers), client, name, "last")
        await client.until(lambda: not client.asked)
        client.there = True

    async def _settle(self) -> bool:
        """Waits until everybody has been answered; returns whether that is so."""
        answered = True
        for client in list(self._clients.values()):
            answered &= await client.until(lambda client=client: not client.asked)  # type: ignore[misc]
        return answered

    # The end of a round

    async def finish(self) -> None:
        """Everybody comes back; each session goes on for a little; one who comes last sees all."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        if not await self._server.engine_comes():
            self._find({}, f"no engine within {ENGINE:g} s")
        await self._settle()
        for client in self._clients.values():
            for request in client.asked.values():
                self._find(request, f"{client.name} was not answered: {request}")
        if self._found:
            return
        sessions = {n: d for n, d in self._driver.items() if not self._refused(n, d)}
        await self._encore(sessions)
        await self._see_all(sessions)
        for name, driver in sessions.items():
            await driver.say(next(self._numbers), "close", session=name)
        await self._settle()

    async def _encore(self, sessions: dict[str, Client]) -> None:
        for name, driver in sessions.items():
            await driver.say(next(self._numbers), "pause", session=name)
        await self._settle()
        goal = {}
        for name, driver in sessions.items():
            goal[name] = driver.came_to(name) + ENCORE
            await driver.say(next(self._numbers), "step", session=name, count=ENCORE)
        for name, driver in sessions.items():
            if not await driver.until(lambda n=name, d=driver: d.came_to(n) >= goal[n]):  # type: ignore[misc]
                came_to = driver.came_to(name)
                self._find({"session": name}, f"stands still at {came_to}, asked for {goal[name]}")

    async def _see_all(self, sessions: dict[str, Client]) -> None:
        witness = await self._client("witness")
        for name in sessions:
            await self._attach(next(self._numbers), witness, name, "all")
        for name, driver in sessions.items():

            def there(n: str = name, d: Client = driver) -> bool:
                return witness.came_to(n) >= d.came_to(n)

            if not await witness.until(there):
                what = f"the witness came to {witness.came_to(name)} of {driver.came_to(name)}"
                self._find({"session": name}, what)

    async def leave(self) -> None:
        """Ends all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._clients.values():
            client.awake.set()
            with contextlib.suppress(AttributeError):  # it had not come yet
                await client.go()

    def _find(self, request: Message, what: str) -> None:
        self._found.append(Difference(request.get("session", "").removeprefix(self._tag), what))

    def outcome(self) -> Outcome:
        """What came of it."""
        outcome = Outcome(found=self._found, counts=self.counts)
        for name, client in self._clients.items():
            outcome.found += [Difference("", problem) for problem in client.problems]
            outcome.counts["refused"] += sum(client.refused.values())
            for code, count in client.refused.items():
                outcome.counts[f"refused {code}"] += count
            for session, view in client.views.items():
                outcome.views[name, session.removeprefix(self._tag)] = view
            if name not in LISTENERS:
                for session, history in histories(client.heard).items():
                    if self._driver.get(session) is client:
                        outcome.histories[session.removeprefix(self._tag)] = history
        for session, history in outcome.histories.items():
            outcome.found += [Difference(session, problem) for problem in history.problems]
        for (name, session), view in outcome.views.items():
            for problem in view.problems:
                outcome.found.append(Difference(session, f"to {name}: {problem}"))
        return outcome
