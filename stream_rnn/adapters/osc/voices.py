"""What an OSC address is sent of the sessions that it listens to.

A *form* turns symbols and news into messages: `PlainForm` into our own addresses, which
subscribers get; `TemplateForm` into those of another program. `OscVoices` follows sessions in
one of them, and sees to it that what it began there also ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from stream_rnn.sound.part import Part
from stream_rnn.sound.voice import Note, Voice, is_verse
from stream_rnn.stage.subscribers import Moment
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc
from stream_rnn.wire.osc_answers import Message, answers, note_messages
from stream_rnn.wire.osc_faders import fader_messages
from stream_rnn.wire.template import Template, note_values

TAIL = 0.05  # seconds that what sounds may ring on after a pause; less than it takes to start
EVENT_SECONDS = 0.25  # what `{seconds}` says of a performance's note, which ends by another event

TOUCH = ("player", "x", "y", "down", "pitch")  # what `/touch` says, in this order


class Form(Protocol):
    """How symbols and news are said."""

    def symbol(self, fields: dict[str, Any], moment: Moment, voice: Voice) -> list[Message]:
        """A symbol, in messages that are to be done when it is due."""
        ...

    def ends(self, session: str, notes: list[Note]) -> list[Message]:
        """Notes that end between symbols."""
        ...

    def news(self, event: wire.Event) -> list[Message]:
        """What is no symbol."""
        ...


class PlainForm:
    """Our own addresses; see `docs/osc.md`."""

    def symbol(self, fields: dict[str, Any], moment: Moment, voice: Voice) -> list[Message]:
        base, controls = f"/rnn/{fields['session']}", moment.controls
        notes: list[Note] = []
        if not is_verse(fields):
            notes = voice.play(fields, velocity=controls.velocity, transpose=controls.transpose)
        sounds = note_messages(fields["session"], notes, moment.ends - fields["due"])
        if "touch" in fields:
            touch = tuple(fields["touch"][name] for name in TOUCH)
            return [(f"{base}/touch", touch), *note_messages(fields["session"], notes, 0.0)]
        return [self._shown(fields, voice.sounding), *sounds]

    @classmethod
    def past(cls, fields: dict[str, Any]) -> list[Message]:
        """A symbol of the past, which is shown and not sounded."""
        return [] if "touch" in fields else [cls._shown(fields, tuple(fields.get("notes", ())))]

    @staticmethod
    def _shown(fields: dict[str, Any], pitches: tuple[int, ...]) -> Message:
        base, event = f"/rnn/{fields['session']}", fields.get("event")
        if "text" in fields:
            return f"{base}/char", (fields["text"], fields["n"])
        if event is None:
            return f"{base}/frame", pitches
        if "gesture" in event:
            return f"{base}/gesture", (event["player"], event["gesture"])
        return f"{base}/event", tuple(x for item in event.items() for x in item)

    def ends(self, session: str, notes: list[Note]) -> list[Message]:
        return note_messages(session, notes, 0.0)

    def news(self, event: wire.Event) -> list[Message]:
        return answers(event)


@dataclass(frozen=True)
class TemplateForm:
    """The words of another program. What begins is said, and where there is a template `off`
    what ends; without it `{seconds}` tells when that will be.

    Attributes:
        templates: for each `note` that begins, each that ends (`off`), each `char`, each `symbol`,
            each `touch`, each `control` that changes, where there is one.
        hold: what `{seconds}` is, in lengths of a symbol.
    """

    templates: Mapping[str, Template]
    hold: float

    def symbol(self, fields: dict[str, Any], moment: Moment, voice: Voice) -> list[Message]:
        length = moment.ends - fields["due"]
        values = {
            "seconds": self.hold * (length if length > 0 else EVENT_SECONDS),
            "n": fields.get("n", 0),
            "session": fields["session"],
        }
        # What was fed is shown and not sounded: characters and touches are shown, others sound.
        filled: list[tuple[str, dict[str, Any]]] = []
        if "touch" in fields:
            filled.append(("touch", fields["touch"]))
        elif not fields.get("fed"):
            filled.append(("symbol", {}))
        if "text" in fields:
            filled.append(("char", {"char": fields["text"]}))
        controls = moment.controls
        for note in voice.play(fields, velocity=controls.velocity, transpose=controls.transpose):
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

    def news(self, event: wire.Event) -> list[Message]:
        template, fields = self.templates.get("control"), event.fields
        if template is None or event.kind not in ("opened", "rewound", "controlled"):
            return []
        if fields.get("pending"):
            return []  # it is told again when it holds
        session, said = fields["session"], list[Message]()
        for name, forms in fader_messages(
            session, fields["controls"], fields.get("changed")
        ).items():
            value, *norm = (arguments[0] for _, arguments in forms)
            values = {"session": session, "name": name, "value": value}
            if norm or not template.uses("norm"):
                said.append(template.message({**values, "norm": norm[0] if norm else 0.0}))
        return said


class OscVoices:
    """A viewer of the stage that sends what it hears to one address.

    Args:
        send: one datagram.
        now: the stage's clock.
        wall: a time of the stage's clock as seconds since 1970.
        form: how it is said.
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
        self._parts: dict[str, Part] = {}

    @property
    def sessions(self) -> list[str]:
        """What it listens to."""
        return list(self._parts)

    def begin(self, session: str) -> None:
        """Listens to a session from now on."""
        self._parts.setdefault(session, Part())

    def end(self, session: str) -> None:
        """Listens to it no more."""
        if session in self._parts:
            self._release(session, TAIL)
            del self._parts[session]

    def tell(self, event: wire.Event) -> None:
        for address, arguments in self._form.news(event):
            self.send(osc.message_bytes(address, *arguments))
        session = event.fields.get("session", "")
        match event.kind:
            case "closed":
                self.end(session)
            case "paused":
                self._release(session, TAIL)
            case "reset" | "rewound":
                self._release(session, 0.0)

    def symbol(self, event: wire.Event, moment: Moment) -> None:
        part = self._parts.get(event.fields["session"])
        if part is not None:
            at = part.follow(event.fields, moment.ends)
            self._send_at(at, self._form.symbol(event.fields, moment, part.voice))

    def history(self, events: Callable[[], Iterator[wire.Event]]) -> None:
        """A long feed. OSC programs live in the present, but what it interrupts has ended."""
        first = next(events(), None)
        if first is not None:
            self._release(first.fields["session"], 0.0)

    def panic(self) -> None:
        """Ends whatever sounds, at once."""
        for session in self._parts:
            self._release(session, 0.0)

    def _release(self, session: str, tail: float) -> None:
        """Ends what sounds, since nothing that follows would."""
        part = self._parts.get(session)
        if part is None:
            return
        at = part.quiet_at(self._now(), tail)
        self._send_at(at, self._form.ends(session, part.voice.release()))

    def _send_at(self, due: float, messages: list[Message]) -> None:
        if messages:
            self.send(osc.bundle_bytes(self._wall(due) + self._latency, messages))
