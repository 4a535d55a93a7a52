"""What a stage is given: its models, its limits, and the counters that it keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import Codec


@dataclass(frozen=True)
class Model:
    """A model that sessions can be opened with."""

    card: Card
    codec: Codec

    @classmethod
    def of(cls, card: Card) -> Model:
        """The model of a card."""
        return cls(card, card.make_codec())


@dataclass(frozen=True)
class Limits:
    """What bounds the sessions.

    Attributes:
        sessions: how many may be open at once.
        sessions_per_viewer: how many one client may open.
        away: how many sessions that were put away are remembered.
        prime: symbols in a prime or a feed.
        idle_pause: seconds without a listener until a session pauses; infinity for never.
        idle_away: seconds until it is put away.
    """

    sessions: int = 256
    sessions_per_viewer: int = 64
    away: int = 1000
    prime: int = 4096
    idle_pause: float = 30.0
    idle_away: float = 3600.0


@dataclass
class Counters:
    """What the metrics count."""

    symbols: int = 0
    errors: int = 0
    stalls: int = 0
    engine_deaths: int = 0
    osc_refused: int = 0
    osc_late: int = 0
    midi_sent: int = 0
    midi_deaths: int = 0
    midi_worst: float = 0.0  # seconds that a message was sent late, the worst of late
    lateness: Callable[[float], None] = field(default=lambda seconds: None)
