"""Sessions that come back from a store: they go on with the symbol after those that were heard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.journal import Journal
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.sessions.store import Kept
from stream_rnn.stage.catalogue import Catalogue
from stream_rnn.stage.commits import Commits
from stream_rnn.stage.engines import Engines
from stream_rnn.stage.events import opened_event
from stream_rnn.stage.keeping import Keeping
from stream_rnn.stage.limits import Limits, Model
from stream_rnn.stage.roster import Roster
from stream_rnn.stage.subscribers import Asker, Audience
from stream_rnn.wire import messages as wire

log = logging.getLogger("stream_rnn.store")

BEYOND = 1024  # symbols that a client may have heard beyond what was stored (the power failed)
MOST_WAITING = 256  # messages to a session that is still catching up


@dataclass(eq=False)
class Returning:
    """Brings sessions back, and lets messages wait until each has caught up.

    Args:
        handle: what a message goes to when its session has caught up.
    """

    _roster: Roster
    _audience: Audience
    _models: Catalogue
    _limits: Limits
    _engines: Engines
    _commits: Commits
    _handle: Callable[[Asker | None, wire.Message, float], None]
    _waiting: dict[int, list[tuple[Asker | None, wire.Message]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._commits.caught_up = self._caught_up

    def bring(self, kept: Sequence[Kept], keeping: Keeping, now: float, shift: float) -> list[str]:
        """Brings sessions back, playing or paused as they were.

        Args:
            shift: seconds by which this clock is ahead of the one that they were heard by.

        Returns:
            Why others do not come back, a line each.
        """
        refused = []
        for one in kept:
            name = one.head.identity.name
            try:
                self._bring(one, keeping, now, shift)
            except ProtocolError as error:
                self._roster.refused[name] = str(error)
                refused.append(f"session {name!r} does not come back: {error}")
            except Exception:
                log.exception("session %r does not come back", name)
                self._roster.refused[name] = "a bug in the server; its log says more"
                if (session := self._roster.by_name.get(name)) is not None:
                    self._engines.close(session)
                    self._roster.remove(session)
        self._engines.flush(now)
        return refused

    def _bring(self, kept: Kept, keeping: Keeping, now: float, shift: float) -> None:
        model = self._model(kept, keeping.numerics)
        head, journal = kept.head, Journal(model.codec.width, self._limits.history)
        journal = kept.journal(journal, shift)
        away = kept.status is Status.EVICTED or self._full()
        session = self._roster.bring(head.identity.name, model, kept.log(model.card), journal)
        session.epochs, session.silent = kept.epochs(), head.silent
        session.heard, session.left_at = kept.heard, now
        session.returned = head.position
        session.paused_by_idleness = head.idle_paused
        keeping.adopt(session, kept)
        if kept.unsure:
            log.error(
                "session %r: its latest changes are lost; it goes on from position %d as another "
                "past", session.name, session.position,
            )  # fmt: skip
        for sink in self._audience.sinks_for(session.name, silent=session.silent):
            self._audience.view(session.name, sink)
        if not self._audience.count(session.name):
            session.idle_since = now
        if away:
            if kept.unsure:
                keeping.record(session)
            session.status = Status.EVICTED
            return
        self._engines.restore(session)
        session.start(now)
        if kept.status is Status.PLAYING:
            session.move("play")
        if kept.unsure:
            keeping.record(session)
        self._audience.broadcast(opened_event(session))
        if self._engines.waits(session):
            session.move("lose_engine")
        self._commits.touch(session, now)

    def _model(self, kept: Kept, numerics: int) -> Model:
        identity = kept.head.identity
        model = self._models.find(identity.model)
        if model.card.fingerprint != identity.fingerprint:
            raise ProtocolError(
                "unknown_model", f"model {identity.model!r} is no longer the one that played it"
            )
        if identity.numerics != numerics:
            raise ProtocolError(
                "unknown_model",
                f"it was played in numerics {identity.numerics}, and this is {numerics}",
            )
        return model

    def _full(self) -> bool:
        active = sum(s.status is not Status.EVICTED for s in self._roster)
        return active >= self._limits.sessions

    # Until each has caught up

    def waits(self, asker: Asker | None, session: Session, message: wire.Message) -> bool:
        """Whether a message must wait until its session has caught up.

        A client that heard more than the store knows of, since the power failed, makes its
        session catch up with that: the symbols are computed again, and are the same.

        Raises:
            ProtocolError: too many messages wait already.
        """
        if (
            isinstance(message, wire.Attach)
            and session.returned is not None
            and message.after is not None
            and message.epoch in (None, session.epoch)
            and session.position <= message.after < session.returned + BEYOND
        ):
            session.heard = max(session.heard, message.after + 1)
        if not session.catches_up or isinstance(message, wire.Close):
            return False
        self._commits.touch_later(session)
        waiting = self._waiting.setdefault(session.key, [])
        if len(waiting) >= MOST_WAITING:
            raise ProtocolError(
                "bad_state", f"session {session.name!r} is still coming back; try again"
            )
        waiting.append((asker, message))
        return True

    def _caught_up(self, session: Session, now: float) -> None:
        for asker, message in self._waiting.pop(session.key, ()):
            self._handle(asker, message, now)

    def leave(self, asker: Asker) -> None:
        """Forgets the messages of a client that has gone."""
        for key, waiting in self._waiting.items():
            self._waiting[key] = [one for one in waiting if one[0] is not asker]
