"""One session: a stream's past, what is computed of its future, and when that is due.

No I/O, and the time is passed in. A symbol is *computed* when the engine sends it,
*committed* `commit_ahead` before it is due, and from then on it is history.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import Codec
from stream_rnn.engine.messages import Plan
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.control_log import ControlLog, Entry, tied
from stream_rnn.sessions.controls import (
    BEATS_PER_BAR,
    ENGINE_FIELDS,
    Controls,
    default_controls,
    engine_settings,
    steps_per_beat,
)
from stream_rnn.sessions.course import Course
from stream_rnn.sessions.epochs import Epochs
from stream_rnn.sessions.journal import NEVER, Committed, Journal
from stream_rnn.sessions.status import TRANSITIONS, Status
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.sessions.timeline import Pace, Timeline

AWAY_HISTORY = 5000  # symbols that a session keeps when it is put away
LONG_FEED = 256  # symbols; more at once are sent as history, at each viewer's own pace
MOST_BEHIND = 32_768  # fed symbols that the engine has not come through, before more are refused


@dataclass(frozen=True)
class Timing:
    """How sessions keep time, in seconds.

    Attributes:
        commit_ahead: how long before it is due a symbol is handed out.
        lookahead: how far ahead of the committed the engine may compute.
        start_delay: from `play` to the first symbol.
        stall: a symbol later than this shifts the timeline instead of being caught up.
        silence: when it is later than this, and still after a while, what sounds ends.
    """

    commit_ahead: float = 0.020
    lookahead: float = 0.4
    start_delay: float = 0.06
    stall: float = 0.25
    silence: float = 0.5


@dataclass(frozen=True)
class Allowance:
    """A session's credit: see `engine.messages.Credit`."""

    until: int
    position: int
    due: float
    interval: float


@dataclass
class Session:
    """A stream with a name.

    Attributes:
        key: by which the engine knows it.
        generation: of the latest plan.
        epochs: which past it has, and where that parted from the ones before.
        tempi: the tempo of each source that is heard, kept up to date by whoever made it.
        owed: symbols asked for by `step`, not committed yet.
        idle_since: when the last viewer left; none while somebody listens.
        left_at: the same, of viewers that are not the house's own.
        paused_by_idleness: whether it plays on when somebody comes.
        silent: whether it is a fork that sounds nowhere in the house until somebody plays it.
    """

    name: str
    key: int
    card: Card
    codec: Codec
    timing: Timing
    ring: int
    log: ControlLog
    journal: Journal
    tempi: Mapping[str, Tempo] = field(default_factory=dict)
    status: Status = Status.PAUSED
    generation: int = 0
    epochs: Epochs = field(default_factory=Epochs)
    course: Course = field(default_factory=Course)
    owed: int = 0
    idle_since: float | None = None
    left_at: float | None = None
    paused_by_idleness: bool = False
    silent: bool = False
    stalls: int = 0
    _computed: deque[int] = field(default_factory=deque)
    _snapshots: deque[tuple[int, bytes]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._timeline = Timeline(steps_per_beat(self.card), self.timing.commit_ahead)
        speed = default_controls(self.card, 0).rate
        self._pace = Pace(self.codec, speed, steps_per_beat(self.card))
        self._spelling = self._pace.spelling
        self._spelling.recall(self.journal)
        self._await_changes()
        self._hold_past()

    @property
    def position(self) -> int:
        """How many symbols are committed; the `n` of the next one."""
        return self.journal.position

    @property
    def epoch(self) -> int:
        """The number of its past: each rewind and reset begins a new one."""
        return self.epochs.now

    @property
    def spells(self) -> bool:
        """Whether its symbols spell out notes, several to one."""
        return self._spelling.there

    def seconds_of(self, committed: Committed) -> float:
        """How long what a symbol began to sound lasts, in the tempo in force or followed."""
        beats = committed.sound.beats if committed.sound else 0.0
        return beats * steps_per_beat(self.card) / self.controls_at(committed.n).rate

    def beat_of(self, committed: Committed) -> tuple[float, float] | None:
        """Where the symbol stands that was committed last, and how long it lasts, in beats."""
        if not self._pace.follows or (committed.fed and committed.due >= self.next_due):
            return None
        if self.spells:
            beats = committed.sound.beats if committed.sound else 0.0
            return self._spelling.beats - beats, beats
        per_beat = steps_per_beat(self.card)
        return committed.n / per_beat, 1 / per_beat

    def since(self, start: int) -> Iterator[Committed]:
        """What was committed from a position on, with what it sounded."""
        return self._spelling.told(self.journal, start)

    @property
    def controls(self) -> Controls:
        """The controls in force for the next symbol."""
        return self.controls_at(self.position)

    def controls_at(self, position: int) -> Controls:
        """The controls in force at a position; the tempo is the one that is followed, if any."""
        controls = self.log.at(position)
        tempo = self._tempo_of(controls)
        if tempo is None:
            return controls
        rate = 1.0 / tempo.interval(steps_per_beat(self.card))
        return replace(controls, bpm=tempo.bpm, rate=rate)

    @property
    def tempo(self) -> Tempo | None:
        """The tempo that it follows, if there is one."""
        return self._tempo_of(self.log.at(self.position))

    def _tempo_of(self, controls: Controls) -> Tempo | None:
        return self.tempi.get(controls.sync) if self._pace.follows else None

    @property
    def _place(self) -> float:
        return self._pace.place(self.position)

    @property
    def next_due(self) -> float:
        """When the next symbol is due."""
        return self._timeline.next_due

    @property
    def playing(self) -> bool:
        """Whether it plays, or will as soon as the engine is back."""
        return self.status in (Status.PLAYING, Status.STALLED)

    @property
    def interval(self) -> float:
        """Seconds in a step: between symbols, but for events that last as long as they say."""
        return 1.0 / self.controls.rate

    def move(self, action: str) -> None:
        """Changes the status by the table.

        Raises:
            ProtocolError: `bad_state`.
        """
        status = TRANSITIONS.get((self.status, action))
        if status is None:
            raise ProtocolError(
                "bad_state",
                f"cannot {action} session {self.name!r} while it is {self.status.value}",
            )
        self.status = status

    # What changes the future. Each returns the plan for the engine, if it needs one.

    def change(self, changes: Mapping[str, Any], at: str, now: float) -> tuple[int, Plan | None]:
        """Changes controls from the next symbol, beat or bar; also returns the position.

        What was to change later of the same controls is withdrawn.

        Raises:
            ProtocolError: a control is unknown or its value cannot be.
        """
        position = self.position
        if at != "now":
            grid = steps_per_beat(self.card) * (BEATS_PER_BAR if at == "bar" else 1)
            position = self._pace.until(grid, position, self._computed)
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
        # What is computed and comes before the change is left as it is.
        first = min(position, *withdrawn, self.position + len(self._computed))
        self._give_up(first)
        # Where a part of the past is still to be told, the changes go with that.
        return position, self._plan(first, first) if self.course.untold is None else None

    @property
    def pending(self) -> list[Entry]:
        """Changes that hold from a position on which has not been reached."""
        return self.log.after(self.position)

    def come_into_force(self) -> list[Entry]:
        """Changes that were pending and no longer are; each is returned once."""
        if self.position < self._change_at:
            return []
        reached = [e for e in self.log.after(self._change_at - 1) if e.position <= self.position]
        self._await_changes()
        return reached

    def _await_changes(self) -> None:
        self._change_at = min((e.position for e in self.pending), default=NEVER)

    def put_away(self) -> None:
        """Gives back its slot; of its past it keeps little, but enough to go on."""
        self.move("put_away")
        self.generation += 1  # what the engine still sends is nobody's
        self._computed.clear()
        self._snapshots.clear()
        self.course.untold = None
        self.owed = 0
        self.journal.shorten(AWAY_HISTORY)
        self.journal.thin_states(1)
        self.log.forget(self.journal.earliest or 0)

    def feed(
        self, symbols: list[int], now: float, *, in_time: bool = False
    ) -> tuple[list[Committed], Plan | None]:
        """Commits given symbols as they are; returns them, unless there are very many.

        Args:
            in_time: while it plays, they take the place of as many that would have come.

        Raises:
            ProtocolError: `bad_state`: the engine is far behind with what was fed before.
        """
        start = self.position
        if symbols and self.course.behind(start) + len(symbols) > MOST_BEHIND:
            raise ProtocolError(
                "bad_state",
                f"the engine is {self.course.behind(start)} symbols behind what was fed to "
                f"session {self.name!r}; feed more when it has come through them",
            )
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
        # A long feed is read from the journal, when its turn comes.
        fed = list(self.journal.since(start)) if in_time or len(symbols) <= LONG_FEED else []
        return fed, self.next_part()

    def rewind(self, position: int, now: float) -> Plan:
        """Makes `position` the next one, with the state and controls it had.

        Raises:
            ProtocolError: `bad_position`: beyond the present, or further back than is kept.
        """
        self.check_past(position, "to")
        self.course.turn(self.generation + 1, position)
        self.epochs.begin(position)
        self.journal.truncate(position)
        self.log.truncate(position)
        self._await_changes()
        self._spelling.recall(self.journal)
        self.owed = 0
        self.start(now)
        return self.restore_plan()

    def reset(self, now: float) -> Plan:
        """Begins again at position 0, with the controls as they are now."""
        self.epochs.begin(0)
        self.log = ControlLog(self.log.at(self.position), self.card)
        self.journal = self.journal.empty()
        self._hold_past()
        self._await_changes()
        self._spelling.recall(self.journal)
        self.owed = 0
        self.start(now)
        self.course.turn(self.generation + 1, 0)
        return self.restore_plan()

    def restore_plan(self) -> Plan:
        """Brings an engine that knows nothing of this session to its position; perhaps by parts:
        see `next_part`.

        Raises:
            ProtocolError: `bad_position`: its past is not known far enough.
        """
        self.check_past(self.position, "position")
        start, state = self.journal.snapshot_before(self.position) or (0, b"")
        self._give_up(self.position)
        self.course.begin(self.generation, start, self.position)
        before = self.journal.packed(start - 1, start) if start else b""
        start, stop = self.course.next_part(self.position) or (start, start)
        return self._plan(start, stop, state, before)

    def next_part(self) -> Plan | None:
        """The next part of the past that the engine is to be told, if it is ready for one."""
        part = self.course.next_part(self.position)
        return None if part is None else self._plan(*part)

    def _give_up(self, position: int) -> None:
        """Drops what is computed from a position on and not committed."""
        self.generation += 1
        self.course.turn(self.generation, position)
        while self._computed and self.position + len(self._computed) > position:
            self._computed.pop()
        while self._snapshots and self._snapshots[-1][0] > position:
            self._snapshots.pop()

    def _plan(self, start: int, stop: int, state: bytes = b"", before: bytes = b"") -> Plan:
        """What the engine is to do from `start` on; what stands before `stop` is given."""
        last = NEVER if self.course.untold is None else stop  # later changes come with their part
        schedule = tuple(
            (n, engine_settings(controls, self.card))
            for n, controls in self.log.schedule(start)
            if n < last or n == start
        )
        forced = self.journal.packed(start, stop)
        return Plan(self.key, self.generation, start, schedule, forced, state, before)

    def check_past(self, position: int, name: str) -> None:
        """Checks that a position can be gone back to.

        Raises:
            ProtocolError: `bad_position`.
        """
        earliest = self.journal.earliest_from(self.log.first)
        if earliest is None:
            raise ProtocolError(
                "bad_position",
                f"the past of session {self.name!r} is not known far enough to go on from; "
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
        """Takes a computed symbol; one of an older plan is dropped."""
        if generation != self.generation:
            return
        assert position == self.position + len(self._computed)
        if not self._computed and now > self.next_due + self.timing.stall:
            self.stalls += self.status is Status.PLAYING
            self._timeline.delay(now + self.timing.commit_ahead, self._place, self.tempo)
        self._computed.append(symbol)
        self.course.came(generation, position + 1)

    def starves(self, now: float) -> bool:
        """Whether what came last may sound on and on, for want of what should follow it."""
        if self.status is not Status.PLAYING or self._computed:
            return False
        if now <= self.next_due + self.timing.silence or self.position == self.journal.first:
            return False
        return not self.journal[self.position - 1].fed  # which sounds nothing

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
        """The journal lets nothing go that the latest state has to be followed by."""
        latest = self.journal.snapshot_before(self.position)
        self.journal.needed = latest[0] - 1 if latest else 0

    def allowance(self, now: float) -> Allowance:
        """How far the engine may go, and by when.

        What is owed is wanted now; what is paused, whenever nobody else wants anything.
        """
        interval = self.interval
        ahead = max(2, math.ceil(self.timing.lookahead / interval)) + self.owed
        if self._pace.own:
            # Symbols are short and long as they come: as many as may be, and for the next one
            # the mean of what is computed; where nothing is, at once.
            ahead = self.ring
            steps = sum(self._pace.steps(symbol) for symbol in self._computed)
            interval *= steps / max(1, len(self._computed))
        due = self.next_due - self.timing.commit_ahead
        if not self.playing:
            due = now if self.owed else math.inf
        until = self.position + min(ahead, self.ring - 1)
        if self.course.untold is not None:
            until = self.course.untold  # what follows is not the engine's to draw
        return Allowance(until, self.position, due, interval)

    # Committing

    def commit_time(self) -> float:
        """When the next symbol is to be committed; infinity while there is none to."""
        if not self._computed:
            return math.inf
        if self.owed:
            return -math.inf
        return (
            self.next_due - self.timing.commit_ahead if self.status is Status.PLAYING else math.inf
        )

    def commit(self, now: float) -> Committed:
        """Makes the next computed symbol history."""
        n, symbol = self.position, self._computed.popleft()
        if self.owed:
            self.owed -= 1
            due = now
        else:
            due = self.next_due
        self.journal.append(symbol, due, fed=False, velocity=self.codec.velocity(symbol))
        self._settle_snapshots()
        self._advance(symbol, due)
        sound, velocity = self._spelling.sound, self.journal.velocity
        return Committed(n, symbol, due, fed=False, sound=sound, velocity=velocity)

    def _advance(self, symbol: int, due: float, *, fed: bool = False) -> None:
        steps = self._pace.pass_on(symbol, fed=fed)
        rate = self.log.at(self.position).rate
        self._timeline.advance(due, steps, self._place, rate=rate, tempo=self.tempo)

    def start(self, now: float) -> None:
        """Sets the timeline so that the next symbol comes soon, or at its step of the bar."""
        self._timeline.start(now + self.timing.start_delay, self._place, self.tempo)

    def retime(self, now: float, *, cue: bool = False) -> None:
        """The tempo that it may follow has changed.

        Args:
            cue: whether the beat begins at this moment, and the session with it.
        """
        tempo, rate = self.tempo, self.log.at(self.position).rate
        if cue and tempo is not None:
            self._timeline.cue(now, self._place, tempo)
        else:
            self._timeline.retime(now, self._place, rate=rate, tempo=tempo)
