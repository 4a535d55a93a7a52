"""What an engine has been told of one session's past, and how far it has come with it. No I/O.

A past that is given (by a feed, or to an engine that knows nothing of the session) goes to the
engine in parts, each when it has come through most of what it was told before: a pipe, and the
engine behind it, never holds more than a few parts of a session.
"""

from __future__ import annotations

from collections import deque

PART = 1024  # symbols of the past that the engine is told at once
AHEAD = 2048  # that it may have been told of and not come through
FORKS = 64


class Course:
    """Positions, and generations of plans.

    Attributes:
        untold: the first position of the past that the engine has not been told of; none: all.
        begun: generation of the plan that began anew, from the beginning or from a state.
    """

    def __init__(self) -> None:
        self.untold: int | None = None
        self.begun = 0
        self._reached = 0  # the engine has computed through what is before
        # (generation, position): from that position on, a plan's future is not that of the
        # plans before it. Both rise.
        self._turns: deque[tuple[int, int]] = deque(maxlen=FORKS)
        self._forgotten = 0  # nothing is known of plans before this generation

    def begin(self, generation: int, position: int, stop: int) -> None:
        """The engine begins anew at a position, to come to `stop`."""
        self.begun, self._reached = generation, position
        self.untold = position if position < stop else None

    def turn(self, generation: int, position: int) -> None:
        """A plan changes the future from a position on."""
        while self._turns and self._turns[-1][1] >= position:
            self._turns.pop()
        if len(self._turns) == FORKS:
            self._forgotten = self._turns[0][0]
        self._turns.append((generation, position))

    def holds(self, generation: int, position: int) -> bool:
        """Whether a state before a position, of an older plan, is still one of this past."""
        if generation < self._forgotten:
            return False
        changed = next((at for turned, at in self._turns if turned > generation), position)
        return position <= changed

    def came(self, generation: int, position: int) -> None:
        """The engine says that it has come to a position."""
        if generation >= self.begun:
            self._reached = max(self._reached, position)

    def behind(self, position: int) -> int:
        """How many symbols before a position the engine may not have come through."""
        return position - self._reached

    def next_part(self, stop: int) -> tuple[int, int] | None:
        """What the engine is to be told now: the symbols from, and to."""
        start = self.untold
        if start is None or start - self._reached > AHEAD - PART:
            return None
        end = min(start + PART, stop)
        self.untold = end if end < stop else None
        return start, end
