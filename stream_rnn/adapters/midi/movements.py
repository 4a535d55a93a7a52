"""What hands do at a controller, as movements: single messages, 14-bit pairs and NRPN. No I/O.

The time is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from stream_rnn.wire import midi

Kind = Literal[
    "cc", "14-bit", "nrpn", "note", "wheel", "aftertouch", "key_aftertouch", "program"
]  # fmt: skip

SEVEN, FOURTEEN = 127, 16383
PAIR = 0.05  # seconds within which the second message of a pair follows the first
LSB = 32  # from a controller to the finer half of it
DATA = 6
NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB = 98, 99, 100, 101


@dataclass(frozen=True)
class Movement:
    """Something was moved or struck.

    Attributes:
        number: of the controller (of a pair the lower), parameter, key or program; else 0.
        value: as it was sent.
        most: what it may be at most.
        half: whether only the coarser half of a pair is known, and the finer may follow.
        follows: whether it is the finer half, and came right after the coarser.
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
        """Where it is, from 0 to 1. A coarser half alone spans the whole range, too."""
        if self.half:
            return (self.value >> 7) / SEVEN
        return self.value / self.most


@dataclass
class _Channel:
    """What was heard on a channel.

    Attributes:
        halves: of each controller below 32 the value, and when it came.
        parameter: the NRPN that is selected.
    """

    halves: dict[int, tuple[int, float]] = field(default_factory=dict)
    selected: dict[int, int] = field(default_factory=dict)  # its two halves, by controller
    parameter: int | None = None


class Movements:
    """The controllers of one port."""

    def __init__(self) -> None:
        self._channels: dict[int, _Channel] = {}

    def hear(self, event: midi.Hand | midi.NoteOn, time: float) -> list[Movement]:
        """What a message means; the surest meaning last."""
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
            state.parameter = None if whole == FOURTEEN else whole  # which stands for none
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
