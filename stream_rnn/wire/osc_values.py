"""Turns the arguments of OSC messages into the fields of WebSocket messages. No I/O.

This module only reads the notation, and raises `ProtocolError` if it is wrong. The table in
`messages` and the stage check what the fields mean.
"""

from __future__ import annotations

from typing import Any

from stream_rnn.control_table import NORMS, TABLE
from stream_rnn.errors import ProtocolError
from stream_rnn.wire.control_words import one, value_of
from stream_rnn.wire.osc_answers import LED_BY_NETWORK

SESSION = "/rnn/SESSION/"  # put before an action's name in errors


def unknown(action: str) -> ProtocolError:
    """The error for an address of a session that there is not."""
    return ProtocolError("unknown_address", f"there is no {SESSION}{action}; see docs/osc.md")


def only(kind: type, action: str, arguments: tuple[Any, ...]) -> Any:
    """The only argument of an action; see `one`."""
    return one(kind, SESSION + action, arguments)


def opening(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The fields of an `open`."""
    words = list(arguments)
    # Only as the last of several words, because a model may be named "paused".
    play = len(words) < 2 or words[-1] != "paused"
    if not play:
        words.pop()
    if not words or not isinstance(words[0], str):
        raise _bad_opening()
    opening: dict[str, Any] = {"model": words.pop(0), "play": play}
    if words and not isinstance(words[0], str):
        opening["seed"] = value_of("seed", (words.pop(0),), SESSION)
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or not all(isinstance(name, str) for name in names):
        raise _bad_opening()
    changes: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        if name == "prime":
            opening["prime"] = symbols((value,))
        elif name == "seed":
            opening["seed"] = value_of("seed", (value,), SESSION)
        elif name in TABLE:
            changes |= controls(name, "", (value,))[0]
        else:
            raise _bad_opening()
    return {**opening, "controls": changes}


def _bad_opening() -> ProtocolError:
    return ProtocolError(
        "bad_value",
        "/rnn/SESSION/open takes a model [seed] [name value ...] ['paused'], where a name is a "
        "control, seed or prime",
    )


def touching(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The fields of a `touch`."""
    match arguments:
        case [int() | float() as x, int() | float() as y, (0 | 1) as down, *player] if (
            not player or (len(player) == 1 and isinstance(player[0], int))
        ):
            return {"x": x, "y": y, "down": int(down), **({"player": player[0]} if player else {})}
    raise ProtocolError(
        "bad_value", "/rnn/SESSION/touch takes x, y (0 to 1), down (1, or 0: lifted), [player]"
    )


def leading(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The fields of a `lead`."""
    whole = [int(a) if isinstance(a, float) and a.is_integer() else a for a in arguments]
    player = whole.pop() if len(whole) == 2 else 0
    match whole, player:
        case [int(gesture)], int() if gesture >= LED_BY_NETWORK:
            return {"gesture": None if gesture == LED_BY_NETWORK else gesture, "player": player}
    raise ProtocolError(
        "bad_value", "/rnn/SESSION/lead takes a gesture (-1 for the network's own), [player]"
    )


def forking(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The fields of a `fork`."""
    match arguments:
        case (str(name),):
            return {"as": name}
        case (str(name), int(position)):
            return {"as": name, "at": position}
    raise ProtocolError("bad_value", "/rnn/SESSION/fork takes a name [position]")


def controls(name: str, form: str, arguments: tuple[Any, ...]) -> tuple[dict[str, Any], str]:
    """The change of a control, and when it takes effect: `now`, `beat` or `bar`."""
    at = "now"
    if len(arguments) > 1 and arguments[-1] in ("beat", "bar"):
        arguments, at = arguments[:-1], arguments[-1]
    if form == "norm" and name in NORMS:
        place = one(float, f"{SESSION}{name}/norm", arguments)
        if not 0.0 <= place <= 1.0:
            raise ProtocolError("bad_value", f"{SESSION}{name}/norm takes one float from 0 to 1")
        return {name: NORMS[name].value(place)}, at
    if form:
        raise unknown(f"{name}/{form}")
    return {name: value_of(name, arguments, SESSION)}, at


def symbols(arguments: tuple[Any, ...]) -> Any:
    """The symbols to feed: text, the pitches of a frame, or events."""
    if arguments and all(isinstance(a, str) for a in arguments):
        return "".join(arguments)
    kinds, values = arguments[::2], arguments[1::2]
    if len(kinds) == len(values) and kinds and all(isinstance(k, str) for k in kinds):
        return [{kind: value} for kind, value in zip(kinds, values, strict=True)]
    return [list(arguments)]
