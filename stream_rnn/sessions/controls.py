"""What a performer may change: merged, and turned into the engine's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import int_to_bytes
from stream_rnn.codecs.pianoroll import PianorollCodec, pitches_to_mask
from stream_rnn.control_table import FREE, checked, scale_pitches
from stream_rnn.control_table import MAX_SEED as MAX_SEED
from stream_rnn.control_table import RANGES as RANGES
from stream_rnn.control_table import steps_per_beat as steps_per_beat
from stream_rnn.engine.messages import Settings

BEATS_PER_BAR = 4


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
    return replace(old, **checked(changes, card))


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
