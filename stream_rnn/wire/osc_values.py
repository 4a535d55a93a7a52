"""The arguments of OSC messages, as the fields of the WebSocket protocol's messages. No I/O.

What they mean is checked by the table in `messages`, and by the stage; here it is only how they
may be written. Each of these raises `ProtocolError` where they are not written so.
"""

from __future__ import annotations

import re
from typing import Any

from stream_rnn.errors import ProtocolError
from stream_rnn.wire.osc_answers import LED_BY_NETWORK

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

_PITCHES = re.compile(r"\s*(?:\d{1,3}(?:\s+|$))*")


def opening(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The fields of an `open`."""
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
    changes: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        if name == "prime":
            opening["prime"] = symbols((value,))
        elif name == "seed":
            opening["seed"] = _seed((value,))
        elif name in CONTROLS:
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
            return {
                "x": x,
                "y": y,
                "down": int(down),
                **dict(zip(["player"], player, strict=False)),
            }
    raise ProtocolError(
        "bad_value", "/rnn/SESSION/touch takes x, y (0 to 1), 1 or 0 for lifted, [player]"
    )


def leading(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The fields of a `lead`."""
    whole = [int(a) if isinstance(a, float) and a.is_integer() else a for a in arguments]
    player = whole.pop() if len(whole) == 2 else 0
    match whole, player:
        case [int(gesture)], int() if gesture >= LED_BY_NETWORK:
            return {"gesture": None if gesture == LED_BY_NETWORK else gesture, "player": player}
    raise ProtocolError(
        "bad_value", "/rnn/SESSION/lead takes a gesture, or -1 for the network's, [player]"
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
    """The change of a control, and when: `now`, `beat` or `bar`."""
    at = "now"
    if len(arguments) > 1 and arguments[-1] in ("beat", "bar"):
        arguments, at = arguments[:-1], arguments[-1]
    if form == "norm" and name in NORMS:
        value = one(float, f"{name}/norm", arguments)
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
    return {name: one(str if name == "sync" else float, name, arguments)}, at


def _blend(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if len(arguments) == 1:
        arguments = _shares(arguments[0]) or (*arguments, 1.0)
    names, weights = arguments[::2], arguments[1::2]
    if len(names) != len(weights) or not names or not all(isinstance(n, str) for n in names):
        raise ProtocolError("bad_value", "/rnn/SESSION/artist takes a name, or: name weight ...")
    return dict(zip(names, weights, strict=True))


def _shares(text: Any) -> tuple[Any, ...]:
    """Names and weights, where a text is a blend as it is shown: `Emily Dickinson=0.25 Bo=0.75`.

    Nothing where it is a name.
    """
    if not isinstance(text, str) or "=" not in text:
        return ()
    first, *rest = text.split("=")
    names, weights = [first.strip()], list[float]()
    for piece in rest:
        weight, _, name = piece.strip().partition(" ")
        try:
            weights.append(float(weight))
        except ValueError:
            return ()
        names.append(name.strip())
    if names.pop() or not all(names):
        return ()
    return tuple(x for share in zip(names, weights, strict=True) for x in share)


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
    return one(int, "seed", arguments)


def symbols(arguments: tuple[Any, ...]) -> Any:
    """What is fed: text, the pitches of a frame, or events."""
    if arguments and all(isinstance(a, str) for a in arguments):
        return "".join(arguments)
    kinds, values = arguments[::2], arguments[1::2]
    if len(kinds) == len(values) and kinds and all(isinstance(k, str) for k in kinds):
        return [{kind: value} for kind, value in zip(kinds, values, strict=True)]
    return [list(arguments)]


def one(kind: type, action: str, arguments: tuple[Any, ...]) -> Any:
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
