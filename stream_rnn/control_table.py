"""The controls that a performer has: what each may be. Checked here, whoever sets them.

A client's `control` and a card's `defaults` are held to the same declarations.
"""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.codecs.pianoroll import HIGHEST_PITCH, LOWEST_PITCH, PianorollCodec, pitches_to_mask
from stream_rnn.errors import DataError, ProtocolError

if TYPE_CHECKING:
    from stream_rnn.card import Card

MAX_RATE = 200.0
MAX_SEED = 2**53 - 1  # what JSON numbers carry exactly in every language
TEXT_STEPS_PER_BEAT = 4
FREE = "free"
SYNCS = (FREE, "link", "midi")  # whose beat is followed: one's own, or that of a source

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
}
TONICS = {
    "C": 0, "C#": 1, "Db": 1, "D": 2, "D#": 3, "Eb": 3, "E": 4, "F": 5, "F#": 6, "Gb": 6,
    "G": 7, "G#": 8, "Ab": 8, "A": 9, "A#": 10, "Bb": 10, "B": 11,
}  # fmt: skip


# name: (least, most), both legal
_FLOATS = {
    "temperature": (0.0, 100.0),
    "rate": (0.01, MAX_RATE),
    "bpm": (0.1, 60.0 * MAX_RATE),
    "top_p": (0.0, 1.0),
    "density": (-20.0, 20.0),
}
_INTS = {
    "top_k": (0, 4096),
    "velocity": (1, 127),
    "transpose": (-48, 48),
    "channel": (1, 16),
    "seed": (0, MAX_SEED),
}

RANGES = {**_FLOATS, **_INTS}
NAMES = frozenset({*RANGES, "artist", "sync", "pitches"})


def _bad(name: str, message: str, code: str = "bad_value") -> ProtocolError:
    return ProtocolError(code, f"{name} {message}", field=f"controls.{name}")


def steps_per_beat(card: Card) -> int:
    """Symbols in a beat: the codec's for rolls, a convention of four for text."""
    return int(card.codec.get("steps_per_beat", TEXT_STEPS_PER_BEAT))


def checked(changes: Mapping[str, Any], card: Card) -> dict[str, Any]:
    """Controls as they will be, of what somebody wants them to be.

    Of `rate` and `bpm` the one follows from the other, by the model's steps per beat.

    Raises:
        ProtocolError: an unknown control, or a value that cannot be; it names which, and
            what would be right.
    """
    new: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in NAMES:
            known = ", ".join(sorted(NAMES))
            raise _bad(name, f"is not a control; there are: {known}", "unknown_control")
        if name in _FLOATS:
            new[name] = _number(name, value, *_FLOATS[name])
        elif name in _INTS:
            new[name] = _whole(name, value, *_INTS[name])
        elif name == "artist":
            new[name] = _blend(value, card)
        elif name == "sync":
            new[name] = _sync(value)
        else:
            new[name] = _pitches(value, card)
    per_beat = steps_per_beat(card)
    if "rate" in new and "bpm" in new and abs(new["rate"] * 60 - new["bpm"] * per_beat) > 1e-6:
        raise _bad("bpm", "and rate say different things; send one of them")
    if "bpm" in new:
        new["rate"] = _number("rate", new["bpm"] / 60 * per_beat, *_FLOATS["rate"])
    elif "rate" in new:
        new["bpm"] = new["rate"] * 60 / per_beat
    return new


def _number(name: str, value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(name, f"must be a number, not {_shown(value)}")
    # Whole numbers are compared before they become floats: 10**400 would not.
    if not least <= value <= most or not math.isfinite(value):
        raise _bad(name, f"must be from {least:g} to {most:g}, not {_shown(value)}")
    return float(value)


def _whole(name: str, value: object, least: int, most: int) -> int:
    number = _number(name, value, least, most)
    if number != int(number):
        raise _bad(name, f"must be a whole number, not {_shown(value)}")
    assert isinstance(value, int | float)
    return int(value)


def _shown(value: object) -> str:
    return reprlib.repr(value)  # short, however long or deeply nested the value is


def _blend(value: object, card: Card) -> dict[str, float]:
    if not card.artists:
        raise _bad("artist", f"means nothing to the model {card.name!r}, which has no artists")
    if isinstance(value, str):
        value = {value: 1.0}
    if not isinstance(value, Mapping) or not value:
        raise _bad("artist", "must be a name, or an object of names and weights")
    for name in value:
        if name not in card.artists:
            raise _bad("artist", _unknown_artist(name, card), "unknown_artist")
    weights = {name: _number("artist", weight, 0.0, 1e6) for name, weight in value.items()}
    total = math.fsum(weights.values())
    if total <= 0:
        raise _bad("artist", "needs one weight above 0 at least")
    return {name: weight / total for name, weight in weights.items() if weight > 0}


def _unknown_artist(name: object, card: Card) -> str:
    near = difflib.get_close_matches(str(name)[:200], card.artists, n=1)
    listed = ", ".join(card.artists[:8])
    more = len(card.artists) - 8
    known = f"{listed} and {more} more" if more > 0 else listed
    hint = f"; is it {near[0]!r}?" if near else ""
    return f"{_shown(name)} is not known to the model {card.name!r}, which has {known}{hint}"


def _sync(value: object) -> str:
    if value not in SYNCS:
        raise _bad("sync", f"must be one of {', '.join(SYNCS)}, not {_shown(value)}")
    return str(value)


def _pitches(value: object, card: Card) -> str | tuple[int, ...] | None:
    if card.codec["domain"] not in (PianorollCodec.domain, EnsembleCodec.domain):
        raise _bad("pitches", f"means nothing to the model {card.name!r}, which has no pitches")
    if value is None:
        return None
    if isinstance(value, str):
        scale_pitches(value)
        return value
    try:
        pitches_to_mask(list(value) if isinstance(value, tuple) else value, where="pitches")
    except DataError as error:
        raise ProtocolError("bad_value", str(error), field="controls.pitches") from None
    assert isinstance(value, list | tuple)
    return tuple(sorted(set(value)))


def scale_pitches(name: str) -> list[int]:
    """The piano's pitches in a scale: `D dorian`, `C major`, or `major` (on C).

    Raises:
        ProtocolError: no such scale.
    """
    tonic, _, scale = name.partition(" ")
    if tonic not in TONICS:
        tonic, scale = "C", name
    if scale not in SCALES:
        raise _bad("pitches", f"{_shown(name)} is no scale; scales are {', '.join(SCALES)}, "
                              "after a tonic such as F# if you like")  # fmt: skip
    return [
        p
        for p in range(LOWEST_PITCH, HIGHEST_PITCH + 1)
        if (p - TONICS[tonic]) % 12 in SCALES[scale]
    ]
