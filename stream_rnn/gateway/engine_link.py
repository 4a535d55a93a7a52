"""The gateway's end of the conversation with an engine: what sessions need, as messages."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from stream_rnn.codecs.base import ints_from_bytes
from stream_rnn.engine.messages import Close, Command, Credit, Open, Plan, Tile
from stream_rnn.gateway.session import Session


@dataclass(frozen=True)
class Computed:
    """One symbol of a tile."""

    key: int
    generation: int
    position: int
    symbol: int


class EngineLink:
    """Gathers commands until `flush`. While the engine is down there is nobody to tell.

    Args:
        send: takes commands to the engine.
    """

    def __init__(self, send: Callable[[list[Command]], None]) -> None:
        self.up = True
        self._send = send
        self._commands: list[Command] = []
        self._credit_due: dict[int, Session] = {}

    def open(self, session: Session) -> None:
        """Asks for a slot."""
        self._commands.append(Open(session.key, session.card.name))

    def plan(self, plan: Plan | None) -> None:
        """Passes on what changes a session's future, if anything does."""
        if plan is not None:
            self._commands.append(plan)

    def close(self, session: Session) -> None:
        """Gives the slot back."""
        self._commands.append(Close(session.key))
        self._credit_due.pop(session.key, None)

    def credit(self, session: Session) -> None:
        """Notes that a session's allowance has changed; it is read at `flush`."""
        self._credit_due[session.key] = session

    def flush(self, now: float) -> None:
        """Sends what has gathered: the allowances of all sessions in one message, last."""
        if self.up and self._credit_due:
            self._commands.append(_credit(list(self._credit_due.values()), now))
        if self.up and self._commands:
            self._send(self._commands)
        self._commands = []
        self._credit_due.clear()


def _credit(sessions: list[Session], now: float) -> Credit:
    allowances = [session.allowance(now) for session in sessions]
    # `array` and not NumPy, which takes longer to begin; most often it is one session.
    return Credit(
        array("q", [s.key for s in sessions]).tobytes(),
        array("q", [a.until for a in allowances]).tobytes(),
        array("q", [a.position for a in allowances]).tobytes(),
        array("d", [a.due for a in allowances]).tobytes(),
        array("d", [a.interval for a in allowances]).tobytes(),
    )


def unpack_tile(tile: Tile) -> Iterator[Computed]:
    """The symbols of a tile, one by one."""
    keys = np.frombuffer(tile.keys, np.int64).tolist()
    generations = np.frombuffer(tile.generations, np.int64).tolist()
    positions = np.frombuffer(tile.positions, np.int64).tolist()
    symbols = ints_from_bytes(tile.symbols, len(tile.symbols) // len(keys))
    for row in zip(keys, generations, positions, symbols, strict=True):
        yield Computed(*row)
