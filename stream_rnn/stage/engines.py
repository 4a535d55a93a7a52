"""The engines of a stage, each with its own link, and which engine computes which session."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stream_rnn.engine.messages import Plan
from stream_rnn.sessions.session import Session
from stream_rnn.stage.link import Computer, EngineLink


class Engines:
    """A pool of engines. A new session goes to the engine that has the fewest.

    It stays there while it has a slot, even if the engine dies: the engine is back within seconds,
    and to move its sessions would cost the other engines much time.
    """

    def __init__(self) -> None:
        self._links: list[EngineLink] = []
        self._of: dict[int, EngineLink] = {}  # by key of a session that has a slot

    def add(self, engine: Computer) -> EngineLink:
        """Adds an engine that is up; it can be given sessions at once."""
        link = EngineLink(engine)
        self._links.append(link)
        return link

    def __iter__(self) -> Iterator[EngineLink]:
        return iter(self._links)

    @property
    def up(self) -> bool:
        """Whether every engine is up."""
        return all(link.up for link in self._links)

    def of(self, session: Session) -> EngineLink | None:
        """The engine on which a session has a slot, if it has one."""
        return self._of.get(session.key)

    def waits(self, session: Session) -> bool:
        """Whether a session's engine is down."""
        link = self._of.get(session.key)
        return link is not None and not link.up

    def can_play(self, model: str) -> bool:
        """Whether there is an engine that has loaded a model."""
        return any(model not in link.left_out for link in self._links)

    # Each of these goes to the session's own engine

    def open(self, session: Session) -> None:
        """Asks for a slot, on the same engine as before unless it could not load the model."""
        link = self._of.get(session.key)
        if link is None or session.card.name in link.left_out:
            self._release(session)
            link = self._of[session.key] = self.place(session.card.name)
            link.sessions += 1
        link.open(session)

    def place(self, model: str) -> EngineLink:
        """The best engine for a model: one that can load it, is up, and has the fewest sessions."""
        return min(
            self._links, key=lambda link: (model in link.left_out, not link.up, link.sessions)
        )

    def _release(self, session: Session) -> EngineLink | None:
        link = self._of.pop(session.key, None)
        if link is not None:
            link.sessions -= 1
        return link

    def restore(self, session: Session) -> None:
        """Brings an engine that does not know a session to the session's position.

        Raises:
            ProtocolError: too little of the session's past is kept.
        """
        plan = session.restore_plan()
        self.open(session)
        self.plan(session, plan)
        self.credit(session)

    def plan(self, session: Session, plan: Plan | None) -> None:
        """Passes on a plan for a session, if there is one."""
        if plan is not None and (link := self._of.get(session.key)) is not None:
            link.plan(session, plan)

    def credit(self, session: Session) -> None:
        """Notes that a session's credit has changed; it is read at `flush`."""
        if (link := self._of.get(session.key)) is not None:
            link.credit(session)

    def renew(self, session: Session, *, urgent: bool = False) -> None:
        """Notes that a session has used some of its credit; unless `urgent`, there is time."""
        if (link := self._of.get(session.key)) is not None:
            (link.credit if urgent else link.renew)(session)

    def close(self, session: Session) -> None:
        """Gives the slot back, if there is one."""
        if (link := self._release(session)) is not None:
            link.close(session)

    def flush(self, now: float) -> None:
        """Sends the gathered commands of all engines."""
        for link in self._links:
            link.flush(now)

    def next_time(self) -> float:
        """When `flush` will have something to send; infinity if it need not be called."""
        return min((link.next_time() for link in self._links), default=math.inf)
