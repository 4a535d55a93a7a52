"""Sends one OSC address the symbols and news of the sessions that it listens to.

A *form* turns symbols and news into messages: `PlainForm` with our own addresses, which
subscribers get; `TemplateForm` with those of another program. `OscVoices` follows sessions in
one of these forms, and ends every note that it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import asdict

from stream_rnn.sound.track import Track
from stream_rnn.sound.voice import Note, Voice, is_verse
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events, osc
from stream_rnn.wire.osc_answers import Message, answers, note_messages
from stream_rnn.wire.osc_faders import news_of_faders
from stream_rnn.wire.template import Template, note_values

TAIL = 0.05  # seconds that notes may ring on after a pause; less than playing on takes to start
EVENT_SECONDS = 0.25  # `{seconds}` of a performance's note, which ends by another event


class PlainForm:
    """Our own addresses; see `docs/osc.md`."""

    def symbol(self, event: events.Live, context: NoteContext, voice: Voice) -> list[Message]:
        """Makes the messages of a symbol, which are to be done when it is due."""
        session, controls = event.session, context.controls
        notes: list[Note] = []
        if not is_verse(event):
            notes = voice.play(event, velocity=controls.velocity, transpose=controls.transpose)
        match event:
            case events.Touch(touch=t):
                touch = (f"/rnn/{session}/touch", (t.player, t.x, t.y, t.down, t.pitch))
                return [touch, *note_messages(session, notes, 0.0)]
            case events.Symbol(due=due):
                sounds = note_messages(session, notes, context.ends - due)
                return [self._shown(event, voice.sounding), *sounds]

    @classmethod
    def past(cls, symbol: events.Symbol) -> list[Message]:
        """Makes the messages of a past symbol, which is shown and not sounded."""
        return [cls._shown(symbol, tuple(symbol.notes or ()))]

    @staticmethod
    def _shown(symbol: events.Symbol, pitches: tuple[int, ...]) -> Message:
        base = f"/rnn/{symbol.session}"
        match symbol.event:
            case _ if symbol.text is not None:
                return f"{base}/char", (symbol.text, symbol.n)
            case None:
                return f"{base}/frame", pitches
            case {"player": player, "gesture": gesture}:
                return f"{base}/gesture", (player, gesture)
            case event:
                return f"{base}/event", tuple(x for item in event.items() for x in item)

    def ends(self, session: str, notes: list[Note]) -> list[Message]:
        """Makes the messages that end notes between symbols."""
        return note_messages(session, notes, 0.0)

    def news(self, event: events.Event) -> list[Message]:
        """Makes the messages of an event that is not a symbol."""
        return answers(event)


@dataclass(frozen=True)
class TemplateForm:
    """Messages for another program, from the templates of a target. Without an `off` template,
    only the `{seconds}` of its beginning tell when a note ends.

    Attributes:
        templates: by kind: `note` (one begins), `off` (one ends), `char`, `symbol`, `touch`, and
            `control` (one changes). There are no messages of kinds without a template.
        hold: the value of `{seconds}`, in lengths of a symbol.
    """

    templates: Mapping[str, Template]
    hold: float

    def symbol(self, event: events.Live, context: NoteContext, voice: Voice) -> list[Message]:
        length = context.ends - event.due
        values = {
            "seconds": self.hold * (length if length > 0 else EVENT_SECONDS),
            "n": event.n if isinstance(event, events.Symbol) else 0,
            "session": event.session,
        }
        # A fed symbol is shown and not sounded: `char` and `touch` show it, `symbol` may sound.
        filled: list[tuple[str, dict[str, Any]]] = []
        if isinstance(event, events.Touch):
            filled.append(("touch", asdict(event.touch)))
        elif not event.fed:
            filled.append(("symbol", {}))
        if event.touch is None and event.text is not None:
            filled.append(("char", {"char": event.text}))
        controls = context.controls
        for note in voice.play(event, velocity=controls.velocity, transpose=controls.transpose):
            filled.append(("note" if note.velocity else "off", note_values(note)))
        return [
            template.message({**values, **more})
            for kind, more in filled
            if (template := self.templates.get(kind)) is not None
        ]

    def ends(self, session: str, notes: list[Note]) -> list[Message]:
        off = self.templates.get("off")
        if off is None:
            return []
        return [off.message({"session": session, **note_values(note)}) for note in notes]

    def news(self, event: events.Event) -> list[Message]:
        template, said = self.templates.get("control"), list[Message]()
        if template is None or not isinstance(event, events.SessionEvent):
            return []
        for name, forms in news_of_faders(event).items():
            value, *norm = (arguments[0] for _, arguments in forms)
            values = {"session": event.session, "name": name, "value": value}
            if norm or not template.uses("norm"):
                said.append(template.message({**values, "norm": norm[0] if norm else 0.0}))
        return said


Form = PlainForm | TemplateForm


class OscVoices:
    """A viewer of the stage that sends symbols and news to one address.

    Args:
        send: sends a datagram.
        now: the stage's clock.
        wall: converts a time of the stage's clock to seconds since 1970.
        form: turns symbols and news into messages.
        latency: seconds added to the times in timetags.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        now: Callable[[], float],
        wall: Callable[[float], float],
        form: Form,
        latency: float,
    ) -> None:
        self.send = send
        self._now, self._wall = now, wall
        self._form, self._latency = form, latency
        self._tracks: dict[str, Track] = {}

    @property
    def sessions(self) -> list[str]:
        """The names of the sessions that it listens to."""
        return list(self._tracks)

    def begin(self, session: str) -> None:
        """Listens to a session from now on."""
        self._tracks.setdefault(session, Track())

    def end(self, session: str) -> None:
        """Stops listening to a session, and ends its notes."""
        if session in self._tracks:
            self._release(session, TAIL)
            del self._tracks[session]

    def tell(self, event: events.Event) -> None:
        for address, arguments in self._form.news(event):
            self.send(osc.message_bytes(address, *arguments))
        match event:
            case events.Closed(session=session):
                self.end(session)
            case events.Paused(session=session):
                self._release(session, TAIL)
            case events.Reset() | events.Rewound():
                self._release(event.session, 0.0)

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        track = self._tracks.get(event.session)
        if track is not None:
            at = track.follow(event, context.ends)
            self._send_at(at, self._form.symbol(event, context, track.voice))

    def history(self, past: Callable[[], Iterator[events.Past]]) -> None:
        """Ends the notes that a long feed interrupts; the feed itself is not sent."""
        first = next(past(), None)
        if first is not None:
            self._release(first.session, 0.0)

    def panic(self) -> None:
        """Ends all notes at once."""
        for session in self._tracks:
            self._release(session, 0.0)

    def _release(self, session: str, tail: float) -> None:
        """Ends the notes of a session, since no symbol that follows will end them."""
        track = self._tracks.get(session)
        if track is None:
            return
        at = track.quiet_at(self._now(), tail)
        self._send_at(at, self._form.ends(session, track.voice.release()))

    def _send_at(self, due: float, messages: list[Message]) -> None:
        if messages:
            self.send(osc.bundle_bytes(self._wall(due) + self._latency, messages))
