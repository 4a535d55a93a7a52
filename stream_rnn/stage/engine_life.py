"""What happens to sessions when their engines send results, fall silent, die or come back."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_rnn.engine.messages import Batch, Doing, EngineEvent, Failed, Ready, Snapshot, Worked
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.stage.capacity import Capacity
from stream_rnn.stage.catalogue import Catalogue
from stream_rnn.stage.commits import Commits
from stream_rnn.stage.engines import Engines
from stream_rnn.stage.failures import Failures
from stream_rnn.stage.limits import Counters
from stream_rnn.stage.link import EngineLink, rows_of
from stream_rnn.stage.roster import Roster
from stream_rnn.stage.subscribers import Audience
from stream_rnn.wire import events

log = logging.getLogger("stream_rnn.engine_life")

TOGETHER = 32  # sessions whose past is sent to a new engine at once


@dataclass(eq=False)
class EngineLife:
    """Handles each engine's results, silence, death and return, for that engine's sessions."""

    _roster: Roster
    _audience: Audience
    _models: Catalogue
    _engines: Engines
    _commits: Commits
    _failures: Failures
    _counters: Counters
    _capacity: Capacity
    _starving: set[int] = field(default_factory=set)  # keys of sessions, at the last look

    # When an engine sends something

    def said(self, link: EngineLink, events: Sequence[EngineEvent], now: float) -> None:
        """Takes an engine's results, and hands out those that are due already."""
        link.heard = now
        for event in events:
            match event:
                case Doing(keys):
                    link.suspicion.computes(np.frombuffer(keys, np.int64).tolist())
                    if len(events) == 1:
                        return  # no results, so nothing to hand out
                case Batch():
                    self._receive(link, event, now)
                case Snapshot(key, generation, position, state):
                    if (session := self._session(link, key)) is not None:
                        session.receive_snapshot(generation, position, state)
                        if (plan := session.next_part()) is not None:
                            self._engines.plan(session, plan)
                            self._engines.credit(session)
                case Ready():
                    self.met(link, event)
                case Worked():
                    self._capacity.worked(link, event)
                case Failed(_, key):
                    self._failures.of_engine(event, self._session(link, key), now)
        self._commits.tick(now)

    def _session(self, link: EngineLink, key: int | None) -> Session | None:
        """The session of a key, if this engine still has it."""
        session = None if key is None else self._roster.by_key.get(key)
        return session if session is not None and self._engines.of(session) is link else None

    def _receive(self, link: EngineLink, batch: Batch, now: float) -> None:
        sessions, times = self._roster.by_key, self._commits.times
        for key, generation, position, symbol in rows_of(batch):
            session = sessions.get(key)
            if session is None or session.generation != generation:
                continue  # of an older plan, or of a session that has gone
            if self._engines.of(session) is not link:
                continue
            try:
                first, stalls = not session.computed, session.stalls
                if session.status is Status.STALLED and link.up:
                    session.move("resume")
                    self._tell(session, events.Playing)
                    first = True
                session.receive(generation, position, symbol, now)
                if first:  # later symbols are not due before it
                    times.set(key, session.commit_time())
                    self._counters.stalls += session.stalls - stalls
            except Exception:
                self._failures.of_gateway(session)

    # When it sends nothing

    def unanswered_for(self, link: EngineLink, now: float) -> float:
        """Seconds that stalled sessions have waited for a silent engine; 0 if it is down."""
        waited_for = any(session.status is Status.STALLED for session in self._sessions(link))
        return max(0.0, now - link.heard) if waited_for and link.up else 0.0

    def look(self, now: float) -> None:
        """Silences sessions that starve; to be called every second or so.

        Their engine is there but does not answer, so their notes end as if it had died. A session
        plays on with its next symbol.
        """
        # A session must starve at two looks in a row: after a standstill of the gateway itself,
        # the engine's answers have not been read yet.
        before, self._starving = self._starving, {s.key for s in self._roster if s.starves(now)}
        starving = [self._roster.by_key[key] for key in self._starving & before]
        if starving:
            log.error("the engine does not answer; %d sessions wait for it", len(starving))
        for session in starving:
            session.move("stall")
            self._tell(session, events.Paused)
        for link in self._engines:
            if link.up and link.suspicion.calms(now):
                link.be_cautious(0)

    # When it dies

    def lose(self, link: EngineLink, now: float) -> None:
        """Handles an engine's death: its sessions play what is computed, and stall until `regain`.

        A session that makes the engine die again and again is closed.
        """
        link.up = False
        if (guilty := self._session(link, link.suspicion.died(now))) is not None:
            log.error("session %r makes the engine die again and again; closing it", guilty.name)
            self._failures.give_up(guilty, "the engine died three times while computing it")
        self._counters.engine_deaths += 1
        for session in self._sessions(link):
            self._commits.play_out(session, now)

    def met(self, link: EngineLink, ready: Ready) -> None:
        """Takes what an engine says of itself: when it has started, and when a model fails."""
        for fault in ready.left_out.values():
            log.error("left out: %s", fault)
        link.ready = ready
        self.leave_out(link, ready.left_out)

    def leave_out(self, link: EngineLink, models: Mapping[str, str]) -> None:
        """Takes the models that an engine could not load, with the reasons.

        Sessions of models that no engine has loaded are evicted.
        """
        link.left_out = models
        gone = {name: why for name, why in models.items() if not self._engines.can_play(name)}
        self._models.left_out = gone
        for session in self._sessions(link):
            if (why := gone.get(session.card.name)) is not None:
                if session.playing:
                    session.move("pause")
                session.evict()
                self._engines.close(session)
                self._commits.times.set(session.key, math.inf)
                error = ProtocolError("unknown_model", why, field="model")
                self._audience.tell(session.name, events.error_event(error, session=session.name))

    def regain(self, link: EngineLink, now: float) -> None:
        """Restores the sessions of an engine that is back: they go on where they were."""
        link.up, link.heard = True, now
        if level := link.suspicion.caution:
            link.be_cautious(level)
        link.suspicion.began(now)
        urgent_first = sorted(self._sessions(link), key=lambda session: session.runs_dry())
        for number, session in enumerate(urgent_first, 1):
            self._restore(session, now)
            if number % TOGETHER == 0:
                self._engines.flush(now)  # the engine begins while the others are prepared
        self._engines.flush(now)

    def _restore(self, session: Session, now: float) -> None:
        self._failures.restore(session)
        if session.status is Status.CLOSED or self._engines.waits(session):
            return
        stalled = session.status is Status.STALLED
        session.move("regain_engine")
        if stalled:
            session.start(now)
        self._commits.touch(session, now)
        if stalled:
            self._tell(session, events.Playing)

    def _sessions(self, link: EngineLink) -> list[Session]:
        return [session for session in self._roster if self._engines.of(session) is link]

    def _tell(self, session: Session, kind: type[events.Playing] | type[events.Paused]) -> None:
        self._audience.broadcast(kind(session.name, session.position, reason="engine"))
