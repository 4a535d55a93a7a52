"""What a performer may change: checked, merged, and turned into the engine's settings."""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import int_to_bytes
from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.codecs.pianoroll import HIGHEST_PITCH, LOWEST_PITCH, PianorollCodec, pitches_to_mask
from stream_rnn.engine.messages import Settings
from stream_rnn.errors import DataError, ProtocolError
from stream_rnn.gateway.beat.tempo import FREE, SOURCES

MAX_RATE = 200.0
MAX_SEED = 2**53 - 1  # what JSON numbers carry exactly in every language
BEATS_PER_BAR = 4
TEXT_STEPS_PER_BEAT = 4

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


@dataclass(frozen=True, slots=True)
class Controls:
    """The full effective controls of a session at some position.

    Attributes:
        temperature: 0 to 100; 0 for the likeliest symbol.
        artist: weights by name, adding up to 1; empty for models without artists.
        rate: symbols a second.
        bpm: beats a minute; tied to `rate` by the model's steps per beat.
        sync: whose beat it follows: its own (`free`), or that of `link` or `midi`, for as long
            as there is one; then `rate` and `bpm` are what is followed.
        top_k: 0 for all.
        top_p: 1 for all.
        pitches: a scale's name, such as `D dorian`, or MIDI pitches; none for all.
        density: added to every Bernoulli logit.
        velocity: of the notes, 1 to 127.
        transpose: semitones that what is heard is moved by.
        channel: MIDI channel, 1 to 16.
        seed: of the random numbers.
    """

    temperature: float = 1.0
    artist: Mapping[str, float] | None = None
    rate: float = 15.0
    bpm: float = 225.0
    sync: str = FREE
    top_k: int = 0
    top_p: float = 1.0
    pitches: str | tuple[int, ...] | None = None
    density: float = 0.0
    velocity: int = 80
    transpose: int = 0
    channel: int = 1
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """As the protocol shows them; `artist` and `pitches` only where they say something."""
        shown = asdict(self)
        shown["artist"] = dict(self.artist or {})
        return {k: v for k, v in shown.items() if v is not None}


FIELDS = frozenset(f.name for f in fields(Controls))
ENGINE_FIELDS = frozenset({"temperature", "artist", "top_k", "top_p", "pitches", "density", "seed"})

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


def _bad(name: str, message: str, code: str = "bad_value") -> ProtocolError:
    return ProtocolError(code, f"{name} {message}", field=f"controls.{name}")


def steps_per_beat(card: Card) -> int:
    """Symbols in a beat: the codec's for rolls, a convention of four for text."""
    return int(card.codec.get("steps_per_beat", TEXT_STEPS_PER_BEAT))


def default_controls(card: Card, seed: int) -> Controls:
    """The controls that a session of a model starts with."""
    even = {name: 1.0 / len(card.artists) for name in card.artists}
    start = Controls(artist=even, seed=seed)
    tempo = {} if "bpm" in card.defaults else {"rate": start.rate}
    return merge_controls(start, {**tempo, **card.defaults}, card)


def merge_controls(old: Controls, changes: Mapping[str, Any], card: Card) -> Controls:
    """`old` with some changes.

    Raises:
        ProtocolError: an unknown control, or a value that cannot be; it names which, and
            what would be right.
    """
    new: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in FIELDS:
            known = ", ".join(sorted(FIELDS))
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
    return replace(old, **new)


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
    known = (FREE, *SOURCES)
    if value not in known:
        raise _bad("sync", f"must be one of {', '.join(known)}, not {_shown(value)}")
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


def engine_settings(controls: Controls, card: Card) -> Settings:
    """What the engine needs of the controls."""
    allowed = b""
    if controls.pitches is not None:
        named = isinstance(controls.pitches, str)
        pitches = scale_pitches(controls.pitches) if named else list(controls.pitches)  # type: ignore[arg-type]
        allowed = int_to_bytes(pitches_to_mask(pitches), PianorollCodec.width)
    blend = controls.artist or {}
    return Settings(
        temperature=controls.temperature,
        top_k=controls.top_k,
        top_p=controls.top_p,
        density=controls.density,
        seed=controls.seed,
        artists=tuple(blend.get(name, 0.0) for name in card.artists),
        allowed=allowed,
    )
