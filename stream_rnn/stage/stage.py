"""The stage: all sessions, between the clients and the engines. Synchronous; time is passed in.

`handle` takes clients' messages, `engine_life` takes what the engines send, and `tick` hands
out what is due.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence

from stream_rnn.codecs.snippets import Touch
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.band import as_band
from stream_rnn.sessions.flow import Timing
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.sessions.store import Kept
from stream_rnn.sessions.tempo import Tempi
from stream_rnn.stage.capacity import Capacity
from stream_rnn.stage.catalogue import Catalogue
from stream_rnn.stage.commits import Commits
from stream_rnn.stage.engine_life import EngineLife
from stream_rnn.stage.engines import Engines
from stream_rnn.stage.events import controlled_event, rewound_event
from stream_rnn.stage.failures import Failures
from stream_rnn.stage.idleness import Idleness
from stream_rnn.stage.keeping import Keeping, Shelf
from stream_rnn.stage.lifecycle import Lifecycle
from stream_rnn.stage.limits import Counters, Limits, Model
from stream_rnn.stage.opening import Openings
from stream_rnn.stage.returning import Returning
from stream_rnn.stage.roster import Roster
from stream_rnn.stage.subscribers import Asker, Audience, Sink, Viewer
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire

log = logging.getLogger("stream_rnn.stage")


class Stage:
    """All sessions, and everything that can be asked of them.

    Args:
        models: by the name they are opened by.
        rollback: length of the engines' rollback window, in symbols.
        tempi: the tempo sources that sessions may follow; see `retime`.

    Attributes:
        instance: tells this server from the one before, which had another clock.
        engines: compute the sessions; add one before any session is opened.
        engine_life: must be told what the engines send, and when they die and are back.
        times: when each session has something to commit next.
        capacity: refuses sessions for which there is no time.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        *,
        rollback: int = 32,
        timing: Timing | None = None,
        limits: Limits | None = None,
        tempi: Tempi | None = None,
    ) -> None:
        self.instance = secrets.token_hex(8)
        self.models = Catalogue(models)
        self.limits = limits or Limits()
        self.tempi = tempi or Tempi()
        self.counters = Counters()
        self.engines = Engines()
        self._audience = audience = Audience()
        roster = Roster(audience, self.limits, timing or Timing(), self.tempi, rollback)
        self._roster, self.sessions = roster, roster.by_name
        self._failures = Failures(self.engines.restore, lambda s, e: self._lifecycle.give_up(s, e))
        self._commits = Commits(roster, audience, self.engines, self._failures, self.counters)
        self.times = self._commits.times
        openings = Openings(self.models, self.limits, self.tempi)
        self._lifecycle = Lifecycle(roster, audience, openings, self.engines, self._commits)
        self._idleness = Idleness(
            roster, self.limits, self.engines, self.times, self._lifecycle.close
        )
        self.capacity = Capacity(roster, audience, self.engines, self.limits.busy)
        roster.admit = self.capacity.admit
        self.engine_life = EngineLife(
            roster, audience, self.models, self.engines, self._commits, self._failures,
            self.counters, self.capacity,
        )  # fmt: skip
        self._returning = Returning(
            roster, audience, self.models, self.limits, self.engines, self._commits, self.handle
        )

    # The store

    def keep_in(self, shelf: Shelf, numerics: int, next_key: int) -> Keeping:
        """Has all sessions kept in a store from now on. What is returned must be ticked.

        Args:
            numerics: the engine's.
            next_key: from here on numbers are free in the store.
        """
        keeping = Keeping(
            shelf, self._roster, self.counters, self._audience.send, numerics, next_key
        )
        self._audience.gate = keeping
        return keeping

    def bring_back(
        self, kept: Sequence[Kept], keeping: Keeping, now: float, shift: float
    ) -> list[str]:
        """Brings sessions back from a store; see `Returning.bring`."""
        return self._returning.bring(kept, keeping, now, shift)

    # The server's own outputs and observers

    def add_sink(self, sink: Sink) -> None:
        """Adds an output of the server's own, which views every session that it wants."""
        self._audience.add_sink(sink)

    def observe(self, tell: Callable[[events.Event], None]) -> None:
        """Sends the news of every session to an observer, which does not count as a listener."""
        self._audience.observers.append(tell)

    def at_panic(self, end_notes: Callable[[], None]) -> None:
        """Has `end_notes` called at a panic, for a part of the server that views no session."""
        self._audience.panics.append(end_notes)

    def keep(self, name: str) -> None:
        """Lets a session count as viewed for as long as it is open."""
        self._audience.keep(name)

    def viewers(self, name: str) -> int:
        """How many clients view a session."""
        return self._audience.count(name)

    # Clients

    def handle(self, asker: Asker | None, message: wire.Message, now: float) -> None:
        """Does what a message asks, and answers the asker, if there is one; errors go there, too.

        An asker that opens, forks or attaches views the session from then on, if it is a `Viewer`.
        """
        try:
            match message:
                case wire.Open():
                    self._lifecycle.open(asker, message, now)
                case wire.Ping():
                    # Answered at once, so that received and sent are one moment.
                    if asker is not None:
                        asker.tell(events.Pong(message.t0, now, now, id=message.id))
                case _:
                    self._handle_session(asker, self._roster.find(message.session), message, now)
        except ProtocolError as error:
            self.refuse(asker, error, getattr(message, "session", None), message.id)
        except Exception:
            log.exception("%r could not be done", message)
            failed = ProtocolError("internal", "a bug made this fail; the server's log says more")
            name = getattr(message, "session", None) or ""
            self.refuse(asker, failed, name or None, message.id)
            if name in self.sessions:
                self.sessions[name].forget_future()
                self._failures.restore(self.sessions[name])  # to the last committed symbol
        self.engines.flush(now)

    def refuse(
        self,
        asker: Asker | None,
        error: ProtocolError,
        session: str | None = None,
        id: wire.Id = None,
    ) -> None:
        """Tells a client what it did wrong."""
        self.counters.errors += 1
        if asker is not None:
            asker.tell(events.error_event(error, session=session, id=id))

    def _handle_session(
        self, asker: Asker | None, session: Session, message: wire.Message, now: float
    ) -> None:
        if session.status is Status.EVICTED and not isinstance(message, wire.Close):
            self.models.find(session.card.name)
            self._idleness.bring_back(session, now)
        if session.returned is not None and self._returning.waits(asker, session, message):
            return
        told: events.SessionEvent | None = None  # sent to all viewers
        match message:
            case wire.Attach():
                self._lifecycle.attach(asker, session, message, now)
            case wire.Control(model=str(name)) if name != session.card.name:
                self._lifecycle.change_model(asker, session, message, now)
                return
            case wire.Control():
                self.tempi.check(message.controls, session.codec)
                before = session.pending
                position, plan = session.change(message.controls, message.at, now)
                self.engines.plan(session, plan)
                told = controlled_event(session, position, message.controls, before)
            case wire.Feed():
                symbols = self.limits.parse(session.codec, message.symbols, "symbols")
                self._commits.feed(session, symbols, now, in_time=message.in_time)
                told = events.Fed(session.name, session.position)
            case wire.Lead():
                position = as_band(session).lead(message.player, message.gesture)
                told = events.Led(session.name, position, message.player, message.gesture)
            case wire.Touch(x=x, y=y, down=down, player=player):
                band = as_band(session)
                played = band.touch(player, Touch(x, y, bool(down)), now)
                self._commits.show_touch(band, played)
            case wire.Step():
                session.move("step")
                if session.pending_steps + message.count > wire.MAX_STEPS:
                    raise ProtocolError(
                        "bad_value", f"at most {wire.MAX_STEPS} steps may be pending", field="count"
                    )
                session.pending_steps += message.count
            case wire.Play():
                self._lifecycle.let_sound(session)
                self._lifecycle.play(session, asker, message.id, now)
            case wire.Pause():
                told = _pause(session)
            case wire.Reset():
                self.engines.plan(session, session.reset(now))
                told = events.Reset(session.name, 0, session.epoch)
            case wire.Rewind():
                self.engines.plan(session, session.rewind(message.to, now))
                told = rewound_event(session, session.position)
            case wire.Fork():
                model = self.models.find(session.card.name)
                self._lifecycle.fork(asker, session, model, message, now)
                return
            case wire.Close():
                self._lifecycle.close(session, asker, message.id)
                return
        if told is not None:
            self._audience.broadcast(told, asker, message.id)
        self._commits.touch(session, now)

    def leave(self, viewer: Viewer, now: float) -> None:
        """Removes a client that has gone; the sessions that it opened stay for a while."""
        self._returning.leave(viewer)
        for name in self._audience.leave(viewer):
            self.sessions[name].left_at = now
            if not self._audience.count(name):
                self.sessions[name].idle_since = now

    def panic(self, asker: Asker | None, now: float, id: wire.Id = None) -> None:
        """Pauses every session that plays, and makes every sink end its notes."""
        for session in self._roster:
            if session.playing:
                self._audience.broadcast(_pause(session), asker, id)
                self._commits.touch(session, now)
        self._audience.panic()
        self.engines.flush(now)

    def retime(self, source: str, now: float, *, cue: bool = False, tell: bool = False) -> None:
        """Makes the sessions that follow a source go on in its new tempo.

        Args:
            cue: whether the source's beat begins at this moment.
            tell: whether viewers are told.
        """
        for session in self._roster:
            if session.controls.sync != source or session.status is Status.EVICTED:
                continue
            session.retime(now, cue=cue)
            if tell:
                told = controlled_event(session, session.position, ["bpm", "rate"])
                self._audience.broadcast(told)
            self._commits.touch(session, now)
        self.engines.flush(now)

    # As time passes

    def tick(self, now: float) -> None:
        """Commits and hands out everything whose commit time has come."""
        self._commits.tick(now)

    def next_time(self) -> float:
        """When `tick` will have something to do, if nothing happens until then."""
        return min(self.times.first(), self.engines.next_time())

    def sweep(self, now: float) -> None:
        """Looks after idle and starving sessions; to be called every second or so."""
        self.capacity.sample(now)
        self.engine_life.look(now)
        self._idleness.sweep(now)
        self.engines.flush(now)


def _pause(session: Session) -> events.Paused:
    session.move("pause")
    session.paused_by_idleness = False
    return events.Paused(session.name, session.position)
