"""The log of which controls are in force at which position of a stream."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream_rnn.checkpoint import Card
from stream_rnn.sessions.controls import Controls, merge_controls

LIMIT = 20_000  # entries
MOST = 12_000_000  # bytes: as many entries as may be, unless they are blends of many artists
FEW = 512  # entries that are kept in any case: the engine's latest state is no older
ENTRY, ITEM = 600, 48  # bytes of an entry, and of each artist or pitch in it, about
TEMPO = frozenset({"rate", "bpm"})


@dataclass(frozen=True, slots=True)
class Entry:
    """The controls in force from `position` on, and the changes that were asked for there."""

    position: int
    changes: Mapping[str, Any]
    controls: Controls

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        values = self.changes.values()
        return ENTRY + ITEM * sum(len(v) for v in values if isinstance(v, Mapping | tuple))


def tied(names: Iterable[str]) -> frozenset[str]:
    """Names of controls, with those that change together with them, as `rate` and `bpm` do."""
    found = frozenset(names)
    return found if TEMPO.isdisjoint(found) else found | TEMPO


class ControlLog:
    """Changes of a session's controls, by position.

    Args:
        start: the controls at position 0.

    Attributes:
        size: bytes that the changes take, about.
    """

    def __init__(self, start: Controls, card: Card) -> None:
        self._card = card
        self._entries = [Entry(0, {}, start)]
        self.size = ENTRY

    @classmethod
    def of(cls, entries: Sequence[Entry], card: Card) -> ControlLog:
        """A log of entries that have been kept, one at least, in order of position."""
        log = cls(entries[0].controls, card)
        log._entries = list(entries)
        log.size = sum(entry.size for entry in log._entries)
        return log

    @property
    def first(self) -> int:
        """The first position whose controls are still known."""
        return self._entries[0].position

    def at(self, position: int) -> Controls:
        """The controls in force at a position."""
        latest = self._entries[-1]
        if position >= latest.position:
            return latest.controls
        return self._entries[self._index(position)].controls

    def _index(self, position: int) -> int:
        return max(0, bisect_right(self._entries, position, key=lambda e: e.position) - 1)

    def add(self, position: int, changes: Mapping[str, Any]) -> Controls:
        """Changes the controls from a position on; later entries still apply their changes.

        Returns:
            The full controls at `position`.

        Raises:
            ProtocolError: see `merge_controls`; nothing is changed then.
        """
        controls = merge_controls(self.at(position), changes, self._card)
        # As they were understood, not as they were said, which may be long.
        changes = {name: getattr(controls, name) for name in changes}
        index = self._index(position)
        here = self._entries[index]
        if here.position == position:
            # A new tempo replaces the old: `rate` and `bpm` in one entry could contradict.
            old = here.changes
            if not TEMPO.isdisjoint(changes):
                old = {k: v for k, v in old.items() if k not in TEMPO}
            self._entries[index] = Entry(position, {**old, **changes}, controls)
            self.size += self._entries[index].size - here.size
        else:
            insort(self._entries, Entry(position, changes, controls), key=lambda e: e.position)
            index += 1
            self.size += self._entries[index].size
        for i in range(index + 1, len(self._entries)):
            later = self._entries[i]
            controls = merge_controls(controls, later.changes, self._card)
            self._entries[i] = Entry(later.position, later.changes, controls)
        self._delete(0, len(self._entries) - LIMIT)
        self.shorten(MOST)
        return self.at(position)

    def shorten(self, most: int) -> None:
        """Lets go of the oldest changes until the log takes no more, but not of the latest few."""
        excess, count = self.size - most, 0
        while excess > 0 and count < len(self._entries) - FEW:
            excess -= self._entries[count].size
            count += 1
        self._delete(0, count)

    def _delete(self, start: int, stop: int) -> None:
        gone = self._entries[start : max(start, stop)]
        self.size -= sum(entry.size for entry in gone)
        del self._entries[start : max(start, stop)]

    def change(self, position: int, changes: Mapping[str, Any], present: int) -> None:
        """Changes controls from a position on, in place of pending changes of the same ones.

        Args:
            present: the next symbol's position; changes of the same controls after it are
                withdrawn.

        Raises:
            ProtocolError: see `merge_controls`; nothing is changed then.
        """
        merge_controls(self.at(position), changes, self._card)
        names, coming = tied(changes), self.after(present)
        if any(not names.isdisjoint(entry.changes) for entry in coming):
            self.truncate(present)
            for entry in coming:
                left = {k: v for k, v in entry.changes.items() if k not in names}
                if left:
                    self.add(entry.position, left)
        self.add(position, changes)

    def after(self, position: int) -> list[Entry]:
        """The changes after a position."""
        return self._entries[self._index(position) + 1 :]

    def since(self, position: int) -> list[Entry]:
        """The entries at a position and after."""
        return self._entries[bisect_left(self._entries, position, key=lambda e: e.position) :]

    def schedule(self, position: int) -> list[tuple[int, Controls]]:
        """The controls in force at a position and at each later change, with the positions."""
        index = self._index(position)
        now = [(position, self._entries[index].controls)]
        return now + [(e.position, e.controls) for e in self._entries[index + 1 :]]

    def __len__(self) -> int:
        return len(self._entries)

    def forget(self, position: int) -> None:
        """Forgets entries that are no longer in force at a position."""
        self._delete(0, self._index(position))

    def truncate(self, position: int) -> None:
        """Forgets the changes after a position."""
        self._delete(self._index(position) + 1, len(self._entries))

    def copy(self, position: int) -> ControlLog:
        """The same log, up to a position."""
        twin = ControlLog(self._entries[0].controls, self._card)
        twin._entries = self._entries[: self._index(position) + 1]
        twin.size = sum(entry.size for entry in twin._entries)
        return twin
