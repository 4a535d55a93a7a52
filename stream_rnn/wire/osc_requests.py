"""What OSC addresses ask for. `docs/osc.md` is their map for people.

Addresses and arguments become the same requests as WebSocket's messages, by the same table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stream_rnn.errors import ProtocolError
from stream_rnn.wire import messages as wire
from stream_rnn.wire.osc_answers import LED_BY_NETWORK

MAX_STARS = 4
MAX_PATTERN = 256

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


@dataclass(frozen=True)
class Subscribe:
    """Symbols of a session, to the sender, or to another port of its machine."""

    session: str
    port: int | None = None


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
class Learn:
    """The next MIDI controller that moves is to move this control."""

    control: str
    session: str = "*"


@dataclass(frozen=True)
class Forget:
    """No MIDI controller moves this control any more; none named: no control at all."""

    control: str | None = None


Request = wire.Message | Learn | Forget | Subscribe | Unsubscribe | Reply | Panic | ListModels


def requests(address: str, arguments: tuple[Any, ...], sessions: Iterable[str]) -> list[Request]:
    """What an address asks for; several where SESSION is a pattern.

    The `id` of each is the address, so that answers and errors can name it.

    Args:
        sessions: the names that a pattern may match.

    Raises:
        ProtocolError: no such address, or arguments that do not fit it.
    """
    parts = address.split("/")[1:]
    if len(parts) < 2 or parts[0] != "rnn":
        raise ProtocolError("unknown_address", "addresses are /rnn/SESSION/ACTION; see docs/osc.md")
    if len(parts) == 2:
        return [_general(parts[1], arguments)]
    name, action = parts[1], "/".join(parts[2:])
    if name == "midi" and action in ("learn", "forget"):
        return [_midi(action, arguments)]
    return [
        r for s in matching(name, sessions) for r in _for_session(s, action, arguments, address)
    ]


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that an OSC address pattern matches; a plain name is itself.

    Raises:
        ProtocolError: a pattern that is malformed, or matches nothing.
    """
    if not set(pattern) & set("*?[{"):
        return [pattern]
    if pattern.count("*") > MAX_STARS or len(pattern) > MAX_PATTERN:
        # Each star multiplies the ways to match; a few are all that anyone needs.
        raise ProtocolError("bad_pattern", f"at most {MAX_STARS} stars in a pattern")
    regex = ""
    for piece in re.findall(r"\*|\?|\[[^\]]*\]|\{[^}]*\}|.", pattern):
        if piece == "*":
            regex += ".*"
        elif piece == "?":
            regex += "."
        elif piece[0] == "[" and len(piece) > 2:
            negated, body = ("^", piece[2:-1]) if piece[1] == "!" else ("", piece[1:-1])
            ranges = re.findall(r"(.)-(.)|(.)", body)
            regex += f"[{negated}{''.join(_range(*found) for found in ranges)}]"
        elif piece[0] == "{" and len(piece) > 1:
            regex += "(?:" + "|".join(re.escape(p) for p in piece[1:-1].split(",")) + ")"
        else:
            regex += re.escape(piece)
    try:
        found = [name for name in names if re.fullmatch(regex, name)]
    except re.error:
        raise ProtocolError("bad_pattern", f"{pattern!r} is not an address pattern") from None
    if not found:
        raise ProtocolError("unknown_session", f"no session matches {pattern!r}")
    return found


def _range(first: str, last: str, single: str) -> str:
    return re.escape(single) if single else f"{re.escape(first)}-{re.escape(last)}"


_GENERAL = {
    "subscribe": "SESSION [port]",
    "unsubscribe": "SESSION [port]",
    "reply": "a port, or 0 for the sender's own",
    "models": "nothing",
    "ping": "one number, or nothing",
}


def _general(action: str, arguments: tuple[Any, ...]) -> Request:
    match action, arguments:
        case "subscribe", (str(session),):
            return Subscribe(session)
        case "subscribe", (str(session), int(port)) if 0 < port < 65536:
            return Subscribe(session, port)
        case "unsubscribe", (str(session),):
            return Unsubscribe(session)
        case "unsubscribe", (str(session), int(port)):
            return Unsubscribe(session, port)
        case "reply", (int(port),) if 0 <= port < 65536:
            return Reply(port)
        case "panic", _:
            return Panic()
        case "ping", ():
            return wire.Ping(t0=0)
        case "ping", (int(t0) | float(t0),):
            return wire.Ping(t0=t0)
        case "models", () | (None,):  # nil: how some say that there is nothing
            return ListModels()
    if action in _GENERAL:
        raise ProtocolError("bad_value", f"/rnn/{action} takes {_GENERAL[action]}")
    raise ProtocolError("unknown_address", f"there is no /rnn/{action}; see docs/osc.md")


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
    if form:
        raise ProtocolError(
            "unknown_address", f"there is no /rnn/SESSION/{action}; see docs/osc.md"
        )
    plain: dict[str, Callable[[], list[Request]]] = {
        "open": lambda: [_checked("open", **_opening(arguments), **base)],
        "prime": lambda: [
            _checked("reset", **base),
            _checked("feed", symbols=_symbols(arguments), **base),
        ],
        "feed": lambda: [_checked("feed", symbols=_symbols(arguments), **base)],
        "touch": lambda: [_checked("touch", **_touching(arguments), **base)],
        "lead": lambda: [_checked("lead", **_leading(arguments), **base)],
        "step": lambda: [_checked("step", count=_one(int, action, arguments or (1,)), **base)],
        "rewind": lambda: [_checked("rewind", to=_one(int, action, arguments), **base)],
        "fork": lambda: [_checked("fork", **_forking(arguments), **base)],
        **{
            kind: lambda kind=kind: [_checked(kind, **base)]  # type: ignore[misc]
            for kind in ("play", "pause", "reset", "close")
        },
    }
    if name not in plain:
        raise ProtocolError(
            "unknown_address", f"there is no /rnn/SESSION/{action}; see docs/osc.md"
        )
    return plain[name]()


def _opening(arguments: tuple[Any, ...]) -> dict[str, Any]:
    words = arguments
    play = len(words) < 2 or words[-1] != "paused"
    match words if play else words[:-1]:
        case (str(model),):
            return {"model": model, "play": play}
        case (str(model), int(seed)):
            return {"model": model, "seed": seed, "play": play}
    raise ProtocolError("bad_value", "/rnn/SESSION/open takes a model [seed] ['paused']")


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
        scale = len(arguments) == 1 and isinstance(arguments[0], str)
        return {name: arguments[0] if scale else list(arguments) or None}, at
    return {name: _one(str if name == "sync" else float, name, arguments)}, at


def _blend(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if len(arguments) == 1:
        arguments = (*arguments, 1.0)
    names, weights = arguments[::2], arguments[1::2]
    if len(names) != len(weights) or not names or not all(isinstance(n, str) for n in names):
        raise ProtocolError("bad_value", "/rnn/SESSION/artist takes a name, or: name weight ...")
    return dict(zip(names, weights, strict=True))


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
