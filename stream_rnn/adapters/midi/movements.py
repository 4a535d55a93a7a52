"""Turns controller messages into movements: single messages, 14-bit pairs and NRPN.

No I/O; the time is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from stream_rnn.wire import midi

Kind = Literal[
    "cc", "14-bit", "nrpn", "note", "wheel", "aftertouch", "key_aftertouch", "program"
]  # fmt: skip

SEVEN, FOURTEEN = 127, 16383
PAIR = 0.05  # seconds within which the fine half of a pair follows the coarse half
LSB = 32  # added to a controller's number for its fine half
DATA = 6  # data entry, which sets the selected NRPN
NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB = 98, 99, 100, 101


@dataclass(frozen=True)
class Movement:
    """A controller was moved, or a key or pad was struck.

    Attributes:
        number: of the controller (the lower one of a pair), parameter, key or program; else 0.
        value: the value that was sent.
        most: the highest value that it can have.
        half: whether only the coarse half of a pair is known, and the fine half may follow.
        follows: whether it is the fine half of a pair, right after the coarse half.
    """

    kind: Kind
    number: int
    channel: int
    value: int
    most: int = SEVEN
    half: bool = False
    follows: bool = False

    @property
    def place(self) -> float:
        """Where the controller stands, from 0 to 1. A coarse half alone spans the range, too."""
        if self.half:
            return (self.value >> 7) / SEVEN
        return self.value / self.most


@dataclass
class _Channel:
    """What was received on a channel.

    Attributes:
        halves: by controller below 32, its last value and when it came.
        parameter: the selected NRPN; None if none is.
    """

    halves: dict[int, tuple[int, float]] = field(default_factory=dict)
    selected: dict[int, int] = field(default_factory=dict)  # an NRPN's halves, by controller
    parameter: int | None = None


class Movements:
    """The controllers of one port."""

    def __init__(self) -> None:
        self._channels: dict[int, _Channel] = {}

    def hear(self, event: midi.Hand | midi.NoteOn, time: float) -> list[Movement]:
        """Returns the movements that a message may mean, the surest last."""
        match event:
            case midi.ControlChange(channel, controller, value):
                return self._controller(channel, controller, value, time)
            case midi.NoteOn(channel, pitch, velocity):
                return [Movement("note", pitch, channel, velocity)]
            case midi.Wheel(channel, value):
                return [Movement("wheel", 0, channel, value, FOURTEEN)]
            case midi.Aftertouch(channel, value):
                return [Movement("aftertouch", 0, channel, value)]
            case midi.KeyAftertouch(channel, pitch, value):
                return [Movement("key_aftertouch", pitch, channel, value)]
            case midi.Program(channel, program):
                return [Movement("program", program, channel, SEVEN)]

    def _controller(self, channel: int, controller: int, value: int, time: float) -> list[Movement]:
        state = self._channels.setdefault(channel, _Channel())
        moved = [Movement("cc", controller, channel, value)]
        if controller in (NRPN_LSB, NRPN_MSB):
            state.selected[controller] = value
            high, low = (state.selected.get(c) for c in (NRPN_MSB, NRPN_LSB))
            whole = None if high is None or low is None else high << 7 | low
            state.parameter = None if whole == FOURTEEN else whole  # all ones deselect
        elif controller in (RPN_LSB, RPN_MSB):
            state.selected, state.parameter = {}, None
        if controller < LSB:
            state.halves[controller] = value, time
            moved.append(Movement("14-bit", controller, channel, value << 7, FOURTEEN, half=True))
        elif controller < 2 * LSB and controller - LSB in state.halves:
            high, at = state.halves[controller - LSB]
            whole, follows = high << 7 | value, time - at <= PAIR
            moved.append(
                Movement("14-bit", controller - LSB, channel, whole, FOURTEEN, follows=follows)
            )
        last = moved[-1]
        if last.kind == "14-bit" and last.number == DATA and state.parameter is not None:
            moved.append(
                Movement("nrpn", state.parameter, channel, last.value, FOURTEEN, half=last.half)
            )
        return moved
