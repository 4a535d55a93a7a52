"""What sounding reads of a symbol and of a touch, and the notes that they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct


class SpeltNote(Struct, frozen=True):
    """A note that several symbols spell, and that begins to sound with the last of them.

    Attributes:
        pitch: MIDI; none for a rest.
        seconds: its length.
        n: the symbol at which it is written.
    """

    pitch: int | None
    seconds: float
    n: int


class TouchPoint(Struct, frozen=True):
    """A player's finger on a surface.

    Attributes:
        player: of an ensemble, from 0.
        x: 0 to 1, from left to right.
        y: 0 to 1, from bottom to top.
        down: 1, or 0 where the finger is lifted.
        pitch: MIDI, that `x` has in the session's scale.
    """

    player: int
    x: float
    y: float
    down: int
    pitch: int


class Symbol(Protocol):
    """What sounding reads of a symbol; see `wire.events.Symbol`."""

    @property
    def touch(self) -> None: ...
    @property
    def due(self) -> float: ...
    @property
    def text(self) -> str | None: ...
    @property
    def event(self) -> Mapping[str, Any] | None: ...
    @property
    def notes(self) -> Sequence[int] | None: ...
    @property
    def onsets(self) -> Sequence[int] | None: ...
    @property
    def sounds(self) -> Sequence[SpeltNote] | None: ...
    @property
    def velocity(self) -> int | None: ...
    @property
    def fed(self) -> bool: ...


class Touched(Protocol):
    """What sounding reads of a finger's touch; see `wire.events.Touch`."""

    @property
    def touch(self) -> TouchPoint: ...
    @property
    def due(self) -> float: ...
    @property
    def fed(self) -> bool: ...
