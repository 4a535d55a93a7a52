"""A stream in time: when its symbols are due, and how far ahead the engine may compute it.

No I/O, and the time is passed in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from msgspec import Struct

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import Codec
from stream_rnn.sessions.control_log import ControlLog
from stream_rnn.sessions.controls import Controls, default_controls, steps_per_beat
from stream_rnn.sessions.course import Course
from stream_rnn.sessions.epochs import Epochs
from stream_rnn.sessions.journal import Committed, Journal
from stream_rnn.sessions.status import Status
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.sessions.timeline import Pace, Timeline

USED = 3  # credit is renewed when the third part of it is used
SOON = 0.02  # seconds: a few steps that are asked for come after what is due within so long
STEPS = 8  # with more steps to make, a session makes them while there is time for them


@dataclass(frozen=True)
class Timing:
    """How sessions keep time, in seconds.

    Attributes:
        commit_ahead: how long before its due time a symbol is handed out.
        lookahead: how far ahead of the committed symbols the engine may compute.
        start_delay: from `play` to the first symbol.
        stall: a symbol that is later than this shifts the timeline; the lost time is not made up.
        starved: lateness of a symbol after which the sounding notes are ended.
    """

    commit_ahead: float = 0.020
    lookahead: float = 0.4
    start_delay: float = 0.06
    stall: float = 0.25
    starved: float = 0.5


class Credit(Struct, frozen=True):
    """A session's credit: see `engine.messages.Credits`."""

    until: int
    position: int
    due: float
    interval: float


@dataclass
class Flow:
    """A named stream and its timing.

    Attributes:
        key: the session's number on the engine.
        generation: of the latest plan.
        epochs: the numbered pasts, and where each parted from the others.
        tempi: the tempo of each source that is heard; its owner keeps it up to date.
        pending_steps: symbols asked for by `step`, not committed yet.
        idle_since: when the last viewer left; none while there is one.
        left_at: when the last client left, the server's own sinks aside; none while there is one.
        paused_by_idleness: whether it was paused for want of viewers, and plays on for the next.
        heard: what comes before this position was heard before the server was started: it is
            computed again at once.
        returned: the position that a store brought it back at, until something is changed.
        silent: whether it is a fork that no client has played yet; most sinks leave it out.
    """

    name: str
    key: int
    card: Card
    codec: Codec
    timing: Timing
    rollback: int
    log: ControlLog
    journal: Journal
    tempi: Mapping[str, Tempo] = field(default_factory=dict)
    status: Status = Status.PAUSED
    generation: int = 0
    epochs: Epochs = field(default_factory=Epochs)
    course: Course = field(default_factory=Course)
    pending_steps: int = 0
    idle_since: float | None = None
    left_at: float | None = None
    paused_by_idleness: bool = False
    silent: bool = False
    heard: int = 0
    returned: int | None = None
    stalls: int = 0
    _computed: deque[int] = field(default_factory=deque)
    _snapshots: deque[tuple[int, bytes]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._per_beat = steps_per_beat(self.card)
        self._timeline = Timeline(self._per_beat, self.timing.commit_ahead)
        speed = default_controls(self.card, 0).rate
        self._pace = Pace(self.codec, speed, self._per_beat)
        self._renewal = 0
        self._spelling = self._pace.spelling
        self._spelling.recall(self.journal)

    @property
    def position(self) -> int:
        """How many symbols are committed; the `n` of the next one."""
        return self.journal.position

    @property
    def catches_up(self) -> bool:
        """Whether it is still computing what was heard already."""
        return self.journal.position < self.heard

    @property
    def _at_once(self) -> int:
        """How many of the next symbols are wanted at once."""
        return max(self.pending_steps, self.heard - self.journal.position)

    @property
    def epoch(self) -> int:
        """The number of its past: each rewind and reset begins a new one."""
        return self.epochs.now

    @property
    def spells(self) -> bool:
        """Whether its symbols spell notes, several to a note."""
        return self._spelling.there

    def seconds_of(self, committed: Committed) -> float:
        """Seconds that the sound which a symbol began lasts, at the tempo in force or followed."""
        beats = committed.sound.beats if committed.sound else 0.0
        return beats * self._per_beat / self.controls_at(committed.n).rate

    def beat_of(self, committed: Committed) -> tuple[float, float] | None:
        """The place and length, in beats, of the symbol committed last; none if off the beat."""
        if not self._pace.follows or (committed.fed and committed.due >= self.next_due):
            return None
        if self.spells:
            beats = committed.sound.beats if committed.sound else 0.0
            return self._spelling.beats - beats, beats
        return committed.n / self._per_beat, 1 / self._per_beat

    def since(self, start: int) -> Iterator[Committed]:
        """Committed symbols from a position on, with their sounds."""
        return self._spelling.told(self.journal, start)

    @property
    def controls(self) -> Controls:
        """The controls in force for the next symbol."""
        return self.controls_at(self.position)

    def controls_at(self, position: int) -> Controls:
        """The controls in force at a position; a tempo that is followed replaces their own."""
        controls = self.log.at(position)
        tempo = self._tempo_of(controls)
        if tempo is None:
            return controls
        rate = 1.0 / tempo.interval(self._per_beat)
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

    # By the time

    def credit(self, now: float) -> Credit:
        """How far the engine may compute, and by when.

        A few pending steps are due soon. Many have no deadline, but are wanted as soon as others
        leave time. A paused session has no deadline: others come first.
        """
        position = self.journal.position
        interval = 1.0 / self.controls_at(position).rate
        at_once = self._at_once
        ahead = max(2, math.ceil(self.timing.lookahead / interval)) + at_once
        if self._pace.own:
            # Lengths vary: allow as many symbols as possible, at the mean length of those that
            # are computed. Where none are, the next ones are wanted at once.
            ahead = self.rollback
            steps = sum(self._pace.steps(symbol) for symbol in self._computed)
            interval *= steps / max(1, len(self._computed))
        due = self._timeline.next_due - self.timing.commit_ahead
        if self.catches_up:
            due = now
        elif not self.playing:
            due = now + SOON if at_once > 0 else math.inf
            due = -math.inf if at_once > STEPS else due
        ahead = min(ahead, self.rollback - 1)
        # Where symbols are not due one interval after another, each moves the deadline.
        each = self._pace.own or self.catches_up or 0 < at_once <= STEPS
        self._renewal = position + (1 if each else max(1, ahead // USED))
        until = position + ahead
        if self.course.untold is not None:
            until = self.course.untold  # the symbols after it are not drawn
        return Credit(until, position, due, interval)

    @property
    def wants_credit(self) -> bool:
        """Whether so much of its credit is used that the engine should be given new one."""
        return self.journal.position >= self._renewal

    def commit_time(self) -> float:
        """When the next symbol is to be committed; infinity while none is to be."""
        if not self._computed:
            return math.inf
        if self.pending_steps or self.journal.position < self.heard:
            return -math.inf
        if self.status is not Status.PLAYING:
            return math.inf
        return self._timeline.next_due - self.timing.commit_ahead

    def runs_dry(self) -> float:
        """When it has played all that is computed; infinity if it does not play."""
        if self.status is not Status.PLAYING:
            return math.inf
        return self._timeline.next_due + len(self._computed) / self.controls.rate

    def _advance(self, symbol: int, due: float, *, fed: bool = False) -> None:
        steps = self._pace.pass_on(symbol, fed=fed)
        controls = self.log.at(self.journal.position)
        tempo = self._tempo_of(controls)
        place = 0.0 if tempo is None else self._place
        self._timeline.advance(due, steps, place, rate=controls.rate, tempo=tempo)

    def start(self, now: float) -> None:
        """Sets the timeline so that the next symbol comes soon, or at its step of the bar."""
        self._timeline.start(now + self.timing.start_delay, self._place, self.tempo)

    def retime(self, now: float, *, cue: bool = False) -> None:
        """Adjusts the timeline to a change of the tempo that it may follow.

        Args:
            cue: whether the beat begins at this moment, and the session with it.
        """
        tempo, rate = self.tempo, self.log.at(self.position).rate
        if cue and tempo is not None:
            self._timeline.cue(now, self._place, tempo)
        else:
            self._timeline.retime(now, self._place, rate=rate, tempo=tempo)

    @property
    def computed(self) -> int:
        """How many symbols are computed and not committed."""
        return len(self._computed)

    def _packed(self, start: int, stop: int) -> bytes:
        """The symbols from `start` to `stop`, packed; the last of them may be only computed."""
        position, width = self.position, self.codec.width
        computed = islice(self._computed, max(0, start - position), max(0, stop - position))
        past = self.journal.packed(min(start, position), min(stop, position))
        return past + b"".join(symbol.to_bytes(width, "little") for symbol in computed)
