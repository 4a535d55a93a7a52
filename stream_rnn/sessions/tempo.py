"""A beat that comes from outside, as a value, and what is known of each source of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stream_rnn.codecs.base import Codec
from stream_rnn.control_table import FREE as FREE
from stream_rnn.errors import ProtocolError

SOURCES = {
    "link": 'this server has not joined Ableton Link; say `sync = "link"` under [tempo]',
    "midi": "this server hears no MIDI clock; name a port in [[midi.in]]",
}
NEWS = 0.0005  # seconds by which a beat must move to count as moved
ROUNDING = 1e-6  # steps: what a grid moment may lie before a time and still count as at it


@dataclass(frozen=True)
class Tempo:
    """An external beat: at the time `at` it is `beat`, and `bpm` beats follow a minute.

    Attributes:
        bpm: above 0.
        beat: counted from wherever the source counts from; bars begin at multiples of 4.
        at: seconds on the server's clock.
    """

    bpm: float
    beat: float
    at: float

    def beat_at(self, time: float) -> float:
        """The beat at a time."""
        return self.beat + (time - self.at) * self.bpm / 60.0

    def time_of(self, beat: float) -> float:
        """When a beat is."""
        return self.at + (beat - self.beat) * 60.0 / self.bpm

    def interval(self, per_beat: int) -> float:
        """Seconds in a step, where a beat has so many."""
        return 60.0 / self.bpm / per_beat

    def step_time(self, step: float, per_beat: int) -> float:
        """When a step of the grid is."""
        return self.time_of(step / per_beat)

    def moved(self, before: Tempo, now: float) -> bool:
        """Whether its beats come elsewhere than before: this one, or the next by the tempo."""
        beat = self.beat_at(now)
        return any(
            abs(self.time_of(beat + ahead) - before.time_of(beat + ahead)) > NEWS
            for ahead in (0.0, 1.0)
        )

    def next_step(
        self, earliest: float, per_beat: int, *, phase: float = 0, cycle: int = 1
    ) -> float:
        """The first step of the grid at `earliest` or later that is `phase` modulo `cycle`."""
        return first_in_phase(self.beat_at(earliest) * per_beat, phase, cycle)


def first_in_phase(step: float, phase: float, cycle: int) -> float:
    """The first step at `step` or later that is `phase` modulo `cycle`; a whole one of wholes."""
    return phase + cycle * math.ceil((step - phase - ROUNDING) / cycle)


def keeps_own_time(codec: Codec) -> bool:
    """Whether symbols say how many seconds they last, so that they follow no beat."""
    return codec.seconds(codec.boundary) is not None


@dataclass
class Tempi:
    """What sessions may follow here, and the tempo of each source that is heard.

    A source that is offered and not heard yet has no tempo: who follows it keeps its own.

    Attributes:
        default: what new sessions follow, where it is offered.
        heard: the tempo of each source.
    """

    default: str = FREE
    heard: dict[str, Tempo] = field(default_factory=dict)
    _offered: set[str] = field(default_factory=set)

    def offer(self, source: str) -> None:
        """A source can be followed from now on."""
        assert source in SOURCES
        self._offered.add(source)

    def first_controls(self, codec: Codec) -> dict[str, Any]:
        """What the controls of a new session say of it."""
        follows = self.default in self._offered and not keeps_own_time(codec)
        return {"sync": self.default} if follows else {}

    def check(self, controls: Mapping[str, Any], codec: Codec) -> None:
        """Checks that controls name no source that there is not, or that cannot be followed.

        Raises:
            ProtocolError: `bad_value`; it says how the source is had.
        """
        source, reason = controls.get("sync"), None
        if not isinstance(source, str) or source not in SOURCES:
            return
        if keeps_own_time(codec):
            reason = f"sync: a stream of {codec.domain} keeps a time of its own"
        elif source not in self._offered:
            reason = SOURCES[source]
        if reason is not None:
            raise ProtocolError("bad_value", reason, field="controls.sync")
