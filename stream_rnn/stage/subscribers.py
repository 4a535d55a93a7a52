"""Which viewers each session has, and which sessions each client opened."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable

from msgspec import Struct

from stream_rnn.sessions.controls import Controls
from stream_rnn.sessions.session import Session
from stream_rnn.wire import events
from stream_rnn.wire.messages import Id

log = logging.getLogger("stream_rnn.subscribers")


class Beat(Struct, frozen=True):
    """A symbol's place in its stream or tune, and its length, in beats."""

    place: float
    beats: float


class NoteContext(Struct, frozen=True):
    """What a viewer needs to sound a symbol, besides the symbol.

    Attributes:
        controls: those in force for the symbol.
        ends: when the next symbol is due, if nothing changes until then.
        beat: none for symbols fed off the beat, and for streams that keep their own time.
    """

    controls: Controls
    ends: float
    beat: Beat | None = None


class Asker(Protocol):
    """A party that sends the stage messages, and is answered."""

    def tell(self, event: events.Event) -> None:
        """Takes an answer, or news of a session. It must not block."""
        ...


@runtime_checkable
class Viewer(Asker, Protocol):
    """A client that takes symbols, by any protocol. None of its methods may block."""

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        """Takes a live symbol, which may be dropped for a client that is slow."""
        ...

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        """Takes symbols of the past, to be read when the client has room for them. A `gap` stands
        for those that are gone by then.
        """
        ...


class Sink(Viewer, Protocol):
    """An output of the server's own: a MIDI port, an OSC target, a recording."""

    def wants(self, session: str, *, silent: bool = False) -> bool:
        """Whether it wants to view a session of that name; see `fits`."""
        ...

    def panic(self) -> None:
        """Ends all its notes, at once."""
        ...


class Gate(Protocol):
    """What a store wants to know, and to be asked; see `keeping.Keeping`."""

    def committed(self, session: Session) -> None:
        """A symbol is history, and is about to be handed out."""

    def record(self, session: Session) -> int | None:
        """A session has changed."""

    def holds(self, event: events.SessionEvent, asker: Asker | None, id: Id) -> bool:
        """Whether an event waits for the store, which sends it later."""
        ...

    def before_symbol(self, name: str) -> None:
        """A symbol is about to be shown."""


def fits(pattern: str, session: str, *, silent: bool = False) -> bool:
    """Whether a session's name fits a pattern of the configuration, such as `band-*`.

    Args:
        silent: whether the session is a fork that no client has played yet. Patterns of wildcards
            only, such as `*`, do not fit it.
    """
    return fnmatchcase(session, pattern) and not (silent and not pattern.strip("*?"))


class Audience:
    """The viewers of every session.

    Attributes:
        observers: parts of the server that get the news of all sessions and view none.
        gate: the store's, if there is one.
        panics: called at a panic; each ends the notes of one of the server's outputs.
    """

    def __init__(self) -> None:
        self._viewers: dict[str, dict[Viewer, None]] = {}
        self._opened: dict[Asker | None, set[str]] = {}
        self._kept: set[str] = set()
        self._sinks: list[Sink] = []
        self.gate: Gate | None = None
        self.observers: list[Callable[[events.Event], None]] = []
        self.panics: list[Callable[[], None]] = []

    def add_sink(self, sink: Sink) -> None:
        """Adds a sink. A session that only sinks view may be evicted to make room."""
        self._sinks.append(sink)
        self.panics.append(sink.panic)

    def sinks_for(self, name: str, *, silent: bool = False) -> list[Sink]:
        """The sinks that want to view a session; see `Sink.wants`."""
        asked = {"silent": True} if silent else {}
        return [sink for sink in self._sinks if sink.wants(name, **asked)]

    def panic(self) -> None:
        """Makes every output of the server's own end its notes."""
        for end_notes in self.panics:
            try:
                end_notes()
            except Exception:
                log.exception("%r failed to end its notes", end_notes)

    def add_session(self, name: str, opener: Asker | None) -> None:
        """Adds a session that nobody views yet; it counts towards its opener's limit."""
        self._viewers[name] = {}
        self._opened.setdefault(opener, set()).add(name)

    def disown(self, name: str) -> None:
        """Has a session count towards nobody's limit."""
        for names in self._opened.values():
            names.discard(name)

    def remove_session(self, name: str) -> None:
        """Forgets a session."""
        del self._viewers[name]
        self._kept.discard(name)
        for names in self._opened.values():
            names.discard(name)

    def opened(self, asker: Asker | None) -> int:
        """How many sessions that a client opened are still there."""
        return len(self._opened.get(asker, ()))

    def keep(self, name: str) -> None:
        """Makes a session count as viewed for as long as it is open."""
        self._kept.add(name)

    def view(self, name: str, viewer: Viewer) -> None:
        """Adds a viewer to a session."""
        self._viewers[name][viewer] = None

    def leave(self, viewer: Viewer) -> list[str]:
        """Removes a client that has gone; returns the sessions that it was the last to view."""
        self._opened.pop(viewer, None)
        viewed = [name for name, viewers in self._viewers.items() if viewer in viewers]
        for name in viewed:
            del self._viewers[name][viewer]
        return [name for name in viewed if self.left(name)]

    def left(self, name: str) -> bool:
        """Whether no client views a session; the server's own sinks do not count."""
        return name not in self._kept and self._viewers[name].keys() <= set(self._sinks)

    def of(self, name: str) -> list[Viewer]:
        """The viewers of a session."""
        return list(self._viewers[name])

    def count(self, name: str) -> int:
        """How many viewers a session has."""
        return len(self._viewers[name]) + (name in self._kept)

    def tell(
        self, name: str, event: events.Event, asker: Asker | None = None, id: Id = None
    ) -> None:
        """Sends news of a session to all viewers, and with its `id` to the asker, viewer or not."""
        for viewer in self.of(name):
            if viewer is not asker:
                self.say(name, viewer, event)
        if asker is not None:
            self.say(name, asker, event.answering(id))

    def broadcast(
        self, event: events.SessionEvent, asker: Asker | None = None, id: Id = None
    ) -> None:
        """Sends news of a session to all viewers, the asker and the observers, when the store has
        what it tells of.
        """
        if self.gate is None or not self.gate.holds(event, asker, id):
            self.send(event, asker, id)

    def send(self, event: events.SessionEvent, asker: Asker | None = None, id: Id = None) -> None:
        """As `broadcast`, at once."""
        self.tell(event.session, event, asker, id)
        self.inform(event)

    def show(self, name: str, event: events.Live, context: NoteContext) -> None:
        """Sends a live symbol to all viewers."""
        if self.gate is not None:
            self.gate.before_symbol(name)
        for viewer in self.of(name):
            try:
                viewer.symbol(event, context)
            except Exception:
                self._drop(name, viewer)

    def show_clients(self, name: str, event: events.Live, context: NoteContext) -> None:
        """Sends a symbol to the clients, and not to the server's own sinks."""
        for viewer in self.of(name):
            if viewer not in self._sinks:
                try:
                    viewer.symbol(event, context)
                except Exception:
                    self._drop(name, viewer)

    def say(self, name: str, viewer: Asker, event: events.Event) -> None:
        """Sends an event to one of them; a viewer that raises is dropped."""
        try:
            viewer.tell(event)
        except Exception:
            self._drop(name, viewer)

    def inform(self, event: events.Event) -> None:
        """Sends news of a session to the observers."""
        for observe in self.observers:
            try:
                observe(event)
            except Exception:
                log.exception("an observer failed at %r", event)

    def _drop(self, name: str, viewer: Asker) -> None:
        """Drops a viewer that raised, so that its bug does not harm the other viewers."""
        log.exception("%s failed; it gets no more of session %r", type(viewer).__name__, name)
        viewers = self._viewers.get(name, {})
        if isinstance(viewer, Viewer) and viewer in viewers:
            del viewers[viewer]
            with contextlib.suppress(Exception):
                viewer.tell(events.Closed(name, reason="internal"))
