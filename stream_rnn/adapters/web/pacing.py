"""Limits on the work that one connection may cause, and the pacing of long histories.

No I/O; the time is passed in. Nothing is refused here: the server reads a client that asks for
too much less often, and sends a long history in slices, between which other clients have turns.
"""

from __future__ import annotations

from stream_rnn.stage.stage import Stage
from stream_rnn.wire import messages as wire

# What a message costs. The unit is the cost of sending one symbol of the past to one client.
MESSAGE = 20
STARTED = 1000  # a request that makes the engine begin a stream anew
FED = 1  # a fed symbol
STEPPED = 2  # a requested step
RATE = 20_000.0  # units a second that one connection may spend
MOST = 250_000.0  # units that a connection may save up: a whole history

SLICE = 0.0005  # seconds of sending in one slice of a history
SHARE = 0.4  # part of the time that all histories together may take


def cost(message: wire.Message, stage: Stage, *, refused: bool = False) -> float:
    """Estimates the work that a message caused; even a refused message had to be read."""
    started = MESSAGE if refused else STARTED
    match message:
        case wire.Feed(symbols=symbols):
            return MESSAGE + FED * _length(symbols)
        case wire.Open(prime=prime):
            return started + FED * _length(prime)
        case wire.Step(count=count) if not refused:
            return MESSAGE + STEPPED * count
        case wire.Attach(session=name, after=after) if after is not None and not refused:
            session = stage.sessions.get(name)
            return MESSAGE + (max(0, session.position - after - 1) if session else 0)
        case wire.Rewind() | wire.Fork() | wire.Reset():
            return started
    return MESSAGE


def _length(symbols: object) -> int:
    return len(symbols) if isinstance(symbols, str | list) else 0


class Budget:
    """The work that one connection may still cause. It refills with time.

    Args:
        rate: units by which it refills in a second.
        most: units that it holds when full.
    """

    def __init__(self, now: float, rate: float = RATE, most: float = MOST) -> None:
        self._rate, self._most = rate, most
        self._left, self._at = most, now

    def spend(self, cost: float, now: float) -> float:
        """Subtracts a cost; the budget may fall below zero.

        Returns:
            The seconds until the debt is paid off, during which the client is not to be read.
        """
        self._left = min(self._most, self._left + (now - self._at) * self._rate) - cost
        self._at = now
        return max(0.0, -self._left / self._rate)


class Turns:
    """Schedules the slices of all connections' histories.

    Each slice gets its time when it is asked for. So connections take turns, and one with a long
    history has no more turns than the others.
    """

    def __init__(self) -> None:
        self._free = 0.0  # the earliest time of the next turn

    def take(self, now: float) -> float:
        """Reserves a turn; returns the seconds until it begins."""
        turn = max(self._free, now)
        self._free = turn + SLICE / SHARE
        return turn - now
