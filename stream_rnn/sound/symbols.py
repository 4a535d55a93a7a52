"""The parts of symbols and touches that `Voice` and `Track` read, and the notes they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct


class SpeltNote(Struct, frozen=True):
    """A note that several symbols spell. It begins to sound with the last of them.

    Attributes:
        pitch: MIDI pitch; None for a rest.
        seconds: its length.
        n: the position of the symbol that names the note.
    """

    pitch: int | None
    seconds: float
    n: int


class TouchPoint(Struct, frozen=True):
    """A player's finger on a surface.

    Attributes:
        player: the player's number in the ensemble, from 0.
        x: 0 to 1, from left to right.
        y: 0 to 1, from bottom to top.
        down: 1, or 0 when the finger is lifted.
        pitch: the MIDI pitch of `x` in the session's scale.
    """

    player: int
    x: float
    y: float
    down: int
    pitch: int


class Symbol(Protocol):
    """The parts of a symbol that are read here; see `wire.events.Symbol`."""

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
    """The parts of a finger's touch that are read here; see `wire.events.Touch`."""

    @property
    def touch(self) -> TouchPoint: ...
    @property
    def due(self) -> float: ...
    @property
    def fed(self) -> bool: ...
