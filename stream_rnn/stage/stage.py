"""Every session, between the clients and the engine. Synchronous; the time is passed in.

Clients' messages come in by `handle`, the engine's results by `engine_said`, and `tick`
hands out what is due.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stream_rnn.codecs.snippets import Touch
from stream_rnn.engine import messages as engine
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.band import BandSession, Played, as_band
from stream_rnn.sessions.journal import Committed
from stream_rnn.sessions.pending import controlled
from stream_rnn.sessions.session import LONG_FEED, Session, Timing
from stream_rnn.sessions.status import Status
from stream_rnn.sessions.tempo import Tempi
from stream_rnn.stage.catalogue import Catalogue
from stream_rnn.stage.commit_times import CommitTimes
from stream_rnn.stage.engines import EngineLink, unpack_tile
from stream_rnn.stage.events import opened_event, symbol_event, touch_event
from stream_rnn.stage.failures import Failures
from stream_rnn.stage.idleness import Idleness
from stream_rnn.stage.limits import Counters, Limits, Model
from stream_rnn.stage.opening import Openings
from stream_rnn.stage.registry import Roster
from stream_rnn.stage.replay import replay, resume
from stream_rnn.stage.subscribers import Audience, Beat, Moment, Sink, Viewer
from stream_rnn.wire import messages as wire

log = logging.getLogger("stream_rnn.stage")


class Stage:
    """The sessions.

    Args:
        models: by the name they are opened by.
        send: takes commands to the engine.
        ring: the engine's.
        tempi: what sessions may follow; see `retime`.
        has_room: whether the engine takes more; `tick` when it does again.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        send: Callable[[list[engine.Command]], None],
        *,
        ring: int = 32,
        timing: Timing | None = None,
        limits: Limits | None = None,
        tempi: Tempi | None = None,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.models = Catalogue(models)
        self.limits = limits or Limits()
        self.tempi = tempi or Tempi()
        self.counters = Counters()
        self.times = CommitTimes()
        self._engine = EngineLink(send, has_room)
        self._audience = Audience()
        self._roster = Roster(self._audience, self.limits, timing or Timing(), self.tempi, ring)
        self.sessions = self._roster.by_name
        self._openings = Openings(self.models, self.limits, self.tempi)
        self._idleness = Idleness(
            self._roster, self.limits, self._engine, self.times, lambda s: self._close(s, None)
        )
        self._failures = Failures(self._restore, self._give_up)
        self._sinks: list[Sink] = []
        self._starving: set[int] = set()  # keys of sessions, at the last look
        self._heard_engine = math.inf  # when it last said something

    # Clients

    def add_sink(self, sink: Sink) -> None:
        """A place of the house's own, which views every session that it wants."""
        self._sinks.append(sink)
        self._audience.add_house(sink)

    def observe(self, tell: Callable[[wire.Event], None]) -> None:
        """The news of every session, for one of the house who does not count as a listener."""
        self._audience.observers.append(tell)

    def panic(self, viewer: Viewer, now: float, id: wire.Id = None) -> None:
        """Silence: what plays is paused, and every sink ends whatever it sounds."""
        for session in self._roster:
            if session.playing:
                session.move("pause")
                session.paused_by_idleness = False
                self._broadcast(session, viewer, id, "paused", position=session.position)
                self._touch(session, now)
        for sink in self._sinks:
            try:
                sink.panic()
            except Exception:
                log.exception("%s failed to end its notes", type(sink).__name__)
        self._engine.flush(now)

    def leave(self, viewer: Viewer, now: float) -> None:
        """A client has gone; what it opened stays for a while."""
        for name in self._audience.leave(viewer):
            self.sessions[name].left_at = now
            if not self._audience.count(name):
                self.sessions[name].idle_since = now

    def handle(self, viewer: Viewer, message: wire.Message, now: float) -> None:
        """Does what a client asks, and answers it; what it did wrong it is told."""
        try:
            match message:
                case wire.Open():
                    self._open(viewer, message, now)
                case wire.Ping():
                    # Answered at once, so that received and sent are one moment.
                    pong = wire.event("pong", t0=message.t0, t1=now, t2=now)
                    viewer.tell(pong.answering(message.id))
                case _:
                    self._handle_session(viewer, self._roster.find(message.session), message, now)
        except ProtocolError as error:
            self.refuse(viewer, error, getattr(message, "session", None), message.id)
        except Exception:
            log.exception("%r could not be done", message)
            failed = ProtocolError("internal", "the server failed at this; its log says more")
            name = getattr(message, "session", None) or ""
            self.refuse(viewer, failed, name or None, message.id)
            if name in self.sessions:
                self._failures.restore(self.sessions[name])  # its past is what holds
        self._engine.flush(now)

    def refuse(
        self, viewer: Viewer, error: ProtocolError, session: str | None = None, id: wire.Id = None
    ) -> None:
        """Tells a client what it did wrong."""
        self.counters.errors += 1
        viewer.tell(wire.error_event(error, session=session, id=id))

    def _handle_session(
        self, viewer: Viewer, session: Session, message: wire.Message, now: float
    ) -> None:
        if session.status is Status.AWAY and not isinstance(message, wire.Close):
            self.models.find(session.card.name)
            self._idleness.bring_back(session, now)
        match message:
            case wire.Attach():
                self._attach(viewer, session, message, now)
            case wire.Control(model=str(name)) if name != session.card.name:
                self._change_model(viewer, session, message, now)
                return
            case wire.Control():
                self.tempi.check(message.controls, session.codec)
                before = session.pending
                position, plan = session.change(message.controls, message.at, now)
                self._engine.plan(session, plan)
                told = controlled(session, position, message.controls, before)
                self._broadcast(session, viewer, message.id, "controlled", **told)
            case wire.Feed():
                symbols = self.limits.parse(session.codec, message.symbols, "symbols")
                self._feed(session, symbols, now, in_time=message.in_time)
                self._broadcast(session, viewer, message.id, "fed", position=session.position)
            case wire.Lead():
                led = as_band(session).lead(message.player, message.gesture)
                self._broadcast(session, viewer, message.id, "led", **led)
            case wire.Touch(x=x, y=y, down=down, player=player):
                touch = Touch(x, y, bool(down))
                self._show_touch(band := as_band(session), band.touch(player, touch, now))
            case wire.Step():
                session.move("step")
                if session.owed + message.count > wire.MAX_STEPS:
                    raise ProtocolError(
                        "bad_value", f"at most {wire.MAX_STEPS} steps may be owed", field="count"
                    )
                session.owed += message.count
            case wire.Play():
                self._let_sound(session)
                self._play(session, viewer, message.id, now)
            case wire.Pause():
                session.move("pause")
                session.paused_by_idleness = False
                self._broadcast(session, viewer, message.id, "paused", position=session.position)
            case wire.Reset():
                self._engine.plan(session, session.reset(now))
                self._broadcast(
                    session, viewer, message.id, "reset", position=0, epoch=session.epoch
                )
            case wire.Rewind():
                self._engine.plan(session, session.rewind(message.to, now))
                self._broadcast(
                    session, viewer, message.id, "rewound", position=session.position,
                    controls=session.controls.to_json(), epoch=session.epoch,
                )  # fmt: skip
            case wire.Fork():
                self._fork(viewer, session, message, now)
                return
            case wire.Close():
                self._close(session, viewer, message.id)
                return
        self._touch(session, now)

    # Opening, viewing, closing

    def _open(self, viewer: Viewer, message: wire.Open, now: float) -> None:
        new = self._openings.opened(message)
        name = message.session or self._roster.free_name(message.model)
        session = self._roster.make(viewer, name, new.model, new.log, new.journal)
        self._view(viewer, session)
        self._begin(viewer, session, message.id, play=message.play, prime=new.prime, now=now)

    def _change_model(
        self, viewer: Viewer, old: Session, message: wire.Control, now: float
    ) -> None:
        """Another model plays under the same name, for the same listeners."""
        new, playing = self._openings.of_another_model(old, message), old.playing
        self._engine.close(old)
        self.times.set(old.key, math.inf)
        old.move("close")
        session = self._roster.renew(old, new.model, new.log, new.journal)
        # What sounds ends by this, wherever it sounds, and what is shown is shown no more.
        self._broadcast(session, None, None, "reset", position=0, epoch=session.epoch)
        self._begin(viewer, session, message.id, play=playing, prime=new.prime, now=now)

    def _begin(
        self,
        viewer: Viewer,
        session: Session,
        id: wire.Id,
        *,
        play: bool,
        prime: list[int],
        now: float,
    ) -> None:
        """A session that was just made comes to life, and all who view it hear of it."""
        self._restore(session)
        session.start(now)
        if play:
            session.move("play")
        for sink in self._sinks_for(session):
            self._audience.view(session.name, sink)
        opened = opened_event(session)
        self._audience.tell(session.name, opened, viewer, id)
        self._audience.inform(opened)
        self._feed(session, prime, now)
        self._enter(session)
        self._touch(session, now)

    def _sinks_for(self, session: Session) -> list[Sink]:
        silent = {"silent": True} if session.silent else {}
        return [sink for sink in self._sinks if sink.wants(session.name, **silent)]

    def _let_sound(self, session: Session) -> None:
        """What is played sounds in the house, if it is a fork that did not before."""
        was_silent, session.silent = session.silent, False
        for sink in self._sinks_for(session) if was_silent else ():
            self._view(sink, session)
            sink.tell(opened_event(session))

    def _enter(self, session: Session) -> None:
        """A session made while the engine is down waits for it like the others."""
        if not self.engine_up:
            session.move("lose_engine")

    def _attach(self, viewer: Viewer, session: Session, message: wire.Attach, now: float) -> None:
        start, rewound = resume(session, message.after, message.epoch)
        self._view(viewer, session)
        viewer.tell(opened_event(session).answering(message.id))
        if rewound is not None:
            viewer.tell(rewound)
        if start is not None:
            replay(viewer, session, start)
        if session.paused_by_idleness:
            self._play(session, None, None, now)

    def _view(self, viewer: Viewer, session: Session) -> None:
        self._audience.view(session.name, viewer)
        session.idle_since = None
        if not self._audience.left(session.name):
            session.left_at = None

    def _fork(self, viewer: Viewer, parent: Session, message: wire.Fork, now: float) -> None:
        at = parent.position if message.at is None else message.at
        playing = parent.playing  # now, since it may give way to its fork
        parent.check_past(at, "at")
        session = self._roster.make(
            viewer, message.as_, self.models.find(parent.card.name),
            parent.log.copy(at), parent.journal.copy(at),
        )  # fmt: skip
        session.silent = True  # it would double its parent's notes
        self._view(viewer, session)
        self._begin(viewer, session, message.id, play=playing, prime=[], now=now)

    def _close(
        self, session: Session, viewer: Viewer | None, id: wire.Id = None, **reason: str
    ) -> None:
        away = session.status is Status.AWAY
        session.move("close")
        self._broadcast(session, viewer, id, "closed", **reason)
        if not away:
            self._engine.close(session)
        self._roster.remove(session)
        self.times.set(session.key, math.inf)

    def _play(self, session: Session, viewer: Viewer | None, id: wire.Id, now: float) -> None:
        if session.status is not Status.PLAYING:
            session.start(now)
        session.move("play")
        session.paused_by_idleness = False
        session.owed = 0
        self._enter(session)
        self._broadcast(session, viewer, id, "playing", position=session.position)

    def _feed(
        self, session: Session, symbols: list[int], now: float, *, in_time: bool = False
    ) -> None:
        start = session.position
        fed, plan = session.feed(symbols, now, in_time=in_time)
        self._engine.plan(session, plan)
        self._engine.credit(session)
        self._engine.flush(now)  # the engine can begin while the viewers are told
        if len(symbols) > LONG_FEED:
            for viewer in self._audience.of(session.name):
                replay(viewer, session, start)
        else:
            for committed in fed:
                self._show(session, committed)
        self._tell_changes(session)

    def retime(self, source: str, now: float, *, cue: bool = False, tell: bool = False) -> None:
        """The tempo of a source has changed: whoever follows it goes on in the new one.

        Args:
            cue: whether its beat begins at this moment.
            tell: whether the viewers should hear of it.
        """
        for session in self._roster:
            if session.controls.sync != source or session.status is Status.AWAY:
                continue
            session.retime(now, cue=cue)
            if tell:
                told = controlled(session, session.position, ["bpm", "rate"])
                self._broadcast(session, None, None, "controlled", **told)
            self._touch(session, now)
        self._engine.flush(now)

    def viewers(self, name: str) -> int:
        """How many clients view a session."""
        return self._audience.count(name)

    # Idleness

    def sweep(self, now: float) -> None:
        """Sees to what nobody listens to, and silences what starves; to be called every second
        or so.
        """
        # Two looks in a row: if the gateway itself stood still, the engine's answers
        # have not been read yet.
        before, self._starving = self._starving, {s.key for s in self._roster if s.starves(now)}
        self._stall([self._roster.by_key[key] for key in self._starving & before])
        self._idleness.sweep(now)
        self._engine.flush(now)

    # The engine

    def _restore(self, session: Session) -> None:
        """Brings an engine that knows nothing of a session to where it is.

        Raises:
            ProtocolError: its past is not known far enough.
        """
        plan = session.restore_plan()
        self._engine.open(session)
        self._engine.plan(session, plan)
        self._engine.credit(session)
        self.times.set(session.key, session.commit_time())

    def _give_up(self, session: Session, error: ProtocolError) -> None:
        self._audience.tell(session.name, wire.error_event(error, session=session.name))
        self._close(session, None, reason="internal")

    @property
    def engine_up(self) -> bool:
        """Whether there is an engine."""
        return self._engine.up

    def engine_said(self, events: Iterable[engine.Event], now: float) -> None:
        """Takes the engine's results, and hands out what is due already."""
        self._heard_engine = now
        for event in events:
            match event:
                case engine.Tile():
                    self._receive(event, now)
                case engine.Snapshot(key, generation, position, state):
                    if (session := self._roster.by_key.get(key)) is not None:
                        session.receive_snapshot(generation, position, state)
                        if (plan := session.next_part()) is not None:
                            self._engine.plan(session, plan)
                            self._engine.credit(session)
                case engine.Failed(_, key):
                    failed = None if key is None else self._roster.by_key.get(key)
                    self._failures.of_engine(event, failed, now)
        self.tick(now)

    def _receive(self, tile: engine.Tile, now: float) -> None:
        for computed in unpack_tile(tile):
            session = self._roster.by_key.get(computed.key)
            if session is None:
                continue
            before = session.stalls
            stalled = session.status is Status.STALLED and self.engine_up
            if stalled and computed.generation == session.generation:
                session.move("resume")
                self._tell_of_engine(session, "playing")
            try:
                session.receive(computed.generation, computed.position, computed.symbol, now)
                self.times.set(session.key, session.commit_time())
            except Exception:
                self._failures.of_gateway(session)
            self.counters.stalls += session.stalls - before

    def engine_silence(self, now: float) -> float:
        """For how many seconds sessions have been waiting for an engine that says nothing."""
        waited_for = any(session.status is Status.STALLED for session in self._roster)
        return max(0.0, now - self._heard_engine) if waited_for and self.engine_up else 0.0

    def lose_engine(self) -> None:
        """The engine has died: what plays stalls until `regain_engine`."""
        self._engine.up = False
        self.counters.engine_deaths += 1
        for session in self._roster:
            playing = session.status is Status.PLAYING
            session.move("lose_engine")
            if playing:
                self._tell_of_engine(session, "paused")

    def leave_out(self, models: Mapping[str, str]) -> None:
        """The engine could not load some models, by name and why: their sessions are put away."""
        self.models.left_out = models
        for session in self._roster:
            if (why := models.get(session.card.name)) and session.status is not Status.AWAY:
                if session.playing:
                    session.move("pause")
                session.put_away()
                self.times.set(session.key, math.inf)
                error = ProtocolError("unknown_model", why, field="model")
                self._audience.tell(session.name, wire.error_event(error, session=session.name))

    def regain_engine(self, now: float) -> None:
        """A new engine is up and knows nothing: every session goes on where it was."""
        self._engine.up = True
        self._heard_engine = now
        for session in self._roster:
            if session.status is Status.AWAY:
                continue
            self._failures.restore(session)
            if session.status is Status.CLOSED:
                continue
            stalled = session.status is Status.STALLED
            session.move("regain_engine")
            session.start(now)
            self._touch(session, now)
            if stalled:
                self._tell_of_engine(session, "playing")
        self._engine.flush(now)

    def _stall(self, starving: list[Session]) -> None:
        """The engine is there and does not answer: notes end as when it dies. With its next
        symbol a session plays on.
        """
        if starving:
            log.error("the engine does not answer; %d sessions wait for it", len(starving))
        for session in starving:
            session.move("stall")
            self._tell_of_engine(session, "paused")

    def _tell_of_engine(self, session: Session, kind: str) -> None:
        position = session.position
        self._broadcast(session, None, None, kind, position=position, reason="engine")

    # Play-out

    def _touch(self, session: Session, now: float) -> None:
        """Something about a session's future has changed."""
        self._engine.credit(session)
        self.times.set(session.key, session.commit_time())
        if session.commit_time() <= now:
            self._commit(session, now)

    def tick(self, now: float) -> None:
        """Commits and hands out everything that is due for it."""
        for key in self.times.due(now):
            if (session := self._roster.by_key.get(key)) is None:
                continue
            try:
                self._commit(session, now)
            except Exception:
                self._failures.of_gateway(session)
        self._engine.flush(now)

    def _commit(self, session: Session, now: float) -> None:
        while session.commit_time() <= now:
            if isinstance(session, BandSession) and self._between(session, now):
                continue
            committed = session.commit(now)
            self.counters.lateness(now - committed.due)
            self._show(session, committed)
            self._tell_changes(session)
        self._engine.credit(session)
        self.times.set(session.key, session.commit_time())

    def _between(self, session: BandSession, now: float) -> bool:
        """Hands out what comes before a band's next symbol, if something does."""
        if (played := session.take_touch(now)) is not None:
            self._show_touch(session, played)
        elif (held := session.take_held(now)) is not None:
            self._feed(session, [held], now, in_time=True)
        else:
            return False
        return True

    def _show_touch(self, session: BandSession, played: Played) -> None:
        moment = Moment(session.controls, played.due)
        self._audience.show(session.name, touch_event(session, played), moment)

    def _show(self, session: Session, committed: Committed) -> None:
        self.counters.symbols += 1
        controls, beat = session.controls_at(committed.n), session.beat_of(committed)
        moment = Moment(controls, session.next_due, Beat(*beat) if beat else None)
        self._audience.show(session.name, symbol_event(session, committed), moment)

    def _tell_changes(self, session: Session) -> None:
        for entry in session.come_into_force():
            told = controlled(session, entry.position, entry.changes)
            self._broadcast(session, None, None, "controlled", **told)

    def _broadcast(
        self, session: Session, asker: Viewer | None, id: wire.Id, kind: str, /, **fields: Any
    ) -> None:
        """Tells everybody; see `Audience.tell`."""
        event = wire.event(kind, session=session.name, **fields)
        self._audience.tell(session.name, event, asker, id)
        self._audience.inform(event)
