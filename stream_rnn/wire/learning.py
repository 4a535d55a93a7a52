"""Requests to learn a MIDI controller and to forget it. Any protocol may carry them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stream_rnn.wire.messages import Id


@dataclass(frozen=True)
class Learn:
    """The next MIDI controller that moves will move this control, or do this action.

    Attributes:
        options: names and values, such as `low` and 0.5; see docs/midi.md.
        id: the id that the answers carry, so that the asker recognises them.
    """

    control: str
    session: str = "*"
    options: tuple[tuple[str, Any], ...] = ()
    id: Id = field(default=None, compare=False)


@dataclass(frozen=True)
class Forget:
    """Disconnects a control from its MIDI controllers; without a name, all controls."""

    control: str | None = None
