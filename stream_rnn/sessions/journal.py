"""A session's history: committed symbols, when they were due, and states to go on from.

It is held in memory, packed: a day of verse takes a few megabytes. Beyond `limit` the oldest
symbols are dropped, and snapshots are thinned out with age, so that an installation can run
for weeks.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from msgspec import Struct

from stream_rnn.codecs.base import Sound

HISTORY = 200_000
SNAPSHOTS = 96
APART = 256  # a state is kept for every so many symbols; of those between only the newest
NEVER = 2**63  # a position that no stream reaches


class Committed(Struct, frozen=True):
    """One symbol of the history.

    Attributes:
        sound: what began with it, in streams that spell out notes.
        velocity: the one that the stream set last, fed or drawn; 0 if it has set none.
    """

    n: int
    symbol: int
    due: float
    fed: bool
    sound: Sound | None = None
    velocity: int = 0


class Journal:
    """Committed symbols by position.

    Args:
        width: bytes a symbol.
        limit: symbols kept, at least.

    Attributes:
        first: the oldest position still here.
        position: how many symbols have been committed.
        needed: the oldest position that must be kept, whatever the limit.
    """

    def __init__(self, width: int, limit: int = HISTORY) -> None:
        self._width, self._limit, self._most = width, limit, limit + limit // 4
        self.first = self.position = 0
        self.needed = NEVER
        self._symbols = bytearray()
        self._due = array("d")
        self._fed = bytearray()
        self._velocities = bytearray()
        self._snapshots: dict[int, bytes] = {}  # in order of position

    @property
    def velocity(self) -> int:
        """The velocity of the next note: the one that the stream set last; 0 if it has set none.

        It is stored with each symbol, so that all listeners get the same, whenever they joined
        and however far the session was rewound.
        """
        return self._velocities[-1] if self._velocities else 0

    def append(self, symbol: int, due: float, *, fed: bool, velocity: int | None = None) -> None:
        """Commits a symbol, and the velocity that it sets, if it does."""
        velocities = self._velocities
        velocities.append(velocity or (velocities[-1] if velocities else 0))
        self._symbols += symbol.to_bytes(self._width, "little")
        self._due.append(due)
        self._fed.append(fed)
        self.position += 1
        if len(self._due) > self._most:
            self._let_go()

    def extend(self, symbols: list[int], due: float, velocities: list[int | None]) -> None:
        """Commits many fed symbols, due at one time, with a tenth of the work of `append`."""
        self._velocities += bytes(
            itertools.accumulate(velocities, lambda was, new: new or was, initial=self.velocity)
        )[1:]
        width = self._width
        self._symbols += b"".join([symbol.to_bytes(width, "little") for symbol in symbols])
        self._due.extend(itertools.repeat(due, len(symbols)))
        self._fed += bytes([True]) * len(symbols)
        self.position += len(symbols)
        self._let_go()

    def _let_go(self) -> None:
        if len(self._due) > self._most:
            self._drop(min(len(self._due) - self._limit, self.needed - self.first))

    def _drop(self, count: int) -> None:
        del self._symbols[: count * self._width]
        del self._due[:count]
        del self._fed[:count]
        del self._velocities[:count]
        self.first += count
        for position in [p for p in self._snapshots if p < self.first + 1]:
            del self._snapshots[position]

    def __len__(self) -> int:
        return len(self._due)

    @property
    def size(self) -> int:
        """Bytes that the symbols take."""
        return len(self._due) * (self._width + self._due.itemsize + 2)

    def shorten(self, keep: int) -> None:
        """Drops all but the latest `keep` symbols, as far as a state is left to go on from."""
        newest = next(reversed(self._snapshots), 0)
        count = min(len(self._due) - keep, newest - 1 - self.first)
        if count > 0:
            self._drop(count)
            # Shortened arrays keep the room they had; a copy has no more than it needs.
            self._symbols, self._due = self._symbols[:], self._due[:]
            self._fed, self._velocities = self._fed[:], self._velocities[:]

    def __getitem__(self, n: int) -> Committed:
        i = n - self.first
        if not 0 <= i < len(self._due):
            raise IndexError(n)
        start = i * self._width
        symbol = int.from_bytes(self._symbols[start : start + self._width], "little")
        fed, velocity = bool(self._fed[i]), self._velocities[i]
        return Committed(n, symbol, self._due[i], fed, velocity=velocity)

    def since(self, n: int) -> Iterator[Committed]:
        """Symbols from `n` on, as long as there are any."""
        while self.first <= n < self.position:
            yield self[n]
            n += 1

    def packed(self, start: int, stop: int) -> bytes:
        """The symbols from `start` to `stop`, packed."""
        begin, end = (start - self.first) * self._width, (stop - self.first) * self._width
        assert begin >= 0
        return bytes(self._symbols[begin:end])

    def columns(self, start: int, stop: int) -> tuple[bytes, bytes, bytes, bytes]:
        """The symbols from `start` to `stop`, packed; their due times, whether each was fed, and
        their velocities.
        """
        begin, end = start - self.first, stop - self.first
        fed, velocities = bytes(self._fed[begin:end]), bytes(self._velocities[begin:end])
        return self.packed(start, stop), self._due[begin:end].tobytes(), fed, velocities

    def restore(
        self,
        first: int,
        symbols: bytes,
        due: bytes,
        fed: bytes,
        velocities: bytes,
        *,
        shift: float,
        states: Iterable[tuple[int, bytes]],
    ) -> None:
        """Fills an empty journal with columns from `first` on, and states in order of position.

        Args:
            shift: is added to the due times.
        """
        self.first, self.position = first, first + len(fed)
        self._symbols, self._fed = bytearray(symbols), bytearray(fed)
        self._velocities = bytearray(velocities)
        self._due = array("d", [at + shift for at in array("d", due)])
        self._snapshots = dict(states)

    def truncate(self, position: int) -> None:
        """Forgets the symbols at `position` and after."""
        keep = position - self.first
        assert 0 <= keep <= len(self._due)
        del self._symbols[keep * self._width :]
        del self._due[keep:]
        del self._fed[keep:]
        del self._velocities[keep:]
        self.position = position
        for n in [n for n in self._snapshots if n > position]:
            del self._snapshots[n]

    def copy(self, position: int) -> Journal:
        """The same past, up to `position`."""
        twin = self.empty()
        twin.first, twin.position = self.first, self.position
        twin._symbols, twin._due, twin._fed = self._symbols[:], self._due[:], self._fed[:]
        twin._velocities = self._velocities[:]
        twin._snapshots = dict(self._snapshots)
        twin.truncate(position)
        return twin

    def empty(self) -> Journal:
        """A journal of the same kind, without a past."""
        return Journal(self._width, self._limit)

    # Snapshots

    def keep_snapshot(self, position: int, state: bytes) -> None:
        """Keeps the recurrent state before `position`, if it is newer than all that are kept."""
        if self._snapshots:
            newest = next(reversed(self._snapshots))
            if position <= newest:
                return
            if newest % APART:
                del self._snapshots[newest]
        self._snapshots[position] = state
        if len(self._snapshots) > SNAPSHOTS:
            self.thin_states(SNAPSHOTS)

    def thin_states(self, most: int) -> None:
        """Drops states until there are at most `most` (1 or more). The first to go are those
        whose neighbours are close together for their age. The newest stays.
        """
        at = list(self._snapshots)

        def missed(i: int) -> float:
            return (at[i + 1] - at[i - 1]) / (at[-1] - at[i])

        while len(at) > most:
            least = min(range(1, len(at) - 1), key=missed, default=0)
            del self._snapshots[at.pop(least)]

    @property
    def positions(self) -> list[int]:
        """The positions of the states that are kept."""
        return list(self._snapshots)

    def state(self, position: int) -> bytes:
        """The state that is kept at a position."""
        return self._snapshots[position]

    @property
    def states(self) -> int:
        """How many states are kept."""
        return len(self._snapshots)

    @property
    def states_size(self) -> int:
        """Bytes that the states take; all have the same size."""
        return len(self._snapshots) * len(next(iter(self._snapshots.values()), b""))

    def snapshot_before(self, position: int) -> tuple[int, bytes] | None:
        """The latest (position, state) at or before `position`; none if no state is kept there."""
        positions = list(self._snapshots)
        i = bisect_right(positions, position)
        return (positions[i - 1], self._snapshots[positions[i - 1]]) if i else None

    def earliest(self, start: int = 0) -> int | None:
        """The first position that the session can go back to; none if no state is kept.

        Args:
            start: the first position whose controls are known.
        """
        if self.first == start == 0:
            return 0
        return next((position for position in self._snapshots if position >= start), None)
