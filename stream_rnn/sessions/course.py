"""How much of one session's past an engine has been told, and how much it has computed. No I/O.

An injected past (a feed, or all of it for an engine that does not know the session) is sent in
parts. Each is sent when the engine has computed most of the parts before it. So neither the pipe
nor the engine ever holds more than a few parts of a session.
"""

from __future__ import annotations

from collections import deque

PART = 1024  # symbols of the past that the engine is told at once
AHEAD = 2048  # symbols that it may have been told and not computed yet
FORKS = 64


class Course:
    """What one engine has been told and has computed, by position and by plan generation.

    Attributes:
        untold: the first position of the past that the engine has not been told, if any.
        begun: generation of the plan that last began anew, from the beginning or from a state.
    """

    def __init__(self) -> None:
        self.untold: int | None = None
        self.begun = 0
        self._reached = 0  # the engine has computed all positions before this one
        # (generation, position): the plan's future differs from that of all earlier plans from
        # this position on. Both rise.
        self._turns: deque[tuple[int, int]] = deque(maxlen=FORKS)
        self._forgotten = 0  # older generations are no longer known

    def begin(self, generation: int, position: int, stop: int) -> None:
        """Notes that the engine begins anew at a position, and must be told the past to `stop`."""
        self.begun, self._reached = generation, position
        self.untold = position if position < stop else None

    def turn(self, generation: int, position: int) -> None:
        """Notes that a plan changes the future from a position on."""
        while self._turns and self._turns[-1][1] >= position:
            self._turns.pop()
        if len(self._turns) == FORKS:
            self._forgotten = self._turns[0][0]
        self._turns.append((generation, position))

    def holds(self, generation: int, position: int) -> bool:
        """Whether the state before a position, computed by an older plan, is still right."""
        if generation < self._forgotten:
            return False
        changed = next((at for turned, at in self._turns if turned > generation), position)
        return position <= changed

    def came(self, generation: int, position: int) -> None:
        """Notes that the engine has computed all positions before this one."""
        if generation >= self.begun:
            self._reached = max(self._reached, position)

    def behind(self, position: int) -> int:
        """How many symbols before a position the engine may not have computed yet."""
        return position - self._reached

    def fits(self, start: int, stop: int) -> bool:
        """Whether an engine that begins anew can be told so much at once."""
        return stop - start <= PART

    def next_part(self, stop: int) -> tuple[int, int] | None:
        """The part `[start, end)` of the past to tell the engine now, if it is ready for one."""
        start = self.untold
        if start is None or start - self._reached > AHEAD - PART:
            return None
        end = min(start + PART, stop)
        self.untold = end if end < stop else None
        return start, end
