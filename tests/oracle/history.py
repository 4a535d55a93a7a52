"""What the messages about a session tell of its pasts. No I/O.

One client hears a session from its beginning on: its *driver*. What it asked for it finds by the
answers' `id`; what others asked for, everybody is told. While it is away, nobody asks anything of
the session, so that it misses symbols and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .view import Message

TEMPO = ("rate", "bpm")


@dataclass(frozen=True)
class Change:
    """Controls that changed at a position: to what, and all that was in force then, if told."""

    position: int
    changes: dict[str, Any]
    controls: dict[str, Any] | None


@dataclass(frozen=True)
class Fed:
    """Symbols that were fed: the position of the first, and what they were, an element each."""

    position: int
    symbols: Sequence[Any]


@dataclass(frozen=True)
class Renewal:
    """Another model took over: from which past, when that had how many symbols."""

    past: Past
    length: int


@dataclass(frozen=True)
class Past:
    """A past of a session, as what is acknowledged of it says.

    Attributes:
        model: by name.
        controls: at position 0, as acknowledged.
        asked: the controls that were asked for there.
        prime: what was fed at position 0, as it was asked for; empty where a model took over.
        renewal: where that is so.
        cut: what is left of what it was primed with, in symbols, after a rewind into that.
        changes: of controls, in order.
        fed: in order.
    """

    model: str
    controls: dict[str, Any]
    asked: dict[str, Any]
    prime: Sequence[Any] = ""
    renewal: Renewal | None = None
    cut: int | None = None
    changes: tuple[Change, ...] = ()
    fed: tuple[Fed, ...] = ()

    def truncated(self, position: int) -> Past:
        """What is left of it after a rewind, or in a fork."""
        fed = [
            Fed(f.position, f.symbols[: position - f.position])
            for f in self.fed
            if f.position < position
        ]
        return replace(
            self,
            cut=position if self.cut is None else min(self.cut, position),
            changes=tuple(c for c in self.changes if c.position <= position),
            fed=tuple(fed),
        )

    @property
    def latest(self) -> dict[str, Any]:
        """The controls in force after all of its changes."""
        controls = self.controls
        for change in self.changes:
            if change.controls is None:
                controls = {**controls, **change.changes}
            else:
                controls = change.controls
        return {name: value for name, value in controls.items() if value is not None}


@dataclass
class Pending:
    """A change that was told of and had not come into force when last heard of."""

    position: int
    changes: dict[str, Any]


@dataclass
class History:
    """The pasts of one session, by epoch, as its driver hears of them.

    Attributes:
        pasts: by epoch.
        now: the epoch of the present one.
        position: how far the session has come, as far as has been told.
        problems: where what is acknowledged does not agree with itself, in words.
    """

    pasts: dict[int, Past] = field(default_factory=dict)
    now: int = 0
    position: int = 0
    pending: list[Pending] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def past(self) -> Past:
        """The present one."""
        return self.pasts[self.now]

    @property
    def overdue(self) -> list[Pending]:
        """Changes that should have come into force by now, and were not told to."""
        return [p for p in self.pending if p.position <= self.position]

    def fork(self, at: int) -> History:
        """What a fork begins with."""
        return History({0: self.past.truncated(at)}, position=at)

    def hear(self, message: Message, answers: Message | None = None) -> None:
        """The next message about the session that its driver hears.

        Args:
            answers: the request that it answers, if it is one of the driver's.
        """
        position = message.get("position", 0)
        match message["type"]:
            case "opened":
                self._opened(message, answers)
            case "controlled" if message.get("pending"):
                self._cancel(message)
                self.pending.append(Pending(position, _named(message)))
            case "controlled":
                self._cancel(message)
                self._reach(position)
                self._in_force(position, _named(message), message["controls"])
            case "fed":
                self._reach(position)
                symbols = answers["symbols"] if answers else ()
                start = position - len(symbols)
                self._put(fed=(*self.past.fed, Fed(start, symbols)))
            case "rewound":
                self.pasts[message["epoch"]] = self.past.truncated(position)
                self.now, self.position, self.pending = message["epoch"], position, []
                self._agree(message["controls"], f"rewound to {position}")
            case "reset":
                controls = self.past.latest
                self.pasts[message["epoch"]] = Past(self.past.model, controls, controls)
                # How long the old past was, another model needs to know, which takes over now.
                self._ended = Renewal(self.past, self.position)
                self.now, self.position, self.pending = message["epoch"], 0, []
            case "symbol":
                self._reach(message["n"] + 1)
            case "gap":
                self._reach(message["before"])
            case "playing" | "paused":
                self._reach(position)

    _ended: Renewal | None = None

    def _opened(self, message: Message, answers: Message | None) -> None:
        controls, epoch, asked = message["controls"], message["epoch"], answers or {}
        if not self.pasts:
            self.pasts[epoch] = Past(
                message["model"],
                controls,
                {**asked.get("controls", {}), "seed": message["seed"]},
                asked.get("prime", ""),
            )
            self.now = epoch
        elif asked.get("type") == "control":
            self.pasts[epoch] = Past(
                message["model"], controls, asked["controls"], renewal=self._ended
            )
        elif epoch != self.now:
            self.problems.append(f"opened in epoch {epoch}, which should be {self.now}")
        else:
            self._come_back(message["position"], controls)

    def _come_back(self, position: int, controls: dict[str, Any]) -> None:
        """The driver, or somebody for it, hears where the session is: what was pending and lies
        behind that has come into force.
        """
        for pending in sorted(self.pending, key=lambda p: p.position):
            if pending.position <= position:
                self._in_force(pending.position, pending.changes, None)
        self._reach(position)
        self._agree(controls, f"opened at {position}")

    def _in_force(
        self, position: int, changes: dict[str, Any], controls: dict[str, Any] | None
    ) -> None:
        # A change that was pending is told again when it holds.
        self.pending = [p for p in self.pending if p.position > position]
        self._put(changes=(*self.past.changes, Change(position, changes, controls)))

    def _cancel(self, message: Message) -> None:
        for gone in message.get("cancelled", ()):
            for pending in self.pending:
                if pending.position == gone["position"]:
                    for name in gone["changed"]:
                        pending.changes.pop(name, None)
        self.pending = [p for p in self.pending if p.changes]

    def _put(self, **changed: Any) -> None:
        self.pasts[self.now] = replace(self.past, **changed)

    def _reach(self, position: int) -> None:
        self.position = max(self.position, position)

    def _agree(self, controls: dict[str, Any], when: str) -> None:
        expected = self.past.latest
        differ = sorted(
            name
            for name in expected.keys() | controls.keys()
            if expected.get(name) != controls.get(name)
        )
        if differ:
            told = {name: controls.get(name) for name in differ}
            logged = {name: expected.get(name) for name in differ}
            self.problems.append(f"{when}: controls {told}, where the log says {logged}")


class Histories(dict[str, History]):
    """The histories of the sessions that a driver opened or forked, by name."""

    def hear(self, message: Message, answers: Message | None = None) -> None:
        """The next message that the driver hears.

        Args:
            answers: the request that it answers, if it is one of the driver's.
        """
        name = message.get("session")
        if name is None or message["type"] == "error":
            return
        if message["type"] == "opened" and answers and answers["type"] == "fork":
            self[name] = self[answers["session"]].fork(message["position"])
        if message["type"] == "opened" or name in self:
            self.setdefault(name, History()).hear(message, answers)


def histories(heard: Iterable[tuple[Message, Message | None]]) -> Histories:
    """What all that a driver was told says, in order."""
    found = Histories()
    for message, answers in heard:
        found.hear(message, answers)
    return found


def _named(message: Message) -> dict[str, Any]:
    """The controls that a `controlled` names, with what they are from there on."""
    names = set(message["changed"])
    if names & set(TEMPO):
        names |= set(TEMPO)
    return {name: message["controls"].get(name) for name in sorted(names)}
