"""Keeps the failure of one session from the others, which play on."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from stream_rnn.engine.messages import Failed
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status

log = logging.getLogger("stream_rnn.failures")

MOST, WITHIN = 3, 60.0  # engine failures within so many seconds, at which a session is given up


class Failures:
    """Restores a session that failed, or gives it up.

    Args:
        restore: brings the engine to a session's position.
        close: ends a session, and sends its viewers the error.
    """

    def __init__(
        self,
        restore: Callable[[Session], None],
        close: Callable[[Session, ProtocolError], None],
    ) -> None:
        self._restore, self._close = restore, close
        self._times: dict[int, deque[float]] = {}  # by key

    def of_gateway(self, session: Session) -> None:
        """Ends a session in which a bug of the gateway raised the exception now being handled."""
        log.exception("session %r failed; closing it", session.name)
        self.give_up(session, "a bug in the server; its log says more")

    def of_engine(self, failed: Failed, session: Session | None, now: float) -> None:
        """Restores the session when the engine failed to compute it, unless it fails too often."""
        if session is None or session.status is Status.EVICTED:
            log.error("engine: %s", failed.message)
            return
        if 0 < failed.generation < session.course.begun:
            return  # the engine has begun the session anew since
        log.error("engine: session %r: %s", session.name, failed.message)
        times = self._times.pop(session.key, deque(maxlen=MOST))
        times.append(now)
        recent = {key: t for key, t in self._times.items() if now - t[-1] < WITHIN}
        self._times = {**recent, session.key: times}
        if len(times) == MOST and now - times[0] < WITHIN:
            self.give_up(session, failed.message)
        else:
            self.restore(session)

    def restore(self, session: Session) -> None:
        """Brings the engine to a session's position; gives the session up if that fails."""
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
