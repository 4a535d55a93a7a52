"""How sessions are opened, viewed, forked, played and closed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.stage.commits import Commits
from stream_rnn.stage.engines import Engines
from stream_rnn.stage.events import opened_event
from stream_rnn.stage.limits import Model
from stream_rnn.stage.opening import Openings
from stream_rnn.stage.replay import replay, resume
from stream_rnn.stage.roster import Roster
from stream_rnn.stage.subscribers import Asker, Audience, Viewer
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire


@dataclass(eq=False)
class Lifecycle:
    """Opens, forks, plays and closes the sessions of a stage, and attaches viewers to them."""

    _roster: Roster
    _audience: Audience
    _openings: Openings
    _engines: Engines
    _commits: Commits

    def open(self, asker: Asker | None, message: wire.Open, now: float) -> None:
        """Opens a session, which the asker then views, if it is a `Viewer`.

        Raises:
            ProtocolError: it cannot be opened.
        """
        new = self._openings.opened(message)
        name = message.session or self._roster.free_name(message.model)
        session = self._roster.make(asker, name, new.model, new.log, new.journal, now)
        self._view(asker, session)
        self._begin(asker, session, message.id, play=message.play, prime=new.prime, now=now)

    def change_model(
        self, asker: Asker | None, old: Session, message: wire.Control, now: float
    ) -> None:
        """Has another model play under the same name, for the same listeners.

        Raises:
            ProtocolError: the model is unknown, or a control is not allowed.
        """
        new, playing = self._openings.of_another_model(old, message), old.playing
        self._engines.close(old)
        self._commits.times.set(old.key, math.inf)
        old.move("close")
        session = self._roster.renew(old, new.model, new.log, new.journal)
        # At this event every viewer ends its notes and clears what it shows.
        reset = events.Reset(session.name, 0, session.epoch)
        self._audience.broadcast(reset)
        self._begin(asker, session, message.id, play=playing, prime=new.prime, now=now)

    def fork(
        self, asker: Asker | None, parent: Session, model: Model, message: wire.Fork, now: float
    ) -> None:
        """Opens a session that shares another's past up to some position.

        Raises:
            ProtocolError: it cannot be opened, or the position is not kept.
        """
        at = parent.position if message.at is None else message.at
        playing = parent.playing  # now, since it may give way to its fork
        parent.check_past(at, "at")
        log, journal = parent.log.copy(at), parent.journal.copy(at)
        session = self._roster.make(asker, message.as_, model, log, journal, now)
        session.silent = True  # it would double its parent's notes
        self._view(asker, session)
        self._begin(asker, session, message.id, play=playing, prime=[], now=now)

    def _begin(
        self,
        asker: Asker | None,
        session: Session,
        id: wire.Id,
        *,
        play: bool,
        prime: list[int],
        now: float,
    ) -> None:
        """Starts a session that was just made, and announces it to its viewers."""
        self._engines.restore(session)
        session.start(now)
        if play:
            session.move("play")
        for sink in self._audience.sinks_for(session.name, silent=session.silent):
            self._audience.view(session.name, sink)
        opened = opened_event(session)
        self._audience.broadcast(opened, asker, id)
        self._commits.feed(session, prime, now)
        self._await_engine(session)
        self._commits.touch(session, now)

    def _await_engine(self, session: Session) -> None:
        """Lets a session that starts while its engine is down wait for it, like the others."""
        if self._engines.waits(session):
            session.move("lose_engine")

    def attach(
        self, viewer: Asker | None, session: Session, message: wire.Attach, now: float
    ) -> None:
        """Lets a client view a session, and sends it what it has missed.

        Raises:
            ProtocolError: `after` is beyond the session's position, or the client is no `Viewer`.
        """
        if not isinstance(viewer, Viewer):
            raise ProtocolError("bad_state", "this client cannot attach: it takes no symbols")
        start, rewound = resume(session, message.after, message.epoch)
        self._view(viewer, session)
        viewer.tell(opened_event(session).answering(message.id))
        if rewound is not None:
            viewer.tell(rewound)
        if start is not None:
            replay(viewer, session, start)
        if session.paused_by_idleness:
            self.play(session, None, None, now)

    def _view(self, asker: Asker | None, session: Session) -> None:
        if not isinstance(asker, Viewer):
            return
        self._audience.view(session.name, asker)
        session.idle_since = None
        if not self._audience.left(session.name):
            session.left_at = None

    def play(self, session: Session, asker: Asker | None, id: wire.Id, now: float) -> None:
        """Lets a session play."""
        if session.status is not Status.PLAYING:
            session.start(now)
        session.move("play")
        session.paused_by_idleness = False
        session.pending_steps = 0
        self._await_engine(session)
        playing = events.Playing(session.name, session.position)
        self._audience.broadcast(playing, asker, id)

    def let_sound(self, session: Session) -> None:
        """Adds the server's sinks to a fork that is played for the first time."""
        was_silent, session.silent = session.silent, False
        for sink in self._audience.sinks_for(session.name) if was_silent else ():
            self._view(sink, session)
            sink.tell(opened_event(session))

    def close(
        self,
        session: Session,
        asker: Asker | None = None,
        id: wire.Id = None,
        reason: str | None = None,
    ) -> None:
        """Ends a session for good."""
        session.move("close")
        self._audience.broadcast(events.Closed(session.name, reason), asker, id)
        self._engines.close(session)
        self._roster.remove(session)
        self._commits.times.set(session.key, math.inf)

    def give_up(self, session: Session, error: ProtocolError) -> None:
        """Ends a session that cannot go on, and tells its viewers why."""
        self._audience.tell(session.name, events.error_event(error, session=session.name))
        self.close(session, reason="internal")
