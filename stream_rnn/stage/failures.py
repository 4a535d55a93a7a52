"""What goes wrong with one session stays with it, and the others play on."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from stream_rnn.engine.messages import Failed
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status

log = logging.getLogger("stream_rnn.failures")

MOST, WITHIN = 3, 60.0  # failures of a session's computing, in so many seconds: it is given up


class Failures:
    """Mends a session that failed, or gives it up.

    Args:
        restore: brings a session's engine to where the session is.
        close: ends a session, with what its subscribers are told.
    """

    def __init__(
        self,
        restore: Callable[[Session], None],
        close: Callable[[Session, ProtocolError], None],
    ) -> None:
        self._restore, self._close = restore, close
        self._times: dict[int, deque[float]] = {}  # by key

    def of_gateway(self, session: Session) -> None:
        """Ends a session in which an exception was raised, which is being handled, by a bug."""
        log.exception("session %r failed; it is closed", session.name)
        self.give_up(session, "the server failed at it; its log says more")

    def of_engine(self, failed: Failed, session: Session | None, now: float) -> None:
        """The engine could not compute something: it begins anew, from the session's past."""
        if session is None or session.status is Status.EVICTED:
            log.error("engine: %s", failed.message)
            return
        if 0 < failed.generation < session.course.begun:
            return  # it has begun anew since
        log.error("engine: session %r: %s", session.name, failed.message)
        times = self._times.setdefault(session.key, deque(maxlen=MOST))
        times.append(now)
        if len(times) == MOST and now - times[0] < WITHIN:
            self.give_up(session, failed.message)
        else:
            self.restore(session)

    def restore(self, session: Session) -> None:
        """Brings the engine to where a session is, if that can be done."""
        if session.status is Status.EVICTED:
            return
        try:
            self._restore(session)
        except Exception as error:
            if not isinstance(error, ProtocolError):
                log.exception("session %r cannot be restored", session.name)
            self.give_up(session, str(error))

    def give_up(self, session: Session, reason: str) -> None:
        """Closes a session that cannot go on."""
        self._times.pop(session.key, None)
        message = f"session {session.name!r} could not go on and was closed: {reason}"
        try:
            self._close(session, ProtocolError("internal", message))
        except Exception:
            log.exception("session %r could not be closed", session.name)
