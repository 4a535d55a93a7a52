"""A beat from outside, as a value, and the sources that sessions may follow."""

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
ROUNDING = 1e-6  # steps by which a grid point may lie before a time and still count as at it


@dataclass(frozen=True)
class Tempo:
    """An external beat: at the time `at` its beat is `beat`, and it runs at `bpm`.

    Attributes:
        bpm: beats a minute; above 0.
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
        """The time of a beat."""
        return self.at + (beat - self.beat) * 60.0 / self.bpm

    def interval(self, per_beat: int) -> float:
        """Seconds in a step, with `per_beat` steps in a beat."""
        return 60.0 / self.bpm / per_beat

    def step_time(self, step: float, per_beat: int) -> float:
        """The time of a step of the grid."""
        return self.time_of(step / per_beat)

    def moved(self, before: Tempo, now: float) -> bool:
        """Whether the beat at `now`, or the one after it, falls at another time than `before`."""
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
    """The first step at `step` or later that is `phase` modulo `cycle`; whole if `phase` is."""
    return phase + cycle * math.ceil((step - phase - ROUNDING) / cycle)


def keeps_own_time(codec: Codec) -> bool:
    """Whether symbols set their own length in seconds, so that they can follow no beat."""
    return codec.seconds(codec.boundary) is not None


@dataclass
class Tempi:
    """The sources that sessions may follow, and the tempo of each that is heard.

    A source that is offered but not heard yet has no tempo: its followers keep their own.

    Attributes:
        default: the source that new sessions follow, if it is offered.
        heard: the tempo of each source.
    """

    default: str = FREE
    heard: dict[str, Tempo] = field(default_factory=dict)
    _offered: set[str] = field(default_factory=set)

    def offer(self, source: str) -> None:
        """Lets sessions follow a source from now on."""
        assert source in SOURCES
        self._offered.add(source)

    def first_controls(self, codec: Codec) -> dict[str, Any]:
        """The `sync` of a new session's controls, if it follows the default source."""
        follows = self.default in self._offered and not keeps_own_time(codec)
        return {"sync": self.default} if follows else {}

    def check(self, controls: Mapping[str, Any], codec: Codec) -> None:
        """Checks that the source which controls name, if any, is offered and can be followed.

        Raises:
            ProtocolError: `bad_value`; the message says how to get the source.
        """
        source, reason = controls.get("sync"), None
        if not isinstance(source, str) or source not in SOURCES:
            return
        if keeps_own_time(codec):
            reason = f"sync: a stream of {codec.domain} keeps its own time; use {FREE!r}"
        elif source not in self._offered:
            reason = SOURCES[source]
        if reason is not None:
            raise ProtocolError("bad_value", reason, field="controls.sync")
