"""Call and response with several keyboards: the performers' turns. No I/O; time is passed in."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stream_rnn.adapters.midi.phrases import Phrase
from stream_rnn.codecs.performance import Note
from stream_rnn.config import MidiIn
from stream_rnn.wire import events


@dataclass(frozen=True)
class Taken:
    """What the keyboards of a session played in one turn.

    Attributes:
        notes: the notes of all keyboards, in order of time.
        prime: whether the notes replace the past of the stream.
        stopped: whether somebody paused the session during the turn, so that it does not answer.
    """

    notes: list[Note]
    prime: bool
    stopped: bool


class Turn:
    """The turn of the performers at a session's keyboards.

    It begins with the first key of any keyboard, and ends when each keyboard has been quiet for
    its configured silence: the session never answers over a performer who still holds a key.
    What they played together becomes one phrase.

    We pause the session for the turn. If somebody else pauses it as well, by whatever means, their
    pause lasts longer: until somebody plays the session, or until the next turn is over.
    """

    def __init__(self) -> None:
        self._phrases: dict[int, tuple[MidiIn, Phrase]] = {}  # by keyboard
        self._stopped = False
        self._asking = False

    def take(self, keyboard: int, config: MidiIn) -> Phrase:
        """Returns a keyboard's phrase in this turn; begins the turn if there is none.

        Args:
            keyboard: any number that identifies the keyboard.
        """
        if not self._phrases:
            self._stopped = False
        return self._phrases.setdefault(keyboard, (config, Phrase()))[1]

    def over_at(self) -> float:
        """When the turn is over if nothing more is played; infinity if there is no turn."""
        times = (phrase.over_at(config.silence) for config, phrase in self._phrases.values())
        return max(times, default=math.inf)

    def end(self) -> Taken:
        """Ends the turn, and returns what was played."""
        phrases, self._phrases = [*self._phrases.values()], {}
        notes = [note for _, phrase in phrases for note in phrase.notes()]
        notes.sort(key=lambda note: (note.start, note.pitch))
        return Taken(notes, any(config.prime for config, _ in phrases), self._stopped)

    def stop(self) -> None:
        """Notes that somebody wants silence: the session will not answer this turn."""
        self._stopped = True

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Marks a block in which the session's news come from our own requests."""
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def tell(self, event: events.Event) -> None:
        """Takes news of the session. A pause with a reason (the engine died, say) is nobody's."""
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
        """Returns the turn of a session, which all of its keyboards share."""
        return self._turns.setdefault(session, Turn())

    def tell(self, event: events.Event) -> None:
        """Takes news of any session; see `Stage.observe`."""
        if isinstance(event, events.SessionEvent) and event.session in self._turns:
            self._turns[event.session].tell(event)

    def stop(self, sessions: Iterable[str] | None = None) -> None:
        """Keeps sessions from answering the present turn, on a panic or a sequencer's stop.

        Args:
            sessions: the names of the sessions; None for all.
        """
        for name in [*self._turns] if sessions is None else sessions:
            if name in self._turns:
                self._turns[name].stop()
