"""The stage's end of the conversation with one engine: turns what sessions need into messages."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from msgspec.structs import astuple

from stream_rnn.codecs.base import ints_from_bytes
from stream_rnn.engine.messages import Batch, Caution, Close, Command, Credits, Open, Plan, Ready
from stream_rnn.sessions.session import Session
from stream_rnn.stage.suspicion import Suspicion

MOST_WAITING = 32  # commands of a session that wait for room
GATHER = 0.005  # seconds in which renewed credits are gathered; look-ahead is much longer
AT_ONCE = 64  # commands that are sent before the engine is asked again whether it has room


class Computer(Protocol):
    """What a link needs of an engine; see `engine.client.Engine`."""

    def send(self, commands: Sequence[Command]) -> None:
        """Hands over commands; never waits."""

    def has_room(self) -> bool:
        """Whether it takes more commands now; `EngineLink.flush` is called when it does again."""


class EngineLink:
    """Gathers commands until `flush`. While the engine is down they are dropped.

    While the engine has no room for more they wait here. For each session at most `MOST_WAITING`
    wait; more are replaced by one plan that begins the session anew.

    Attributes:
        up: whether the engine is there.
        heard: when the engine last sent something.
        ready: what the engine said of itself when it was started last.
        left_out: models that it could not load, and why.
        sessions: how many sessions it has.
        suspicion: finds out which of them it dies of, if it dies again and again.
    """

    def __init__(self, engine: Computer) -> None:
        self.up = True
        self.heard = math.inf
        self.ready: Ready | None = None
        self.left_out: Mapping[str, str] = {}
        self.sessions = 0
        self.suspicion = Suspicion()
        self.engine = engine
        self._first: list[Command] = []  # sent first: a `Close` frees the slot for an `Open`
        self._waiting: dict[int, list[Command]] = {}  # by session
        self._credit_due: dict[int, Session] = {}
        self._urgent = False  # whether one of these credits must not wait
        self._renewal = -math.inf  # when the others are sent

    def open(self, session: Session) -> None:
        """Asks for a slot."""
        self._waiting[session.key] = [Open(session.key, session.card.name)]

    def plan(self, session: Session, plan: Plan) -> None:
        """Passes on a session's new plan."""
        waiting = self._waiting.setdefault(session.key, [])
        if len(waiting) >= MOST_WAITING:
            plan = session.restore_plan()
        if plan.state or plan.position == 0:  # begins anew: plans before it are obsolete
            waiting[:] = [command for command in waiting if isinstance(command, Open)]
        waiting.append(plan)

    def close(self, session: Session) -> None:
        """Gives the slot back."""
        self._waiting.pop(session.key, None)
        self._credit_due.pop(session.key, None)
        self._first.append(Close(session.key))

    def credit(self, session: Session) -> None:
        """Notes that a session's credit has changed; it is read at `flush`."""
        self._credit_due[session.key] = session
        self._urgent = True

    def renew(self, session: Session) -> None:
        """Notes that a session has used some of its credit: a new one may wait for others."""
        self._credit_due[session.key] = session

    def be_cautious(self, level: int) -> None:
        """Tells the engine how to work; see `Caution`."""
        self._first.append(Caution(level))

    def flush(self, now: float) -> None:
        """Sends the gathered commands; the credits of all sessions go last, in one message.

        Where nothing but renewed credits wait, they are sent once in `GATHER` seconds.
        """
        if not self.up:
            self._first, self._waiting, self._credit_due = [], {}, {}
        if not (self._first or self._waiting or self._urgent) and now < self._renewal:
            return
        while (self._first or self._waiting or self._credit_due) and self.engine.has_room():
            commands, self._first = self._first, []
            while self._waiting and len(commands) < AT_ONCE:
                commands += self._waiting.pop(next(iter(self._waiting)))
            if not self._waiting and self._credit_due:
                commands.append(_credit(list(self._credit_due.values()), now))
                self._credit_due, self._urgent, self._renewal = {}, False, now + GATHER
            self.engine.send(commands)

    def next_time(self) -> float:
        """When `flush` has renewed credits to send; infinity if there are none."""
        return self._renewal if self._credit_due else math.inf


def _credit(sessions: list[Session], now: float) -> Credits:
    rows = [astuple(session.credit(now)) for session in sessions]
    until, position, due, interval = zip(*rows, strict=True)
    # `array`, since NumPy is slower for few items, and most often there is one session.
    return Credits(
        array("q", [s.key for s in sessions]).tobytes(),
        array("q", until).tobytes(),
        array("q", position).tobytes(),
        array("d", due).tobytes(),
        array("d", interval).tobytes(),
    )


def rows_of(batch: Batch) -> Iterator[tuple[int, int, int, int]]:
    """The symbols of a batch, each as (key, generation, position, symbol)."""
    keys, generations, positions = (
        np.frombuffer(column, np.int64).tolist()
        for column in (batch.keys, batch.generations, batch.positions)
    )
    symbols = ints_from_bytes(batch.symbols, len(batch.symbols) // len(keys))
    return zip(keys, generations, positions, symbols, strict=True)
