"""Who views which session, and who opened how many."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable

from stream_rnn.sessions.controls import Controls
from stream_rnn.wire import events
from stream_rnn.wire.messages import Id

log = logging.getLogger("stream_rnn.audience")


@dataclass(frozen=True)
class Beat:
    """Where a symbol stands in its stream or its tune, and how long it lasts, in beats."""

    place: float
    beats: float


@dataclass(frozen=True)
class NoteContext:
    """What it takes to sound a symbol, besides the symbol.

    Attributes:
        controls: in force for it.
        ends: when the next symbol is due, if nothing changes until then.
        beat: none for what was fed beside the beat, and for streams that keep their own time.
    """

    controls: Controls
    ends: float
    beat: Beat | None = None


class Asker(Protocol):
    """Whoever asks something of the stage, and is answered."""

    def tell(self, event: events.Event) -> None:
        """An answer, or news of a session. It may not wait."""
        ...


@runtime_checkable
class Viewer(Asker, Protocol):
    """A client, whatever protocol it speaks. None of these may wait."""

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        """A live symbol, which may be dropped for a client that is slow."""
        ...

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        """Symbols of the past, to be made when their turn comes, and a `gap` for those that are
        gone by then.
        """
        ...


class Sink(Viewer, Protocol):
    """A place of the house's own: a MIDI port, an OSC target, a recording."""

    def wants(self, session: str, *, silent: bool = False) -> bool:
        """Whether it views a session of that name; see `fits`."""
        ...

    def panic(self) -> None:
        """Ends whatever sounds, at once."""
        ...


def fits(pattern: str, session: str, *, silent: bool = False) -> bool:
    """Whether a session's name fits a pattern of the configuration, such as `band-*`.

    Args:
        silent: whether the session is a fork that nobody has let play yet. A pattern for all,
            such as `*`, is not meant for it.
    """
    return fnmatchcase(session, pattern) and not (silent and not pattern.strip("*?"))


class Audience:
    """The viewers of every session.

    Attributes:
        observers: of the house, which hear the news of all sessions and view none.
        panics: called at a panic; each ends all notes of one of the house's sinks.
    """

    def __init__(self) -> None:
        self._viewers: dict[str, dict[Viewer, None]] = {}
        self._opened: dict[Asker | None, set[str]] = {}
        self._kept: set[str] = set()
        self._sinks: list[Sink] = []
        self.observers: list[Callable[[events.Event], None]] = []
        self.panics: list[Callable[[], None]] = []

    def add_sink(self, sink: Sink) -> None:
        """A place of the house's own, for which alone no session need be kept."""
        self._sinks.append(sink)
        self.panics.append(sink.panic)

    def sinks_for(self, name: str, *, silent: bool = False) -> list[Sink]:
        """Those that want a session; see `Sink.wants`."""
        asked = {"silent": True} if silent else {}
        return [sink for sink in self._sinks if sink.wants(name, **asked)]

    def panic(self) -> None:
        """Every place of the house's own ends whatever it sounds."""
        for end_notes in self.panics:
            try:
                end_notes()
            except Exception:
                log.exception("%r failed to end its notes", end_notes)

    def add_session(self, name: str, opener: Asker | None) -> None:
        """A session that nobody views yet, on its opener's account."""
        self._viewers[name] = {}
        self._opened.setdefault(opener, set()).add(name)

    def remove_session(self, name: str) -> None:
        """Forgets a session."""
        del self._viewers[name]
        self._kept.discard(name)
        for names in self._opened.values():
            names.discard(name)

    def opened(self, asker: Asker | None) -> int:
        """How many sessions there are that this client opened."""
        return len(self._opened.get(asker, ()))

    def keep(self, name: str) -> None:
        """A session counts as viewed for as long as it is open."""
        self._kept.add(name)

    def view(self, name: str, viewer: Viewer) -> None:
        """A client views a session from now on."""
        self._viewers[name][viewer] = None

    def leave(self, viewer: Viewer) -> list[str]:
        """A client is gone; returns the sessions that no other client views."""
        self._opened.pop(viewer, None)
        viewed = [name for name, viewers in self._viewers.items() if viewer in viewers]
        for name in viewed:
            del self._viewers[name][viewer]
        return [name for name in viewed if self.left(name)]

    def left(self, name: str) -> bool:
        """Whether no client views a session; the house's own places may."""
        return name not in self._kept and self._viewers[name].keys() <= set(self._sinks)

    def of(self, name: str) -> list[Viewer]:
        """Who views a session."""
        return list(self._viewers[name])

    def count(self, name: str) -> int:
        """How many view a session."""
        return len(self._viewers[name]) + (name in self._kept)

    def tell(
        self, name: str, event: events.Event, asker: Asker | None = None, id: Id = None
    ) -> None:
        """News of a session, for all; the asker hears it with its `id`, viewing or not."""
        for viewer in self.of(name):
            if viewer is not asker:
                self.say(name, viewer, event)
        if asker is not None:
            self.say(name, asker, event.answering(id))

    def broadcast(
        self, event: events.SessionEvent, asker: Asker | None = None, id: Id = None
    ) -> None:
        """News of a session, for all and for the observers."""
        self.tell(event.session, event, asker, id)
        self.inform(event)

    def show(self, name: str, event: events.Live, context: NoteContext) -> None:
        """A live symbol, for all."""
        for viewer in self.of(name):
            try:
                viewer.symbol(event, context)
            except Exception:
                self._drop(name, viewer)

    def say(self, name: str, viewer: Asker, event: events.Event) -> None:
        """The same for one of them."""
        try:
            viewer.tell(event)
        except Exception:
            self._drop(name, viewer)

    def inform(self, event: events.Event) -> None:
        """News of a session, for the observers."""
        for observe in self.observers:
            try:
                observe(event)
            except Exception:
                log.exception("an observer failed at %r", event)

    def _drop(self, name: str, viewer: Asker) -> None:
        """A bug in one place that a session is heard is not the session's end elsewhere."""
        log.exception("%s failed; it hears no more of session %r", type(viewer).__name__, name)
        viewers = self._viewers.get(name, {})
        if isinstance(viewer, Viewer) and viewer in viewers:
            del viewers[viewer]
            with contextlib.suppress(Exception):
                viewer.tell(events.Closed(name, reason="internal"))
