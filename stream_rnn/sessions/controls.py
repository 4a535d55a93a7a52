"""Controls: changes merged into them, and the engine's settings made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import int_to_bytes
from stream_rnn.codecs.pianoroll import PianorollCodec, pitches_to_mask
from stream_rnn.codecs.scales import scale_pitches
from stream_rnn.control_table import MAX_SEED as MAX_SEED
from stream_rnn.control_table import TABLE
from stream_rnn.control_table import Controls as Controls
from stream_rnn.control_values import checked
from stream_rnn.control_values import steps_per_beat as steps_per_beat
from stream_rnn.engine.messages import Settings

BEATS_PER_BAR = 4


ENGINE_FIELDS = frozenset(name for name, row in TABLE.items() if row.engine)


def default_controls(card: Card, seed: int) -> Controls:
    """The controls that a session of a model starts with."""
    even = {name: 1.0 / len(card.artists) for name in card.artists}
    start = Controls(artist=even, seed=seed)
    tempo = {} if "bpm" in card.defaults else {"rate": start.rate}
    return merge_controls(start, {**tempo, **card.defaults}, card)


def merge_controls(old: Controls, changes: Mapping[str, Any], card: Card) -> Controls:
    """`old` with some changes.

    Raises:
        ProtocolError: a control is unknown or a value is not allowed; the message names it
            and says what would be right.
    """
    return replace(old, **checked(changes, card))


def engine_settings(controls: Controls, card: Card) -> Settings:
    """The engine's settings for some controls."""
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
