"""What a stage is given: its models, its limits, and the counters that it keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.base import LETTERS, Codec
from stream_rnn.config import LimitsConfig
from stream_rnn.errors import DataError, ProtocolError
from stream_rnn.garbage import Garbage
from stream_rnn.midi.messages import LATENESS, Pong
from stream_rnn.sessions.controls import default_controls
from stream_rnn.stage.lateness import Lateness

SAID = 300  # characters of a codec's error that a client is sent


@dataclass(frozen=True)
class Model:
    """A model that sessions can be opened with."""

    card: Card
    codec: Codec

    @classmethod
    def of(cls, card: Card) -> Model:
        """The model of a card."""
        return cls(card, card.make_codec())

    @cached_property
    def controls(self) -> dict[str, Any]:
        """The controls that a session of this model starts with, as clients see them."""
        return default_controls(self.card, seed=0).to_json()


class Limits(LimitsConfig, frozen=True, kw_only=True):
    """What bounds the sessions, besides what a configuration may say.

    Attributes:
        sessions: how many may be open at once.
        busy: the share of its time that the engine, and the gateway, may be foretold to use before
            another session is refused; infinity never refuses one.
        sessions_per_viewer: how many one client may open.
        prime: symbols in a prime or a feed.
        idle_pause: seconds without a listener until a session pauses; infinity for never.
        idle_away: seconds without a listener until a session is evicted.
    """

    sessions: int = 256
    busy: float = math.inf
    sessions_per_viewer: int = 64
    prime: int = 4096
    idle_pause: float = 30.0
    idle_away: float = 3600.0

    def parse(self, codec: Codec, value: object, name: str) -> list[int]:
        """The symbols in the value that a client sent as field `name`.

        Raises:
            ProtocolError: the value is not of the codec's domain, or has too many symbols.
        """
        self._check_length(codec, value, name)
        try:
            symbols = codec.parse(value)
        except DataError as error:
            said = str(error)[:SAID]  # it may show what was sent
            raise ProtocolError("bad_value", f"{name}: {said}", field=name) from None
        if len(symbols) > self.prime:
            raise ProtocolError(
                "bad_value", f"{name} has {len(symbols)} symbols; at most {self.prime}", field=name
            )
        return symbols

    def _check_length(self, codec: Codec, value: object, name: str) -> None:
        """Refuses a value that is certainly too long, before time is spent on parsing it."""
        items = value if isinstance(value, list) else []
        texts = [value] if isinstance(value, str) else [i for i in items if isinstance(i, str)]
        letters, most = sum(map(len, texts)), self.prime * getattr(codec, "letters", LETTERS)
        if len(items) > self.prime or letters > most:
            size = f"{len(items)} items" if len(items) > self.prime else f"{letters} letters"
            raise ProtocolError(
                "bad_value", f"{name} has {size}; at most {self.prime} symbols", field=name
            )


@dataclass
class MidiLateness:
    """How late MIDI messages were sent; see `midi.messages.Pong`.

    Attributes:
        counts: messages so far, by lateness; the bounds are `midi.messages.LATENESS`.
        total: summed lateness of all messages so far, in seconds.
        worst: the greatest lateness in the latest report, in seconds.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENESS) + 1))
    total: float = 0.0
    worst: float = 0.0

    def add(self, pong: Pong) -> None:
        """Adds the messages of one report."""
        self.counts = [a + b for a, b in zip(self.counts, pong.late, strict=True)]
        self.total += pong.total
        self.worst = pong.worst


@dataclass
class Counters:
    """What the metrics count."""

    symbols: int = 0
    errors: int = 0
    stalls: int = 0
    engine_deaths: int = 0
    osc_refused: int = 0
    osc_late: int = 0
    osc_failed: int = 0
    midi: MidiLateness = field(default_factory=MidiLateness)
    midi_deaths: int = 0
    garbage: Garbage = field(default_factory=Garbage)
    store_failing: int = 0
    lateness: Lateness = field(default_factory=Lateness)
