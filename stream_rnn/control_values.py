"""Checks values of controls against the table and the model.

A client's `control` message and a card's `defaults` must pass the same checks.
"""

from __future__ import annotations

import difflib
import math
import reprlib
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stream_rnn.codecs.pianoroll import pitches_to_mask
from stream_rnn.codecs.scales import scale_pitches
from stream_rnn.control_table import TABLE, Row
from stream_rnn.errors import DataError, ProtocolError

if TYPE_CHECKING:
    from stream_rnn.card import Card

TEXT_STEPS_PER_BEAT = 4
ROUNDING = 1e-9


def _bad(name: str, message: str, code: str = "bad_value") -> ProtocolError:
    return ProtocolError(code, f"{name} {message}", field=f"controls.{name}")


def steps_per_beat(card: Card) -> int:
    """Steps in a beat: the codec's, or by convention four where it has none, as for text."""
    return int(card.codec.get("steps_per_beat", TEXT_STEPS_PER_BEAT))


def checked(changes: Mapping[str, Any], card: Card) -> dict[str, Any]:
    """Changes of controls, checked and brought into the form in which they are kept.

    `rate` and `bpm` each follow from the other, by the model's steps per beat.

    Raises:
        ProtocolError: a control is unknown or a value is not allowed; the message names it
            and says what would be right.
    """
    new: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in TABLE:
            known = ", ".join(sorted(TABLE))
            raise _bad(name, f"is not a control; there are: {known}", "unknown_control")
        if refuses(card, name):
            has = "artists" if TABLE[name].kind == "blend" else name
            raise _bad(name, f"means nothing to the model {card.name!r}, which has no {has}")
        new[name] = _CHECKS[TABLE[name].kind](TABLE[name], value, card)
    per_beat = steps_per_beat(card)
    if "rate" in new and "bpm" in new and abs(new["rate"] * 60 - new["bpm"] * per_beat) > 1e-6:
        raise _bad("bpm", "and rate say different things; send one of them")
    if "bpm" in new:
        new["rate"] = _number(TABLE["rate"], new["bpm"] / 60 * per_beat, card)
    elif "rate" in new:
        new["bpm"] = new["rate"] * 60 / per_beat
    return new


def refuses(card: Card, name: str) -> bool:
    """Whether a model refuses a control, since it has nothing that the control could apply to.

    A control that merely has no effect, such as `density`, is not refused.
    """
    row = TABLE[name]
    if row.kind == "blend":
        return not card.artists
    return row.kind == "pitches" and card.codec["domain"] not in row.domains


def _number(row: Row, value: object, card: Card) -> float:
    least, most = row.legal
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(row.name, f"must be a number, not {_shown(value)}")
    # Compared before the conversion to float, which fails for integers such as 10**400.
    if not least <= value <= most or not math.isfinite(value):
        raise _bad(row.name, f"must be from {least:g} to {most:g}, not {_shown(value)}")
    return float(value)


def _whole(row: Row, value: object, card: Card) -> int:
    number = _number(row, value, card)
    if number != int(number):
        raise _bad(row.name, f"must be a whole number, not {_shown(value)}")
    assert isinstance(value, int | float)
    return int(value)


def _shown(value: object) -> str:
    return reprlib.repr(value)  # short, however long or deeply nested the value is


def _blend(row: Row, value: object, card: Card) -> dict[str, float]:
    if isinstance(value, str):
        value = {value: 1.0}
    if not isinstance(value, Mapping) or not value:
        raise _bad(row.name, "must be a name, or an object of names and weights")
    for name in value:
        if name not in card.artists:
            raise _bad(row.name, _unknown_artist(name, card), "unknown_artist")
    weights = {name: _number(row, weight, card) for name, weight in value.items()}
    total = math.fsum(weights.values())
    if total <= 0:
        raise _bad(row.name, "needs one weight above 0 at least")
    if abs(total - 1.0) < ROUNDING:  # said twice, a blend is still the same one
        total = 1.0
    # Each session keeps many blends, and one copy of each name is enough.
    return {sys.intern(name): weight / total for name, weight in weights.items() if weight > 0}


def _unknown_artist(name: object, card: Card) -> str:
    near = difflib.get_close_matches(str(name)[:200], card.artists, n=1)
    listed = ", ".join(card.artists[:8])
    more = len(card.artists) - 8
    known = f"{listed} and {more} more" if more > 0 else listed
    hint = f"; is it {near[0]!r}?" if near else ""
    return f"{_shown(name)} is not known to the model {card.name!r}, which has {known}{hint}"


def _choice(row: Row, value: object, card: Card) -> str:
    if value not in row.choices:
        raise _bad(row.name, f"must be one of {', '.join(row.choices)}, not {_shown(value)}")
    return str(value)


def _pitches(row: Row, value: object, card: Card) -> str | tuple[int, ...] | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            scale_pitches(value)
            return value
        pitches_to_mask(list(value) if isinstance(value, tuple) else value, where=row.name)
    except DataError as error:
        raise _bad(row.name, str(error).removeprefix(f"{row.name} ")) from None
    assert isinstance(value, list | tuple)
    return tuple(sorted(set(value)))


_CHECKS: Mapping[str, Callable[[Row, object, Card], Any]] = {
    "number": _number,
    "whole": _whole,
    "blend": _blend,
    "choice": _choice,
    "pitches": _pitches,
}
