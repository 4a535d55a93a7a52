"""A house with everything small, an engine in trouble, and clients who check what they are told.

What a client checks at once: symbols are numbered without a hole, are due at the rate and never
handed out earlier than they may be, and a control is obeyed from the very next symbol or at the
next beat. What the symbols are is compared with the log, by `TroubledHouse.differences`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from oracle.history import Histories
from oracle.judge import Sight, compare
from oracle.recompute import Recomputer, controls_by_position
from oracle.view import Message, View, shown
from support import Ear, House, make_categorical_model, make_roll_model, make_text_model

from stream_rnn.checkpoint import read_card
from stream_rnn.codecs.performance import PerformanceCodec
from stream_rnn.engine.client import InlineEngine
from stream_rnn.engine.library import load_kernel
from stream_rnn.engine.messages import Command, EngineEvent, Failed
from stream_rnn.sessions.flow import Timing
from stream_rnn.stage.limits import Limits
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events

ROLLBACK = 8
PRIME = 40
# All that is a matter of hundreds of symbols, in tens: what happens when a limit is reached happens
# to short sessions, too. A part of a past holds a snapshot at least, by which the engine asks for
# the next part.
SMALL = {
    "stream_rnn.engine.slots.SNAPSHOT_EVERY": 16,
    "stream_rnn.engine.credit.PROMPT": 8,
    "stream_rnn.engine.credit.RESTORED": 24,
    "stream_rnn.sessions.course.PART": 32,
    "stream_rnn.sessions.course.AHEAD": 64,
    "stream_rnn.sessions.course.FORKS": 6,
    "stream_rnn.sessions.epochs.KEPT": 4,
    "stream_rnn.sessions.journal.APART": 32,
    "stream_rnn.sessions.journal.SNAPSHOTS": 4,
    "stream_rnn.sessions.session.EVICTED_HISTORY": 50,
    "stream_rnn.sessions.session.LONG_FEED": 12,
    "stream_rnn.stage.commits.LONG_FEED": 12,
    "stream_rnn.stage.link.MOST_WAITING": 4,
    "stream_rnn.stage.opening.PRIME": PRIME,
}
LIMITS = Limits(sessions=4, history=200, idle_pause=1.0, idle_away=2.0)
SLIGHT = 1e-6  # seconds
# What may be refused: one cannot know how far back a session can go.
REFUSALS = {"bad_position", "bad_state", "bad_value", "unknown_control", "too_many_sessions"}


@contextlib.contextmanager
def everything_small() -> Iterator[None]:
    """While limits and windows are small; the rollback window is `ROLLBACK`.

    And while models are loaded once, and not by each engine: that would be most of the time.
    """
    read = cache(read_card)
    kernel = cache(lambda folder: load_kernel(folder, read(folder)))
    loaded = {
        "support.read_card": read,
        "stream_rnn.engine.library.read_card": read,
        "stream_rnn.engine.library.check_model": read,
        "stream_rnn.engine.library.load_kernel": lambda folder, card, device: kernel(folder),
    }
    with contextlib.ExitStack() as stack:
        for name, value in {**SMALL, **loaded}.items():
            stack.enter_context(mock.patch(name, value))
        yield


def make_small_models(root: Path) -> Path:
    """Two text models of one alphabet, one of piano rolls and one that keeps its own time."""
    make_text_model(root / "verse", hidden=8)
    make_text_model(root / "prose", hidden=8, layers=2)
    make_roll_model(root / "roll", hidden=8, layers=1)
    make_categorical_model(root / "piano", PerformanceCodec())
    return root


class TroubledEngine(InlineEngine):
    """An engine behind a pipe in which messages may be held up, both ways.

    Attributes:
        has_no_room: whether the stage is told to wait with its commands, while it is held up.
        failures: what it could not do.
    """

    def __init__(
        self,
        make: Any,
        on_events: Callable[[Sequence[EngineEvent]], None],
        on_death: Callable[[], None],
    ) -> None:
        super().__init__(make, self._say, on_death)
        self._deliver = on_events
        self._commands: list[Sequence[Command]] = []
        self._events: list[Sequence[EngineEvent]] = []
        self.held = self.has_no_room = False
        self.failures: list[str] = []

    @property
    def lives(self) -> bool:
        return self._core is not None

    def send(self, commands: Sequence[Command]) -> None:
        if self.held:
            self._commands.append(commands)
        else:
            super().send(commands)

    def has_room(self) -> bool:
        return not (self.held and self.has_no_room)

    def _say(self, said: Sequence[EngineEvent]) -> None:
        self.failures += [event.message for event in said if isinstance(event, Failed)]
        if self.held:
            self._events.append(said)
        else:
            self._deliver(said)

    def hold_up(self, has_room: bool) -> None:
        """From now on nothing arrives, either way."""
        self.held, self.has_no_room = True, not has_room

    def go_away(self, client: Client) -> None:
        """A client leaves without a word."""
        self.stage.leave(client, self.clock.now())
        for view in client.views.values():
            view.there = False

    def attach(self, client: Client, session: str, after: str = "last") -> None:
        """A client comes, for `all` of a past, for what comes `live`, or where it was `last`."""
        view = client.views[session]
        if after == "last" and view.next is not None:
            self.ask(client, "attach", session=session, after=view.next - 1, epoch=view.epoch)
        elif after == "live":
            self.ask(client, "attach", session=session)
        else:
            self.ask(client, "attach", session=session, after=-1)

    def let_through(self, commands_first: bool) -> None:
        """All arrives that was held up."""
        if commands_first:
            self._receive()
        self._be_heard()
        self.held = False
        self._receive()
        self._be_heard()

    def _receive(self) -> None:
        waiting, self._commands = self._commands, []
        for commands in waiting:
            super().send(commands)

    def _be_heard(self) -> None:
        waiting, self._events = self._events, []
        for said in waiting:
            self._deliver(said)

    def kill(self) -> None:
        self._be_heard()  # a pipe is read to its end
        self.held, self._commands = False, []
        super().kill()


class Client(Ear):
    """A client who notes everything, and checks what it can.

    Attributes:
        seen: symbols that have not been compared yet: session, epoch, number, what it was.
        spans: times between symbols that have not been compared: of one, of the one before it,
            and the latest that the former may be due at.
    """

    def __init__(self, house: TroubledHouse, name: str) -> None:
        super().__init__()
        self.house, self.name = house, name
        self.views: dict[str, View] = defaultdict(View)
        self.histories = Histories()
        self.asked: dict[int, Message] = {}
        self.seen: list[tuple[str, int, int, Message]] = []
        self.spans: list[tuple[str, Message, Message, float]] = []
        self.problems: list[str] = []
        self._before: dict[str, Message] = {}  # the latest symbol of who plays undisturbed
        self._plays: set[str] = set()

    def position(self, session: str) -> int:
        """How many symbols a session has, as far as the client knows."""
        return self.views[session].next or 0

    def tell(self, event: events.Event) -> None:
        self._hear(json.loads(event.json))

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        message = json.loads(event.json)
        self._is_on_time(message, self.house.clock.now())
        self._hear(message)

    def _hear(self, message: Message) -> None:
        self.messages.append(message)
        answers = self.asked.pop(message["id"], None) if "id" in message else None
        kind, name = message["type"], message.get("session", "")
        if kind == "error":
            self.house.counts[f"refused: {message['code']}"] += 1
            if message["code"] not in REFUSALS or answers is None:
                self.problems.append(f"was told {message}")
            return
        if kind == "closed" and "reason" in message:
            self.problems.append(f"was told {message}")
        if kind == "controlled":
            self._is_obeyed_soon(message, answers)
        if kind in ("playing", "paused", "opened", "reset", "rewound", "fed"):
            self._before.pop(name, None)
        if kind in ("playing", "paused", "opened"):
            plays = kind == "playing" or message.get("playing", False)
            (self._plays.add if plays else self._plays.discard)(name)
        if kind == "symbol":
            self.seen.append((name, message.get("epoch", 0), message["n"], shown(message)))
        view = self.views[name]
        view.hear(message, answers)
        self.problems += [f"{name}: {problem}" for problem in view.problems]
        view.problems.clear()
        if self.house.driver is self:
            self.histories.hear(message, answers)

    def _is_on_time(self, message: Message, now: float) -> None:
        name, due = message["session"], message["due"]
        if message.get("fed") or name not in self._plays:
            self._before.pop(name, None)
            return
        ahead = self.house.timing.commit_ahead + SLIGHT
        if due > now + ahead:
            self.problems.append(f"{name}: {message} is told {due - now:.3f} s before it is due")
        before = self._before.get(name)
        if before is not None:
            self.spans.append((name, message, before, now + ahead))
        self._before[name] = message

    def _is_obeyed_soon(self, message: Message, answers: Message | None) -> None:
        name, at, position = message["session"], (answers or {}).get("at"), message["position"]
        behind = position - self.position(name)
        soon = behind <= 0 if not message.get("pending") else behind > 0
        if at == "now":
            soon = behind == 0
        elif at is not None and self.house.grid(name, at):
            grid = self.house.grid(name, at)
            soon = 0 <= behind < grid and position % grid == 0
        if not soon and self.views[name].there:
            self.problems.append(f"{name}: at {self.position(name)} was told {message}")


class TroubledHouse(House):
    """A house whose engine may die or be held up, and which compares symbols with the log.

    Args:
        recomputer: of the same models.

    Attributes:
        driver: the client who opens all sessions, and whose log is the acknowledged one.
        counts: of symbols compared, requests, refusals.
    """

    engine_type = TroubledEngine
    slots = 2 * LIMITS.sessions
    engine: TroubledEngine

    def __init__(self, models: Path, recomputer: Recomputer) -> None:
        super().__init__(models, limits=LIMITS, rollback=ROLLBACK)
        self.recomputer, self.timing, self.counts = recomputer, Timing(), Counter[str]()
        self.driver = Client(self, "driver")
        self.clients = [self.driver, Client(self, "dora"), Client(self, "emil")]
        self._ids = itertools.count(1)
        self._swept = self.clock.now()

    def ask(self, client: Client, type: str, **fields: Any) -> None:
        """A request with an `id`."""
        self.counts[type] += 1
        id = next(self._ids)
        client.asked[id] = {"type": type, **fields}
        self.say(client, type, id=id, **fields)
        if type == "step":  # what answers that are the symbols
            client.asked.pop(id, None)
        if client.asked:
            client.problems.append(f"was not answered: {client.asked.popitem()}")

    def grid(self, session: str, at: str) -> int:
        """How many symbols a beat or a bar has; 0 where symbols keep their own time."""
        own = self.driver.histories[session].past.model == "piano"
        return 0 if own else 4 if at == "beat" else 16

    def pass_time(self, seconds: float, step: float, works: bool = True) -> None:
        """Lets time pass.

        Args:
            works: whether the engine does anything meanwhile.
        """
        end = self.clock.now() + seconds - SLIGHT
        while self.clock.now() < end:
            if works:
                self.engine.pump(self.clock.now())
            self.clock.advance(step)
            self.stage.tick(self.clock.now())
            if self.clock.now() - self._swept >= 1.0:
                self._swept = self.clock.now()
                self.stage.sweep(self._swept)

    def go_away(self, client: Client) -> None:
        """A client leaves without a word."""
        self.stage.leave(client, self.clock.now())
        for view in client.views.values():
            view.there = False

    def attach(self, client: Client, session: str, after: str = "last") -> None:
        """A client comes, for `all` of a past, for what comes `live`, or where it was `last`."""
        view = client.views[session]
        if after == "last" and view.next is not None:
            self.ask(client, "attach", session=session, after=view.next - 1, epoch=view.epoch)
        elif after == "live":
            self.ask(client, "attach", session=session)
        else:
            self.ask(client, "attach", session=session, after=-1)

    def let_through(self, commands_first: bool = False) -> None:
        """What was held up between stage and engine arrives."""
        self.engine.let_through(commands_first)
        self.stage.engines.flush(self.clock.now())

    def bring_engine(self) -> None:
        """Another engine in the place of the one that died."""
        self.start_engine()
        self.regain_engine()

    # What is wrong

    def differences(self) -> list[str]:
        """What is wrong with what came since the last time."""
        found = [f"the engine failed: {failure}" for failure in self.engine.failures]
        sights: dict[tuple[str, int], list[Sight]] = defaultdict(list)
        for client in self.clients:
            found += [f"{client.name} {problem}" for problem in client.problems]
            for name, epoch, n, symbol in client.seen:
                sights[name, epoch].append(Sight(client.name, n, symbol))
            found += [late for span in client.spans if (late := self._span(*span))]
            client.seen, client.spans = [], []
        for (name, epoch), seen in sights.items():
            past = self.driver.histories[name].pasts[epoch]
            again = self.recomputer.shown(past, 1 + max(sight.n for sight in seen))
            found += [str(difference) for difference in compare(name, epoch, seen, again)]
            self.counts["symbols"] += len(seen)
        for name, history in self.driver.histories.items():
            found += [f"{name}: {problem}" for problem in history.problems]
            found += [f"{name}: never told to hold: {pending}" for pending in history.overdue]
        return found

    def _span(self, name: str, message: Message, before: Message, latest: float) -> str | None:
        past = self.driver.histories[name].pasts[message.get("epoch", 0)]
        held = [c for n, c in controls_by_position(past) if n <= message["n"]][-1]
        own = past.model == "piano"
        usual = before["due"] + (0.0 if own else 1 / held["rate"])
        if usual - SLIGHT <= message["due"] <= (latest if own else max(usual + SLIGHT, latest)):
            return None
        return f"{name}: {message} is due {message['due'] - usual:+.6f} s from when it should be"
