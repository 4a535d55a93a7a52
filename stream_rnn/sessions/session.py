"""One session: a stream's past, the computed part of its future, and when that is due.

No I/O, and the time is passed in. A symbol is *computed* when the engine sends it,
*committed* `commit_ahead` before it is due, and from then on it is history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_rnn.engine.messages import Plan
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.control_log import ControlLog, Entry, tied
from stream_rnn.sessions.controls import (
    BEATS_PER_BAR,
    ENGINE_FIELDS,
    engine_settings,
    steps_per_beat,
)
from stream_rnn.sessions.flow import Flow
from stream_rnn.sessions.journal import NEVER, Committed
from stream_rnn.sessions.status import TRANSITIONS, Status

EVICTED_HISTORY = 5000  # symbols that a session keeps when it is evicted
LONG_FEED = 256  # symbols; a longer feed is sent as history, at each viewer's own pace
MOST_BEHIND = 32_768  # symbols that the engine may be behind; a feed beyond that is refused


class Session(Flow):
    """A named stream: its past, and the computed part of its future."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._await_changes()
        self._hold_past()

    def move(self, action: str) -> None:
        """Changes the status by `TRANSITIONS`.

        Raises:
            ProtocolError: `bad_state`: the action is not possible in this status.
        """
        status = TRANSITIONS.get((self.status, action))
        if status is None:
            raise ProtocolError(
                "bad_state",
                f"cannot {action} session {self.name!r} while it is {self.status.value}",
            )
        self.status = status

    # Methods that change the future. Each returns the plan for the engine, if it needs one.

    def change(self, changes: Mapping[str, Any], at: str, now: float) -> tuple[int, Plan | None]:
        """Changes controls from the next symbol, beat or bar; also returns the position.

        Pending changes of the same controls are withdrawn.

        Raises:
            ProtocolError: a control is unknown or its value is not allowed.
        """
        position = self.position
        if at != "now":
            grid = steps_per_beat(self.card) * (BEATS_PER_BAR if at == "bar" else 1)
            position = self._pace.until(grid, position, self._computed)
        self.returned = None
        before, names = self.log.at(self.position), tied(changes)
        withdrawn = [e.position for e in self.pending if not names.isdisjoint(e.changes)]
        self.log.change(position, changes, self.position)
        self._await_changes()
        after = self.log.at(self.position)
        if self.status is Status.PLAYING:
            if after.sync != before.sync:
                self.retime(now)
            elif self.tempo is None:
                self._timeline.change_rate(before.rate, after.rate, now)
        if ENGINE_FIELDS.isdisjoint(changes):
            return position, None
        # Computed symbols that come before the change are kept.
        first = min(position, *withdrawn, self.position + len(self._computed))
        self._give_up(first)
        # While a part of the past is still to be told, the changes go with that part.
        return position, self._plan(first, first) if self.course.untold is None else None

    @property
    def pending(self) -> list[Entry]:
        """Changes whose position has not been reached yet."""
        return self.log.after(self.position)

    def come_into_force(self) -> list[Entry]:
        """Pending changes whose position has now been reached; each is returned once."""
        if self.journal.position < self._change_at:
            return []
        reached = [e for e in self.log.after(self._change_at - 1) if e.position <= self.position]
        self._await_changes()
        return reached

    def _await_changes(self) -> None:
        self._change_at = min((e.position for e in self.pending), default=NEVER)

    def evict(self) -> None:
        """Lives on without a slot: keeps little of its past, but enough to go on."""
        self.move("evict")
        self.generation += 1  # so that what the engine still sends is dropped
        self._computed.clear()
        self._snapshots.clear()
        self.course.untold = None
        self.pending_steps = 0
        self.journal.shorten(EVICTED_HISTORY)
        self.journal.thin_states(1)
        self.log.forget(self.journal.earliest() or 0)

    def feed(
        self, symbols: list[int], now: float, *, in_time: bool = False
    ) -> tuple[list[Committed], Plan | None]:
        """Commits given symbols as they are; also returns them, unless there are very many.

        Args:
            in_time: whether, while it plays, they replace as many of the next symbols, in time.

        Raises:
            ProtocolError: `bad_state`: the engine is far behind with earlier feeds.
        """
        start = self.position
        if symbols and self.course.behind(start) + len(symbols) > MOST_BEHIND:
            raise ProtocolError(
                "bad_state",
                f"the engine is {self.course.behind(start)} symbols behind what was fed to "
                f"session {self.name!r}; feed more when it has caught up",
            )
        self.returned = None
        velocities = [self.codec.velocity(symbol) for symbol in symbols]
        if in_time and self.status is Status.PLAYING:
            for symbol, velocity in zip(symbols, velocities, strict=True):
                due = self.next_due
                self.journal.append(symbol, due, fed=True, velocity=velocity)
                self._advance(symbol, due, fed=True)
        else:
            self.journal.extend(symbols, now, velocities)
            if self.spells:
                for symbol in symbols:
                    self._spelling.read(symbol, fed=True)
        if not symbols:
            return [], None
        self._timeline.skip(self._place, self.tempo)
        self._give_up(start)
        if self.course.untold is None:
            self.course.untold = start
        # Viewers are sent a long feed from the journal; see `LONG_FEED`.
        fed = list(self.journal.since(start)) if in_time or len(symbols) <= LONG_FEED else []
        return fed, self.next_part()

    def rewind(self, position: int, now: float) -> Plan:
        """Makes `position` the next one, with the state and controls it had.

        Raises:
            ProtocolError: `bad_position`: beyond the present, or further back than is kept.
        """
        self.check_past(position, "to")
        self.heard, self.returned = 0, None
        self.epochs.begin(position)
        self.journal.truncate(position)
        self._hold_past()
        self.log.truncate(position)
        self._await_changes()
        self._spelling.recall(self.journal)
        self.pending_steps = 0
        self.start(now)
        self.forget_future()
        return self.restore_plan()

    def reset(self, now: float) -> Plan:
        """Begins again at position 0, with the controls as they are now."""
        self.heard, self.returned = 0, None
        self.epochs.begin(0)
        self.log = ControlLog(self.log.at(self.position), self.card)
        self.journal = self.journal.empty()
        self._hold_past()
        self._await_changes()
        self._spelling.recall(self.journal)
        self.pending_steps = 0
        self.start(now)
        self.forget_future()
        return self.restore_plan()

    def restore_plan(self) -> Plan:
        """The plan that brings an engine which does not know this session to where it was.

        What is computed is kept, and is not computed again. A long past follows in parts: see
        `next_part`; then what is computed is dropped.

        Raises:
            ProtocolError: `bad_position`: too little of its past is kept.
        """
        self.check_past(self.position, "position")
        start, state = self.journal.snapshot_before(self.position) or (0, b"")
        stop = self.position + len(self._computed)
        if not self.course.fits(start, stop):
            stop = self.position
        self._give_up(stop)
        self.course.begin(self.generation, start, stop)
        before = self.journal.packed(start - 1, start) if start else b""
        start, stop = self.course.next_part(stop) or (start, start)
        return self._plan(start, stop, state, before)

    def next_part(self) -> Plan | None:
        """The plan with the next part of the past, if there is one and the engine is ready."""
        part = self.course.next_part(self.position)
        return None if part is None else self._plan(*part)

    def forget_future(self) -> None:
        """Drops all that is computed and not committed; a plan has to follow."""
        self._give_up(self.position)

    def _give_up(self, position: int) -> None:
        """Begins a generation: drops what is computed from a position on and not committed."""
        self.generation += 1
        self.course.turn(self.generation, position)
        while self._computed and self.position + len(self._computed) > position:
            self._computed.pop()
        while self._snapshots and self._snapshots[-1][0] > position:
            self._snapshots.pop()

    def _plan(self, start: int, stop: int, state: bytes = b"", before: bytes = b"") -> Plan:
        """The plan for the engine from `start` on; symbols before `stop` are injected."""
        last = NEVER if self.course.untold is None else stop  # later changes come with their part
        schedule = tuple(
            (n, engine_settings(controls, self.card))
            for n, controls in self.log.schedule(start)
            if n < last or n == start
        )
        injected = self._packed(start, stop)
        return Plan(self.key, self.generation, start, schedule, injected, state, before)

    def check_past(self, position: int, name: str) -> None:
        """Checks that the session can go back to a position.

        Raises:
            ProtocolError: `bad_position`: it cannot; the message says how far it can.
        """
        earliest = self.journal.earliest(self.log.first)
        if earliest is None:
            raise ProtocolError(
                "bad_position",
                f"too little of the past of session {self.name!r} is kept to go on from; "
                "open another, or reset it",
                field=name,
            )
        if not earliest <= position <= self.position:
            raise ProtocolError(
                "bad_position",
                f"{name} must be from {earliest} to {self.position}, not {position}",
                field=name,
            )

    # From the engine

    def receive(self, generation: int, position: int, symbol: int, now: float) -> None:
        """Takes a computed symbol; drops one of an older plan."""
        if generation != self.generation:
            return
        assert position == self.journal.position + len(self._computed)
        if not self._computed and now > self._timeline.next_due + self.timing.stall:
            self.stalls += self.status is Status.PLAYING
            self._timeline.delay(now + self.timing.commit_ahead, self._place, self.tempo)
        self._computed.append(symbol)
        self.course.came(generation, position + 1)

    def starves(self, now: float) -> bool:
        """Whether the next symbol is so late that notes of the last one may be left sounding."""
        if self.status is not Status.PLAYING or self._computed:
            return False
        if now <= self.next_due + self.timing.starved or self.position == self.journal.first:
            return False
        return not self.journal[self.position - 1].fed  # fed symbols do not sound

    def receive_snapshot(self, generation: int, position: int, state: bytes) -> None:
        """Takes a state; it counts once the symbols before it are committed."""
        self.course.came(generation, position)
        last = self._snapshots[-1][0] if self._snapshots else 0
        if self.course.holds(generation, position) and position > last:
            self._snapshots.append((position, state))
            self._settle_snapshots()

    def _settle_snapshots(self) -> None:
        if not self._snapshots or self._snapshots[0][0] > self.position:
            return
        while self._snapshots and self._snapshots[0][0] <= self.position:
            self.journal.keep_snapshot(*self._snapshots.popleft())
        self._hold_past()

    def _hold_past(self) -> None:
        """Makes the journal keep all symbols that are needed to go on from the latest state."""
        latest = self.journal.snapshot_before(self.position)
        self.journal.needed = latest[0] - 1 if latest else 0

    # Committing

    def commit(self, now: float) -> Committed:
        """Makes the next computed symbol history."""
        journal, symbol = self.journal, self._computed.popleft()
        n, due = journal.position, self._timeline.next_due
        again = n < self.heard
        if again:
            due = now
        elif self.pending_steps:
            self.pending_steps -= 1
            due = now
        journal.append(symbol, due, fed=False, velocity=self.codec.velocity(symbol))
        if self._snapshots:
            self._settle_snapshots()
        self._advance(symbol, due)
        if again and not self.catches_up:
            self.start(now)
        return Committed(n, symbol, due, False, self._spelling.sound, journal.velocity)
