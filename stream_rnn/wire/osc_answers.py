"""Turns events (answers, errors, news and notes) into OSC addresses and arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stream_rnn.sound.voice import Note
from stream_rnn.wire import events

Message = tuple[str, tuple[Any, ...]]

LED_BY_NETWORK = -1  # instead of a gesture: not all OSC programs have a value for "none"
MAX_INT = 2**31 - 1
# The most bytes of an error's text, which may quote a client: so no network splits the datagram.
MAX_REASON = 800
MAX_ADDRESS = 200


def answers(event: events.Event) -> list[Message]:
    """An event as addresses and arguments; not for symbols and touches."""
    match event:
        case events.Error(code=code, message=reason, retry_after=seconds, id=id):
            reason, about = _short(reason, MAX_REASON), _short(str(id or ""), MAX_ADDRESS)
            later = () if seconds is None else (float(seconds),)
            return [("/rnn/error", (code, reason, about, *later))]
        case events.Pong(t0=t0):
            return [("/rnn/pong", (t0,))]
        case events.Learned():
            more = (event.cc, event.number, event.channel, event.kind)
            given = (value for value in more if value is not None)
            return [("/rnn/midi/learned", (event.control, *given))]
        case events.Forgotten(control=control):
            return [("/rnn/midi/forgotten", (control,))]
        case events.SessionEvent():
            base = f"/rnn/{event.session}/{event.type}"
            return [(base, arguments) for arguments in _of_session(event)]
    return []


def _of_session(event: events.SessionEvent) -> list[tuple[Any, ...]]:
    match event:
        case events.Controlled(position=position, controls=controls):
            return [(name, flat(controls.get(name)), position) for name in event.changed]
        case events.Led(position=position, player=player, gesture=gesture):
            return [(player, LED_BY_NETWORK if gesture is None else gesture, position)]
        case events.Opened():
            return [_standing(event)]
        case events.Gap(after=after, before=before):
            return [(after, before)]
        case events.PositionEvent(position=position):
            return [(position,)]
    return [()]


def session_messages(sessions: Iterable[events.Opened]) -> list[Message]:
    """The answer to `/rnn/sessions`: each session's name, then the arguments of its `opened`."""
    return [("/rnn/session", (opened.session, *_standing(opened))) for opened in sessions]


def _standing(opened: events.Opened) -> tuple[Any, ...]:
    """The state of a session: model, position, seed, and whether it plays.

    The seed is a string, because many are larger than an OSC int and a float is not exact.
    """
    return opened.model, opened.position, str(opened.seed), int(opened.playing)


def _short(text: str, most: int) -> str:
    data = text.encode()
    return text if len(data) <= most else data[: most - 3].decode(errors="ignore") + "..."


def flat(value: Any) -> int | float | str:
    """A control's value as one OSC argument; an int too large for OSC becomes a string."""
    if isinstance(value, int) and abs(value) > MAX_INT:
        return str(value)
    if isinstance(value, dict):
        return " ".join(f"{name}={weight:g}" for name, weight in value.items())
    if isinstance(value, list | tuple):
        return " ".join(str(v) for v in value)
    return value if isinstance(value, int | float | str) else ""


def note_messages(session: str, notes: Iterable[Note], seconds: float) -> list[Message]:
    """`/note` messages. A note that ends has velocity 0 and 0 seconds."""
    address = f"/rnn/{session}/note"
    return [(address, (n.pitch, n.velocity, seconds if n.velocity else 0.0)) for n in notes]
