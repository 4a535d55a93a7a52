"""Requests to learn a MIDI controller, and to forget it. Any protocol may carry them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stream_rnn.wire.messages import Id


@dataclass(frozen=True)
class Learn:
    """The next MIDI controller that moves is to move this control, or to do this action.

    Attributes:
        options: names and values, such as `low` and 0.5; see docs/midi.md.
        id: what the answers carry, so that the asker knows them.
    """

    control: str
    session: str = "*"
    options: tuple[tuple[str, Any], ...] = ()
    id: Id = field(default=None, compare=False)


@dataclass(frozen=True)
class Forget:
    """No MIDI controller moves this control any more; none named: no control at all."""

    control: str | None = None
