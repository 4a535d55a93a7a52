"""Call and response with several players: whose turn it is. No I/O, and the time is passed in."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stream_rnn.adapters.midi.phrases import Phrase, Played
from stream_rnn.config import MidiIn
from stream_rnn.wire import events


@dataclass(frozen=True)
class Taken:
    """What the keyboards of a session played in one turn.

    Attributes:
        notes: of all of them, in order of time.
        prime: whether they replace the past of the stream.
        stopped: whether somebody has paused the session meanwhile, so that it does not answer.
    """

    notes: list[Played]
    prime: bool
    stopped: bool


class Turn:
    """The turn of the people at a session's keyboards.

    It begins with the first key of any of the keyboards, and ends when every one of them has
    been quiet for as long as it is configured: the session never answers over a player who
    still holds a key. What they played together becomes one phrase.

    While it lasts the session is paused, by us. If somebody else pauses it as well, by
    whatever means, then it is their pause that holds: it ends when somebody plays the session,
    or with the turn after this one.
    """

    def __init__(self) -> None:
        self._phrases: dict[int, tuple[MidiIn, Phrase]] = {}  # by keyboard
        self._stopped = False
        self._asking = False

    def take(self, keyboard: int, config: MidiIn) -> Phrase:
        """The phrase of a keyboard in this turn, which may begin with it.

        Args:
            keyboard: which one; any number of its own.
        """
        if not self._phrases:
            self._stopped = False
        return self._phrases.setdefault(keyboard, (config, Phrase()))[1]

    def over_at(self) -> float:
        """When the turn is over if nothing more is played; infinity if there is none."""
        times = (phrase.over_at(config.silence) for config, phrase in self._phrases.values())
        return max(times, default=math.inf)

    def end(self) -> Taken:
        """Ends the turn."""
        phrases, self._phrases = [*self._phrases.values()], {}
        notes = [note for _, phrase in phrases for note in phrase.notes()]
        notes.sort(key=lambda note: (note.start, note.pitch))
        return Taken(notes, any(config.prime for config, _ in phrases), self._stopped)

    def stop(self) -> None:
        """Somebody wants silence: the session does not answer this turn."""
        self._stopped = True

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """What the stage tells of the session meanwhile is our own doing."""
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def tell(self, event: events.Event) -> None:
        """News of the session. A pause with a reason is nobody's: the engine is gone, say."""
        if self._asking:
            return
        match event:
            case events.Paused(reason=None):
                self._stopped = True
            case events.Playing(reason=None):
                self._stopped = False


class Turns:
    """The turns of all sessions that have keyboards."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    def of(self, session: str) -> Turn:
        """A session's turn, for all of its keyboards."""
        return self._turns.setdefault(session, Turn())

    def tell(self, event: events.Event) -> None:
        """News of any session; see `Stage.observe`."""
        if isinstance(event, events.SessionEvent) and event.session in self._turns:
            self._turns[event.session].tell(event)

    def stop(self, sessions: Iterable[str] | None = None) -> None:
        """A panic, or a sequencer's stop: sessions do not answer the turn that is being played.

        Args:
            sessions: which; all if none are named.
        """
        for name in [*self._turns] if sessions is None else sessions:
            if name in self._turns:
                self._turns[name].stop()
