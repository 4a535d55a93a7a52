"""Keyboards that play with a session: it answers them, or their keys go into its stream.

No I/O; the time is passed in. All requests go to the stage, as those of any client.
"""

from __future__ import annotations

import logging
import math

from stream_rnn.adapters.midi.phrases import Phrase, as_events, as_frames
from stream_rnn.adapters.midi.turns import Turns
from stream_rnn.codecs.performance import Note, PerformanceCodec
from stream_rnn.codecs.pianoroll import HIGHEST_PITCH, LOWEST_PITCH, PianorollCodec
from stream_rnn.config import MidiIn
from stream_rnn.sessions.controls import BEATS_PER_BAR, default_controls, steps_per_beat
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.subscribers import Asker
from stream_rnn.wire import messages as wire
from stream_rnn.wire.midi import NoteOff, NoteOn

log = logging.getLogger("stream_rnn.midi")

ROLL, PERFORMANCE = PianorollCodec.domain, PerformanceCodec.domain
EARLY = 0.004  # seconds before a symbol is committed, when a frame of keys takes its place


def make_keys(config: MidiIn, stage: Stage, asker: Asker, turns: Turns) -> Keys:
    """Makes the keys that a keyboard's configuration asks for.

    Args:
        turns: the turns of all sessions, which keyboards share.
    """
    if config.keys == "answer":
        return Answer(config, stage, asker, turns)
    kind = PlayAlong if config.keys == "feed" else Keys
    return kind(config, stage, asker)


class Keys:
    """The keys of a keyboard, which do nothing. `time` is when a message was received."""

    def __init__(self, config: MidiIn, stage: Stage, asker: Asker) -> None:
        self._config, self._stage, self._asker = config, stage, asker
        self._refused: str | None = None

    def note_on(self, event: NoteOn, time: float, now: float) -> None:
        """Handles a key that goes down."""

    def note_off(self, event: NoteOff, time: float, now: float) -> None:
        """Handles a key that goes up."""

    def pedal(self, down: bool, time: float) -> None:
        """Handles the sustain pedal."""

    def next_time(self) -> float:
        """When `tick` has something to do; infinity for nothing."""
        return math.inf

    def tick(self, now: float) -> None:
        """Does what is due."""

    def _session(self) -> Session | None:
        """The session to play with; None, with a warning in the log, if it takes no keys."""
        name = self._config.session
        session = self._stage.sessions.get(name)
        reason = None
        if session is None:
            reason = f"keys are for the session {name!r}, which is not open"
        elif session.codec.domain not in (ROLL, PERFORMANCE):
            reason = (
                f"keys cannot be played to the session {name!r}: its model speaks "
                f"{session.codec.domain}; open it with a {ROLL} or a {PERFORMANCE} model"
            )
        if reason is not None and reason != self._refused:
            log.warning("%s", reason)
        self._refused = reason
        return session if reason is None else None

    def _ask(self, message: wire.Message, now: float) -> None:
        self._stage.handle(self._asker, message, now)


class Answer(Keys):
    """Call and response: the session listens while keys are played, and then answers.

    All keyboards of a session share one turn: see `Turn`.
    """

    def __init__(self, config: MidiIn, stage: Stage, asker: Asker, turns: Turns) -> None:
        super().__init__(config, stage, asker)
        self._turn = turns.of(config.session)
        self._phrase: Phrase | None = None
        self._pedal = False

    def note_on(self, event: NoteOn, time: float, now: float) -> None:
        session = self._session()
        if session is None or not LOWEST_PITCH <= event.pitch <= HIGHEST_PITCH:
            return
        phrase = self._turn.take(id(self), self._config)
        if phrase is not self._phrase:
            self._phrase = phrase
            phrase.pedal(self._pedal, time)
        if session.playing:
            with self._turn.asking():
                self._ask(wire.Pause(session=session.name), now)
        phrase.on(event.pitch, event.velocity, time)

    def note_off(self, event: NoteOff, time: float, now: float) -> None:
        if self._phrase is not None:
            self._phrase.off(event.pitch, time)

    def pedal(self, down: bool, time: float) -> None:
        self._pedal = down
        if self._phrase is not None:
            self._phrase.pedal(down, time)

    def next_time(self) -> float:
        return self._turn.over_at()

    def tick(self, now: float) -> None:
        """Ends the turn if it is over: feeds the notes of all keyboards, and plays on."""
        if now < self._turn.over_at():
            return
        played = self._turn.end()
        session = self._session()
        if session is None or not played.notes:
            return
        name = session.name
        with self._turn.asking():
            if played.prime:
                self._ask(wire.Reset(session=name), now)
            self._ask(wire.Feed(session=name, symbols=self._symbols(session, played.notes)), now)
            if not played.stopped:
                self._ask(wire.Play(session=name), now)

    def _symbols(self, session: Session, notes: list[Note]) -> list[object]:
        """Encodes the phrase as symbols of the session's model, in the session's own time."""
        limit = self._stage.limits.prime
        if session.codec.domain == PERFORMANCE:
            speed = session.controls.rate / default_controls(session.card, 0).rate
            return [*as_events(notes, speed=speed, limit=limit)]
        start, tempo = notes[0].start, session.tempo
        if tempo is None:
            rate = session.controls.rate
            return [*as_frames(notes, lambda t: (t - start) * rate, first=0, limit=limit)]
        # With a followed beat, the phrase keeps its place in the bar: an upbeat stays an upbeat.
        # The distance from the stream's own place in the bar becomes a rest.
        per_beat = steps_per_beat(session.card)
        step = round(tempo.beat_at(start) * per_beat)
        rest = (step - session.position) % (per_beat * BEATS_PER_BAR)
        return [
            *as_frames(notes, lambda t: tempo.beat_at(t) * per_beat, first=step - rest, limit=limit)
        ]


class PlayAlong(Keys):
    """Keys go into the stream while it plays.

    With a piano roll, while keys are down, each frame is made of these keys and takes the place
    of the session's own. So the session is silent under the performer's hands, hears what they
    play, and goes on from there, in time, when they are lifted. With a performance, the events
    of keys go in between the stream's own.
    """

    def __init__(self, config: MidiIn, stage: Stage, asker: Asker) -> None:
        super().__init__(config, stage, asker)
        self._down: set[int] = set()
        self._struck: set[int] = set()  # struck since the last frame, perhaps released already

    def note_on(self, event: NoteOn, time: float, now: float) -> None:
        session = self._playing()
        if session is None or not LOWEST_PITCH <= event.pitch <= HIGHEST_PITCH:
            return
        if session.codec.domain == PERFORMANCE:
            symbols = [{"velocity": event.velocity}, {"on": event.pitch}]
            self._ask(wire.Feed(session=session.name, symbols=symbols), now)
        self._down.add(event.pitch)
        self._struck.add(event.pitch)

    def note_off(self, event: NoteOff, time: float, now: float) -> None:
        if event.pitch not in self._down:
            return
        self._down.discard(event.pitch)
        session = self._playing()
        if session is not None and session.codec.domain == PERFORMANCE:
            self._ask(wire.Feed(session=session.name, symbols=[{"off": event.pitch}]), now)

    def _playing(self) -> Session | None:
        session = self._session()
        return session if session is not None and session.status is Status.PLAYING else None

    def next_time(self) -> float:
        if not self._down | self._struck:
            return math.inf
        session = self._playing()
        if session is None or session.codec.domain == PERFORMANCE:
            return math.inf
        return session.next_due - session.timing.commit_ahead - EARLY

    def tick(self, now: float) -> None:
        if now < self.next_time():
            return
        frame = sorted(self._down | self._struck)
        self._struck.clear()
        message = wire.Feed(session=self._config.session, symbols=[frame], in_time=True)
        self._ask(message, now)
