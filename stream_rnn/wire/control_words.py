"""Reads control values that are written as plain words and numbers instead of JSON. No I/O.

OSC arguments and the values of MIDI pads are such words. This module only reads the notation;
`control_values` checks what the values mean.
"""

from __future__ import annotations

import re
from typing import Any

from stream_rnn.control_table import TABLE
from stream_rnn.errors import ProtocolError

MAX_INT = 2**31 - 1  # the largest OSC int

_PITCHES = re.compile(r"\s*(?:\d{1,3}(?:\s+|$))*")


def value_of(name: str, words: tuple[Any, ...], where: str = "") -> Any:
    """A control's value, in the form that the protocol's `control` message takes.

    Args:
        name: the control's name.
        words: strings and numbers.
        where: put before the control's name in errors, such as `/rnn/SESSION/`.

    Raises:
        ProtocolError: `bad_value`: the words do not fit the control.
    """
    row, where = TABLE[name], where + name
    match row.kind:
        case "blend":
            return _blend(words, where)
        case "pitches":
            return _pitches(words)
        case "choice":
            return one(str, where, words)
        case "whole" if row.legal[1] > MAX_INT:
            return whole(words, where)
    return one(float, where, words)


def whole(words: tuple[Any, ...], where: str) -> Any:
    """A whole number. One that is larger than an OSC int may come as a string of digits."""
    match words:
        case (str(text),) if text.isdecimal() and text.isascii() and len(text) <= 16:
            return int(text)
    return one(int, where, words)


def one(kind: type, where: str, words: tuple[Any, ...]) -> Any:
    """The only word, which must be of a kind. An int and an equal float stand for each other."""
    if len(words) == 1:
        value = words[0]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind is float and number:
            return value
        if kind is int and number and value == int(value):
            return int(value)
        if kind is str and isinstance(value, str):
            return value
    wanted = {int: "whole number", float: "number", str: "string"}[kind]
    raise ProtocolError("bad_value", f"{where} takes one {wanted}")


def _blend(words: tuple[Any, ...], where: str) -> dict[str, Any]:
    if len(words) == 1:
        words = _shares(words[0]) or (*words, 1.0)
    names, weights = words[::2], words[1::2]
    if len(names) != len(weights) or not names or not all(isinstance(n, str) for n in names):
        raise ProtocolError("bad_value", f"{where} takes a name, or: name weight ...")
    return dict(zip(names, weights, strict=True))


def _shares(text: Any) -> tuple[Any, ...]:
    """Names and weights of a blend in one text, such as `Emily Dickinson=0.25 Bo=0.75`.

    Empty if the text is only a name.
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


def _pitches(words: tuple[Any, ...]) -> Any:
    match words:
        case (str(text),) if _PITCHES.fullmatch(text):  # as the server shows them
            return [int(pitch) for pitch in text.split()] or None
        case (str(scale),):
            return scale
    return list(words) or None
