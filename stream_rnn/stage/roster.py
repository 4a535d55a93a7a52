"""The sessions that there are: finds them by name, makes them within the limits, removes them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.band import BandSession
from stream_rnn.sessions.control_log import ControlLog
from stream_rnn.sessions.flow import Timing
from stream_rnn.sessions.journal import Journal
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.sessions.tempo import Tempi
from stream_rnn.stage.limits import Limits, Model
from stream_rnn.stage.subscribers import Asker, Audience

LATER = 10.0  # seconds after which somebody may have left


class Roster:
    """The sessions, by name and by the key that the engine knows them by.

    Args:
        rollback: length of the engines' rollback window, in symbols.
    """

    def __init__(
        self, audience: Audience, limits: Limits, timing: Timing, tempi: Tempi, rollback: int
    ) -> None:
        self.by_name: dict[str, Session] = {}
        self.by_key: dict[int, Session] = {}
        self.refused: dict[str, str] = {}  # sessions that could not come back, and why
        self._audience, self._limits = audience, limits
        self._timing, self._tempi, self._rollback = timing, tempi, rollback
        self._numbers = itertools.count(1)
        self.give_way: Callable[[], bool] = lambda: False  # makes room, if it can
        # Refuses a model's session of so many symbols a second, if there is no time for it.
        self.admit: Callable[[str, float, float], None] = lambda model, rate, now: None

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self.by_name.values()))

    def find(self, name: str) -> Session:
        """The session of a name.

        Raises:
            ProtocolError: `unknown_session`.
        """
        session = self.by_name.get(name)
        if session is None:
            why = f": it did not come back, as {self.refused[name]}" if name in self.refused else ""
            raise ProtocolError(
                "unknown_session", f"there is no session {name!r}{why}", field="session"
            )
        return session

    def free_name(self, model: str) -> str:
        """An unused name for a session that was given none."""
        stem = re.sub(r"[^A-Za-z0-9_.\-]", "-", model)[:48]
        return next(name for n in self._numbers if (name := f"{stem}-{n}") not in self.by_name)

    def make(
        self, asker: Asker | None, name: str, model: Model, controls: ControlLog,
        journal: Journal, now: float,
    ) -> Session:  # fmt: skip
        """Makes a session, which counts towards a client's limit.

        Raises:
            ProtocolError: `session_exists` or `too_many_sessions`.
        """
        if name in self.by_name:
            raise ProtocolError(
                "session_exists",
                f"there is a session {name!r} already; attach to it",
                field="session",
            )
        if self._audience.opened(asker) >= self._limits.sessions_per_viewer:
            raise ProtocolError(
                "too_many_sessions",
                f"one client may open {self._limits.sessions_per_viewer} sessions; close one",
            )
        self.check_room(model.card.name, controls.at(journal.position).rate, now)
        session = self._add(name, model, controls, journal)
        self._audience.add_session(name, asker)
        return session

    def bring(self, name: str, model: Model, controls: ControlLog, journal: Journal) -> Session:
        """Makes a session that comes back; it counts towards nobody's limit."""
        session = self._add(name, model, controls, journal)
        self._audience.add_session(name, None)
        self._audience.disown(name)
        return session

    def _add(self, name: str, model: Model, controls: ControlLog, journal: Journal) -> Session:
        key = next(self._numbers)
        kind = BandSession if isinstance(model.codec, EnsembleCodec) else Session
        session = kind(
            name, key, model.card, model.codec, self._timing, self._rollback, controls, journal,
            self._tempi.heard,
        )  # fmt: skip
        self.by_name[name] = self.by_key[key] = session
        return session

    def renew(self, old: Session, model: Model, controls: ControlLog, journal: Journal) -> Session:
        """Replaces a session by one of another model, with the same name and listeners."""
        del self.by_key[old.key]
        new = self._add(old.name, model, controls, journal)
        new.epochs = old.epochs
        new.epochs.begin(0)
        new.idle_since, new.left_at = old.idle_since, old.left_at
        new.paused_by_idleness, new.silent = old.paused_by_idleness, old.silent
        return new

    def check_room(self, model: str, rate: float, now: float) -> None:
        """Makes sure that there is room and time for one session more; may evict another.

        Args:
            rate: its symbols a second.

        Raises:
            ProtocolError: `too_many_sessions`.
        """
        self.admit(model, rate, now)
        active = sum(s.status is not Status.EVICTED for s in self.by_name.values())
        if active >= self._limits.sessions and not self.give_way():
            raise ProtocolError(
                "too_many_sessions",
                f"the server holds {self._limits.sessions} sessions, its limit, and somebody "
                "listens to each; close one, or try again later",
                retry_after=LATER,
            )

    def remove(self, session: Session) -> None:
        """Forgets a session."""
        del self.by_name[session.name], self.by_key[session.key]
        self._audience.remove_session(session.name)
