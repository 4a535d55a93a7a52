"""Turns OSC addresses and arguments into requests; `docs/osc.md` explains the addresses.

Most become the same requests as the WebSocket protocol's messages, checked by the same table.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stream_rnn.control_table import NORMS, TABLE
from stream_rnn.errors import ProtocolError
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc_values as values
from stream_rnn.wire.learning import Forget, Learn
from stream_rnn.wire.osc_patterns import matching

BUTTONS = ("play", "pause", "reset", "close")
TOKEN = "/rnn/token"


@dataclass(frozen=True)
class Subscribe:
    """Send a session's symbols to the sender, or to another port of its machine.

    Attributes:
        after: the position of the last symbol that the sender has; None: begin with the next.
    """

    session: str
    port: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Unsubscribe:
    """Send no more of a session's symbols."""

    session: str
    port: int | None = None


@dataclass(frozen=True)
class Reply:
    """Send the sender's answers, errors and symbols to this port of its machine; 0: to the port
    it sends from. For programs that cannot receive on the port they send from.
    """

    port: int


@dataclass(frozen=True)
class Feedback:
    """Send values to the faders' own addresses as they change (or stop it, if `on` is false).

    They go to the sender, or to a port of its machine, for the sessions it subscribes to there.
    """

    port: int | None = None
    on: bool = True


@dataclass(frozen=True)
class Ask:
    """Asks for the value of a control.

    Attributes:
        name: the control's name, followed by `/norm` to ask for its fader's place.
    """

    session: str
    name: str


@dataclass(frozen=True)
class Pong:
    """Returns the number that the server sent in `/rnn/ping`, to prove that somebody listens."""

    number: int


@dataclass(frozen=True)
class Token:
    """Gives the server's token, which other machines need."""

    token: str


class Plain(enum.Enum):
    """Requests without arguments."""

    PANIC = "panic"  # pauses every session that plays, and ends all notes
    MODELS = "models"  # lists the models
    SESSIONS = "sessions"  # lists the sessions


Request = (
    wire.Message
    | Learn
    | Forget
    | Subscribe
    | Unsubscribe
    | Reply
    | Feedback
    | Ask
    | Pong
    | Token
    | Plain
)


def requests(address: str, arguments: tuple[Any, ...], sessions: Iterable[str]) -> list[Request]:
    """The requests of a message: several if SESSION is a pattern, none for a released button.

    The `id` of each is the address, so that answers and errors can name it.

    Args:
        sessions: the names that a pattern may match.

    Raises:
        ProtocolError: there is no such address, or the arguments do not fit it.
    """
    parts = address.split("/")[1:]
    if len(parts) < 2 or parts[0] != "rnn":
        raise ProtocolError("unknown_address", "addresses are /rnn/SESSION/ACTION; see docs/osc.md")
    if any(isinstance(a, float) and not math.isfinite(a) for a in arguments):
        raise ProtocolError("bad_value", f"{address} takes no number that is infinite or NaN")
    if len(parts) == 2:
        return _general(parts[1], arguments)
    name, action = parts[1], "/".join(parts[2:])
    if name == "midi" and action in ("learn", "forget"):
        return [_midi(action, arguments, address)]
    return [
        r for s in matching(name, sessions) for r in _for_session(s, action, arguments, address)
    ]


_GENERAL = {
    "subscribe": "SESSION [port [after]]",
    "unsubscribe": "SESSION [port]",
    "reply": "a port, or 0 for the sender's own",
    "feedback": "[port] ['off']",
    "ping": "one number, or nothing",
    "pong": "the number of the /rnn/ping that it answers",
    "token": "the server's token, as a string",
}


def _general(action: str, arguments: tuple[Any, ...]) -> list[Request]:
    if action in ("panic", "models", "sessions"):
        let_go = action != "panic" and _let_go(arguments)  # a panic is one, whatever it says
        return [] if let_go else [Plain(action)]
    if action not in _GENERAL:
        raise ProtocolError("unknown_address", f"there is no /rnn/{action}; see docs/osc.md")
    # To Python a boolean is a number, but none of these takes one.
    match action, () if any(isinstance(a, bool) for a in arguments) else arguments:
        case "subscribe", (str(session),):
            return [Subscribe(session)]
        case "subscribe", (str(session), int(port)) if 0 <= port < 65536:
            return [Subscribe(session, port or None)]
        case "subscribe", (str(session), int(port), int(after)) if 0 <= port < 65536:
            return [Subscribe(session, port or None, after)]
        case "unsubscribe", (str(session),):
            return [Unsubscribe(session)]
        case "unsubscribe", (str(session), int(port)) if 0 <= port < 65536:
            return [Unsubscribe(session, port or None)]
        case "reply", (int(port),) if 0 <= port < 65536:
            return [Reply(port)]
        case "feedback", ():
            return [Feedback()]
        case "feedback", (int(port),) if 0 <= port < 65536:
            return [Feedback(port or None)]
        case "feedback", ("off",):
            return [Feedback(on=False)]
        case "feedback", (int(port), "off") if 0 <= port < 65536:
            return [Feedback(port or None, on=False)]
        case "pong", (int(number),):
            return [Pong(number)]
        case "token", (str(token),):
            return [Token(token)]
        case "ping", () if not arguments:
            return [wire.Ping(t0=0)]
        case "ping", (int(t0) | float(t0),):
            return [_checked("ping", t0=t0)]
    raise ProtocolError("bad_value", f"/rnn/{action} takes {_GENERAL[action]}")


def _let_go(arguments: tuple[Any, ...]) -> bool:
    """Whether the message is the release of a button.

    Touch controllers send 1 when a button is pressed and 0 when it is released. One press must
    act only once.
    """
    return len(arguments) == 1 and isinstance(arguments[0], int | float) and arguments[0] == 0


def _midi(action: str, arguments: tuple[Any, ...], address: str) -> Request:
    match action, arguments:
        case "learn", (str(control), *rest):
            session = rest.pop(0) if len(rest) % 2 else "*"
            names = rest[::2]
            if isinstance(session, str) and all(isinstance(name, str) for name in names):
                options = tuple(zip(names, rest[1::2], strict=True))
                return Learn(control, session, options, id=address)
        case "forget", ():
            return Forget()
        case "forget", (str(control),):
            return Forget(control)
    raise ProtocolError(
        "bad_value",
        "/rnn/midi/learn takes CONTROL [session] [option value ...]; /rnn/midi/forget takes "
        "CONTROL or nothing",
    )


def _for_session(
    session: str, action: str, arguments: tuple[Any, ...], address: str
) -> list[Request]:
    base: dict[str, Any] = {"session": session, "id": address}
    name, _, form = action.partition("/")
    if name in TABLE and not arguments and (name, form) != ("pitches", ""):
        if form and not (form == "norm" and name in NORMS):
            raise values.unknown(action)
        return [Ask(session, action)]
    if name in TABLE:
        changes, at = values.controls(name, form, arguments)
        return [_checked("control", controls=changes, at=at, **base)]
    if _let_go(arguments) and action in (*BUTTONS, "step"):
        return []
    if action == "prime":
        primed = _checked("feed", symbols=values.symbols(arguments), **base)
        return [_checked("reset", **base), primed]
    if action not in _ACTIONS:
        raise values.unknown(action)
    kind, fields = _ACTIONS[action]
    return [_checked(kind, **fields(arguments), **base)]


# The type of the request that an action of a session becomes, and the fields that its arguments
# give.
_ACTIONS: dict[str, tuple[str, Callable[[tuple[Any, ...]], dict[str, Any]]]] = {
    "open": ("open", values.opening),
    "feed": ("feed", lambda words: {"symbols": values.symbols(words)}),
    "feed/in_time": ("feed", lambda words: {"symbols": values.symbols(words), "in_time": True}),
    "touch": ("touch", values.touching),
    "lead": ("lead", values.leading),
    "step": ("step", lambda words: {"count": values.only(int, "step", words or (1,))}),
    "model": ("control", lambda words: {"model": values.only(str, "model", words), "controls": {}}),
    "rewind": ("rewind", lambda words: {"to": values.only(int, "rewind", words)}),
    "fork": ("fork", values.forking),
    **{button: (button, lambda words: {}) for button in BUTTONS},
}


def _checked(kind: str, **fields: Any) -> wire.Message:
    """A request, checked by the table of the WebSocket protocol."""
    return wire.from_fields({"type": kind, **fields})
