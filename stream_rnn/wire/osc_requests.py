"""What OSC addresses ask for. `docs/osc.md` is their map for people.

Addresses and arguments become the same requests as WebSocket's messages, by the same table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stream_rnn.errors import ProtocolError
from stream_rnn.wire import messages as wire
from stream_rnn.wire.osc_answers import LED_BY_NETWORK
from stream_rnn.wire.osc_patterns import matching

# name: (least, most) of the /norm form: what a hand on a fader wants, not all that is legal.
NORMS = {
    "temperature": (0.0, 2.0),
    "rate": (1.0, 60.0),
    "bpm": (40.0, 240.0),
    "top_p": (0.0, 1.0),
    "density": (-6.0, 6.0),
}
CONTROLS = (
    *NORMS, "top_k", "velocity", "transpose", "channel", "seed", "artist", "pitches", "sync"
)  # fmt: skip
BUTTONS = ("play", "pause", "reset", "close")

# A blend as `controlled` and the OSCQuery tree show it: Emily Dickinson=0.25 Bo=0.75
_SHARE = re.compile(r"\s*([^=]+?)=([-+.\deE]+)(?=\s|$)")
_PITCHES = re.compile(r"\s*(?:\d{1,3}(?:\s+|$))*")


@dataclass(frozen=True)
class Subscribe:
    """Symbols of a session, to the sender, or to another port of its machine.

    Attributes:
        after: the last symbol that it has; none: it begins with what comes now.
    """

    session: str
    port: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Unsubscribe:
    """No more of them."""

    session: str
    port: int | None = None


@dataclass(frozen=True)
class Reply:
    """Answers, errors and symbols for the sender go to this port of its machine from now on;
    0: to the one it sends from. For programs that cannot hear where they send from.
    """

    port: int


@dataclass(frozen=True)
class Panic:
    """Silence: every session that plays is paused."""


@dataclass(frozen=True)
class ListModels:
    """Which models are there?"""


@dataclass(frozen=True)
class ListSessions:
    """Which sessions are there?"""


@dataclass(frozen=True)
class Learn:
    """The next MIDI controller that moves is to move this control."""

    control: str
    session: str = "*"


@dataclass(frozen=True)
class Forget:
    """No MIDI controller moves this control any more; none named: no control at all."""

    control: str | None = None


Request = (
    wire.Message
    | Learn
    | Forget
    | Subscribe
    | Unsubscribe
    | Reply
    | Panic
    | ListModels
    | ListSessions
)


def requests(address: str, arguments: tuple[Any, ...], sessions: Iterable[str]) -> list[Request]:
    """What an address asks for; several where SESSION is a pattern, none of a button let go.

    The `id` of each is the address, so that answers and errors can name it.

    Args:
        sessions: the names that a pattern may match.

    Raises:
        ProtocolError: no such address, or arguments that do not fit it.
    """
    parts = address.split("/")[1:]
    if len(parts) < 2 or parts[0] != "rnn":
        raise ProtocolError("unknown_address", "addresses are /rnn/SESSION/ACTION; see docs/osc.md")
    if any(isinstance(a, float) and not math.isfinite(a) for a in arguments):
        raise ProtocolError("bad_value", f"{address} takes no number that is infinite or none")
    if len(parts) == 2:
        return _general(parts[1], arguments)
    name, action = parts[1], "/".join(parts[2:])
    if name == "midi" and action in ("learn", "forget"):
        return [_midi(action, arguments)]
    return [
        r for s in matching(name, sessions) for r in _for_session(s, action, arguments, address)
    ]


_GENERAL = {
    "subscribe": "SESSION [port [after]]",
    "unsubscribe": "SESSION [port]",
    "reply": "a port, or 0 for the sender's own",
    "ping": "one number, or nothing",
}


def _general(action: str, arguments: tuple[Any, ...]) -> list[Request]:
    if action == "panic":  # by whatever means
        return [Panic()]
    lists: dict[str, Request] = {"models": ListModels(), "sessions": ListSessions()}
    if action in lists:
        return [] if _let_go(arguments) else [lists[action]]
    if action not in _GENERAL:
        raise ProtocolError("unknown_address", f"there is no /rnn/{action}; see docs/osc.md")
    # To Python a boolean is a number.
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
        case "ping", () if not arguments:
            return [wire.Ping(t0=0)]
        case "ping", (int(t0) | float(t0),):
            return [_checked("ping", t0=t0)]
    raise ProtocolError("bad_value", f"/rnn/{action} takes {_GENERAL[action]}")


def _let_go(arguments: tuple[Any, ...]) -> bool:
    """Whether this is a button that is let go.

    Touch controllers send 1 when a button is pressed and 0 when it is let go, and who presses
    it once wants one thing done.
    """
    return len(arguments) == 1 and isinstance(arguments[0], int | float) and arguments[0] == 0


def _midi(action: str, arguments: tuple[Any, ...]) -> Request:
    match action, arguments:
        case "learn", (str(control),):
            return Learn(control)
        case "learn", (str(control), str(session)):
            return Learn(control, session)
        case "forget", ():
            return Forget()
        case "forget", (str(control),):
            return Forget(control)
    raise ProtocolError(
        "bad_value", "/rnn/midi/learn takes CONTROL [session], forget CONTROL or nothing"
    )


def _for_session(
    session: str, action: str, arguments: tuple[Any, ...], address: str
) -> list[Request]:
    base: dict[str, Any] = {"session": session, "id": address}
    name, _, form = action.partition("/")
    if name in CONTROLS:
        controls, at = _controls(name, form, arguments)
        return [_checked("control", controls=controls, at=at, **base)]
    if _let_go(arguments) and action in (*BUTTONS, "step"):
        return []
    in_time = action == "feed/in_time"
    if form and not in_time:
        raise ProtocolError(
            "unknown_address", f"there is no /rnn/SESSION/{action}; see docs/osc.md"
        )
    plain: dict[str, Callable[[], list[Request]]] = {
        "open": lambda: [_checked("open", **_opening(arguments), **base)],
        "prime": lambda: [
            _checked("reset", **base),
            _checked("feed", symbols=_symbols(arguments), **base),
        ],
        "feed": lambda: [_checked("feed", symbols=_symbols(arguments), in_time=in_time, **base)],
        "touch": lambda: [_checked("touch", **_touching(arguments), **base)],
        "lead": lambda: [_checked("lead", **_leading(arguments), **base)],
        "step": lambda: [_checked("step", count=_one(int, action, arguments or (1,)), **base)],
        "rewind": lambda: [_checked("rewind", to=_one(int, action, arguments), **base)],
        "fork": lambda: [_checked("fork", **_forking(arguments), **base)],
        **{
            kind: lambda kind=kind: [_checked(kind, **base)]  # type: ignore[misc]
            for kind in BUTTONS
        },
    }
    if name not in plain:
        raise ProtocolError(
            "unknown_address", f"there is no /rnn/SESSION/{action}; see docs/osc.md"
        )
    return plain[name]()


def _opening(arguments: tuple[Any, ...]) -> dict[str, Any]:
    words = list(arguments)
    # As the last of several words; a model may have that name, too.
    play = len(words) < 2 or words[-1] != "paused"
    if not play:
        words.pop()
    if not words or not isinstance(words[0], str):
        raise _bad_opening()
    opening: dict[str, Any] = {"model": words.pop(0), "play": play}
    if words and not isinstance(words[0], str):
        opening["seed"] = _seed((words.pop(0),))
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or not all(isinstance(name, str) for name in names):
        raise _bad_opening()
    controls: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        if name == "prime":
            opening["prime"] = _symbols((value,))
        elif name == "seed":
            opening["seed"] = _seed((value,))
        elif name in CONTROLS:
            controls |= _controls(name, "", (value,))[0]
        else:
            raise _bad_opening()
    return {**opening, "controls": controls}


def _bad_opening() -> ProtocolError:
    return ProtocolError(
        "bad_value",
        "/rnn/SESSION/open takes a model [seed] [name value ...] ['paused'], where a name is a "
        "control, seed or prime",
    )


def _touching(arguments: tuple[Any, ...]) -> dict[str, Any]:
    match arguments:
        case [int() | float() as x, int() | float() as y, (0 | 1) as down, *player] if (
            not player or (len(player) == 1 and isinstance(player[0], int))
        ):
            return {
                "x": x,
                "y": y,
                "down": int(down),
                **dict(zip(["player"], player, strict=False)),
            }
    raise ProtocolError(
        "bad_value", "/rnn/SESSION/touch takes x, y (0 to 1), 1 or 0 for lifted, [player]"
    )


def _leading(arguments: tuple[Any, ...]) -> dict[str, Any]:
    whole = [int(a) if isinstance(a, float) and a.is_integer() else a for a in arguments]
    player = whole.pop() if len(whole) == 2 else 0
    match whole, player:
        case [int(gesture)], int() if gesture >= LED_BY_NETWORK:
            return {"gesture": None if gesture == LED_BY_NETWORK else gesture, "player": player}
    raise ProtocolError(
        "bad_value", "/rnn/SESSION/lead takes a gesture, or -1 for the network's, [player]"
    )


def _forking(arguments: tuple[Any, ...]) -> dict[str, Any]:
    match arguments:
        case (str(name),):
            return {"as": name}
        case (str(name), int(position)):
            return {"as": name, "at": position}
    raise ProtocolError("bad_value", "/rnn/SESSION/fork takes a name [position]")


def _controls(name: str, form: str, arguments: tuple[Any, ...]) -> tuple[dict[str, Any], str]:
    at = "now"
    if len(arguments) > 1 and arguments[-1] in ("beat", "bar"):
        arguments, at = arguments[:-1], arguments[-1]
    if form == "norm" and name in NORMS:
        value = _one(float, f"{name}/norm", arguments)
        if not 0.0 <= value <= 1.0:
            raise ProtocolError(
                "bad_value", f"/rnn/SESSION/{name}/norm takes one float from 0 to 1"
            )
        least, most = NORMS[name]
        return {name: least + value * (most - least)}, at
    if form:
        raise ProtocolError(
            "unknown_address", f"there is no /rnn/SESSION/{name}/{form}; see docs/osc.md"
        )
    if name == "artist":
        return {name: _blend(arguments)}, at
    if name == "pitches":
        return {name: _pitches(arguments)}, at
    if name == "seed":
        return {name: _seed(arguments)}, at
    return {name: _one(str if name == "sync" else float, name, arguments)}, at


def _blend(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if len(arguments) == 1:
        arguments = _shares(arguments[0]) or (*arguments, 1.0)
    names, weights = arguments[::2], arguments[1::2]
    if len(names) != len(weights) or not names or not all(isinstance(n, str) for n in names):
        raise ProtocolError("bad_value", "/rnn/SESSION/artist takes a name, or: name weight ...")
    return dict(zip(names, weights, strict=True))


def _shares(text: Any) -> tuple[Any, ...]:
    """Names and weights, where a text is a blend as it is shown; nothing where it is a name."""
    if not isinstance(text, str) or _SHARE.sub("", text).strip():
        return ()
    try:
        return tuple(x for name, share in _SHARE.findall(text) for x in (name, float(share)))
    except ValueError:
        return ()


def _pitches(arguments: tuple[Any, ...]) -> Any:
    match arguments:
        case (str(text),) if _PITCHES.fullmatch(text):  # as they are shown
            return [int(pitch) for pitch in text.split()] or None
        case (str(scale),):
            return scale
    return list(arguments) or None


def _seed(arguments: tuple[Any, ...]) -> Any:
    """A number; one that is larger than an int of OSC may come as it is shown, as a string."""
    match arguments:
        case (str(text),) if text.isdecimal() and text.isascii() and len(text) <= 16:
            return int(text)
    return _one(int, "seed", arguments)


def _symbols(arguments: tuple[Any, ...]) -> Any:
    if arguments and all(isinstance(a, str) for a in arguments):
        return "".join(arguments)
    kinds, values = arguments[::2], arguments[1::2]
    if len(kinds) == len(values) and kinds and all(isinstance(k, str) for k in kinds):
        return [{kind: value} for kind, value in zip(kinds, values, strict=True)]
    return [list(arguments)]


def _one(kind: type, action: str, arguments: tuple[Any, ...]) -> Any:
    """The only argument; a number of either sort where one is wanted, if it loses nothing."""
    if len(arguments) == 1:
        value = arguments[0]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind is float and number:
            return value
        if kind is int and number and value == int(value):
            return int(value)
        if kind is str and isinstance(value, str):
            return value
    wanted = {int: "whole number", float: "number", str: "string"}[kind]
    raise ProtocolError("bad_value", f"/rnn/SESSION/{action} takes one {wanted}")


def _checked(kind: str, **fields: Any) -> wire.Message:
    """A request, by the same table as WebSocket's."""
    return wire.from_fields({"type": kind, **fields})
