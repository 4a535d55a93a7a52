"""How far each slot may be computed, and how urgent that is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PROMPT = 32  # a session with more injected symbols to step through has to catch up: see `ready`
RESTORED = 128  # the same if it plays: what lies between its latest snapshot and its next symbol


class Credit:
    """Which session each slot has, where it is, and what it may compute.

    Args:
        count: the number of slots.

    Attributes:
        key: the session, -1 for none.
        next: the position whose symbol the next step makes.
        until: the first position that it may not compute.
        injected_end: the position after the last injected symbol.
    """

    def __init__(self, count: int) -> None:
        self.key = np.full(count, -1, np.int64)
        self.next = np.zeros(count, np.int64)
        self.until = np.zeros(count, np.int64)
        self.injected_end = np.zeros(count, np.int64)
        self._fed_end = np.full(count, -1, np.int64)  # the same, but -1 if nothing is injected
        self._halted = np.zeros(count, np.bool_)  # a plan or a step of the session failed
        self._due_position = np.zeros(count, np.int64)
        self._due = np.zeros(count, np.float64)
        self._interval = np.zeros(count, np.float64)

    def begin(self, slot: int, key: int) -> None:
        """A session begins in the slot, without credit."""
        self.key[slot], self.next[slot], self.until[slot] = key, 0, 0
        self._fed_end[slot], self._halted[slot] = -1, False

    def close(self, slot: int) -> None:
        """The slot has no session any more."""
        self.key[slot] = -1
        self.until[slot] = self.next[slot] = self.injected_end[slot] = 0

    def halt(self, slot: int) -> None:
        """Computes nothing more for a session until it gets another plan."""
        self.until[slot] = self.next[slot]
        self._halted[slot] = True

    def halted(self, slot: int) -> bool:
        """Whether a session waits for another plan."""
        return bool(self._halted[slot])

    def give(self, slot: int, until: int, position: int, due: float, interval: float) -> None:
        """Lets a session be computed up to `until`; see `messages.Credits`."""
        self.until[slot] = self.next[slot] if self._halted[slot] else until
        self._due_position[slot], self._due[slot], self._interval[slot] = position, due, interval

    def go_on(self, slot: int, position: int, injected_end: int, injected: int) -> None:
        """A session goes on at a position, with so many symbols `injected` up to `injected_end`."""
        self.next[slot], self._halted[slot] = position, False
        self.injected_end[slot] = injected_end
        self._fed_end[slot] = injected_end if injected else -1
        # Injected symbols are already history, so they need no credit.
        self.until[slot] = max(position, injected_end)

    def ready(
        self, now: float, margin: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Slots with credit left; the deadline of each; and the slots that can wait.

        A slot can wait if its symbols are wanted, but at no time: if they are due at minus
        infinity, and while it has to catch up. It has to while more than PROMPT injected symbols
        lie before it (RESTORED if it plays). With fewer, its deadline is when the first symbol
        after them is due. It may be past because the session was fed late; it must not overtake
        sessions that are late through no fault of their own.

        A paused session has no timetable. But a client often feeds a paused session to hear the
        answer, so the fed symbols and the first one after them are computed at once, though not
        before sessions that are late. So is the symbol at a paused session's position: the client
        may ask for it, or feed another in its place (see `Slots._go_back`). `margin` is that of
        `schedule.choose`.
        """
        (slots,) = (self.next < self.until).nonzero()
        positions, due, fed_end = self.next[slots], self._due[slots], self._fed_end[slots]
        far = fed_end - positions > PROMPT
        if far.any():
            far &= np.isinf(due) | (fed_end - positions > RESTORED)
        far |= np.isneginf(due)
        behind = slots[far]
        if len(behind):
            near = ~far
            slots, positions, due, fed_end = slots[near], positions[near], due[near], fed_end[near]
        ahead = np.maximum(np.maximum(positions, fed_end) - self._due_position[slots], 0)
        deadlines = due + ahead * self._interval[slots]
        fed = positions <= fed_end
        if fed.any():
            deadlines = np.where(fed, np.maximum(deadlines, now), deadlines)
        wanted = np.isinf(due) & (fed | (positions <= self._due_position[slots]))
        if wanted.any():
            deadlines = np.where(wanted, now + margin / 2, deadlines)
        return slots, deadlines, behind
