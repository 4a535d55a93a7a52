"""Events as OSC addresses and arguments: answers, errors, news, notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stream_rnn.sound.voice import Note
from stream_rnn.wire import messages as wire

Message = tuple[str, tuple[Any, ...]]

LED_BY_NETWORK = -1  # in the place of a gesture, since OSC has nothing that is none everywhere
MAX_INT = 2**31 - 1
# Bytes of an error, which may quote what it is about: a datagram that no network cuts in pieces.
MAX_REASON = 800
MAX_ADDRESS = 200


def answers(event: wire.Event) -> list[Message]:
    """An event that is no symbol, as addresses and arguments."""
    fields, kind = event.fields, event.kind
    if kind == "error":
        reason, about = fields["message"], str(event.id or "")
        return [
            ("/rnn/error", (fields["code"], _short(reason, MAX_REASON), _short(about, MAX_ADDRESS)))
        ]
    if kind == "pong":
        return [("/rnn/pong", (fields["t0"],))]
    if kind in ("learned", "forgotten"):
        names = ("control", "cc", "number", "channel", "kind")
        control, *more = (fields.get(name) for name in names)
        return [(f"/rnn/midi/{kind}", (control, *(v for v in more if v is not None)))]
    if "session" not in fields:
        return []
    base = f"/rnn/{fields['session']}/{kind}"
    if kind == "controlled":
        position = fields["position"]
        return [
            (base, (name, flat(fields["controls"].get(name)), position))
            for name in fields["changed"]
        ]
    if kind == "led":
        gesture = LED_BY_NETWORK if fields["gesture"] is None else fields["gesture"]
        return [(base, (fields["player"], gesture, fields["position"]))]
    if kind == "opened":
        return [(base, _standing(fields))]
    if kind == "gap":
        return [(base, (fields["after"], fields["before"]))]
    return [(base, (fields["position"],) if "position" in fields else ())]


def session_messages(sessions: Iterable[wire.Event]) -> list[Message]:
    """The answer to `/rnn/sessions`, from each one's `opened`: the same, after its name."""
    return [("/rnn/session", (e.fields["session"], *_standing(e.fields))) for e in sessions]


def _standing(fields: Mapping[str, Any]) -> tuple[Any, ...]:
    """How a session stands: model, position, seed, and whether it plays.

    The seed is a string, since many are larger than an OSC int, and a float is not exact.
    """
    model, position, seed = (fields[name] for name in ("model", "position", "seed"))
    return model, position, str(seed), int(fields["playing"])


def _short(text: str, most: int) -> str:
    data = text.encode()
    return text if len(data) <= most else data[: most - 3].decode(errors="ignore") + "..."


def flat(value: Any) -> int | float | str:
    """A control's value as one OSC argument; a seed that an OSC int does not hold as a string."""
    if isinstance(value, int) and abs(value) > MAX_INT:
        return str(value)
    if isinstance(value, dict):
        return " ".join(f"{name}={weight:g}" for name, weight in value.items())
    if isinstance(value, list | tuple):
        return " ".join(str(v) for v in value)
    return value if isinstance(value, int | float | str) else ""


def note_messages(session: str, notes: Iterable[Note], seconds: float) -> list[Message]:
    """`/note` messages: a key that begins, and (velocity 0, no seconds) one that ends."""
    address = f"/rnn/{session}/note"
    return [(address, (n.pitch, n.velocity, seconds if n.velocity else 0.0)) for n in notes]
