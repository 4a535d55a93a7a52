"""How much work one connection may cause, and how the sending of long histories is spread out.

No I/O; the time is passed in. Nothing is refused here: a client that asks for too much is heard
later, and a long history comes in slices, between which everybody else has a turn.
"""

from __future__ import annotations

from stream_rnn.stage.stage import Stage
from stream_rnn.wire import messages as wire

# What a message costs. The unit is a symbol of the past that is sent to one client.
MESSAGE = 20
STARTED = 1000  # something that the engine has to begin anew
FED = 1  # a symbol that is fed
STEPPED = 2  # a step that is asked for
RATE = 20_000.0  # units a second that one connection may cause
MOST = 250_000.0  # that it may save up: a whole history

SLICE = 0.0005  # seconds of a history that are sent at a time
SHARE = 0.4  # of the time, for all histories together


def cost(message: wire.Message, stage: Stage, *, refused: bool = False) -> float:
    """What a message has caused, about; one that was refused had to be read all the same."""
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
    """What one connection may still cause; it fills up with time.

    Args:
        rate: by how much a second.
        most: that it holds.
    """

    def __init__(self, now: float, rate: float = RATE, most: float = MOST) -> None:
        self._rate, self._most = rate, most
        self._left, self._at = most, now

    def spend(self, cost: float, now: float) -> float:
        """Takes what something costs, on credit if need be.

        Returns:
            For how many seconds the client is not to be heard: until the debt is paid off.
        """
        self._left = min(self._most, self._left + (now - self._at) * self._rate) - cost
        self._at = now
        return max(0.0, -self._left / self._rate)


class Turns:
    """When the next slice of a history may be sent, among all connections' histories.

    Each slice is given its time when it is asked for, so that those who ask have their turns one
    after the other, whoever has most to send.
    """

    def __init__(self) -> None:
        self._free = 0.0  # when the next one's turn is

    def take(self, now: float) -> float:
        """Gives somebody a turn; returns the seconds until then."""
        turn = max(self._free, now)
        self._free = turn + SLICE / SHARE
        return turn - now
