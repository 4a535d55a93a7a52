"""Learns a controller and its coding while a hand moves it. No I/O; the caller keeps the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from stream_rnn.adapters.midi.codings import MOVED, RELATIVE, Mode, guess, is_settled
from stream_rnn.adapters.midi.faders import ACTIONS
from stream_rnn.adapters.midi.movements import (
    DATA,
    LSB,
    NRPN_LSB,
    RPN_MSB,
    SEVEN,
    Kind,
    Movement,
)
from stream_rnn.config import MidiControl
from stream_rnn.errors import ProtocolError
from stream_rnn.stage.subscribers import Asker
from stream_rnn.wire.learning import Learn
from stream_rnn.wire.messages import Id

PRESSED = 64  # a button with this value or a higher one is down
KEPT = 64  # values of a learnt controller after which its coding is final
PAIRS = 2  # 14-bit pairs that show that a controller was learnt as a 7-bit one by mistake
PLACES: tuple[Kind, ...] = ("nrpn", "wheel", "aftertouch", "key_aftertouch")
OPTIONS = ("mode", "low", "high", "pickup", "value")


def template(request: Learn) -> MidiControl:
    """Makes a binding from a request, with a placeholder for the controller to be learnt.

    Raises:
        ProtocolError: `bad_value`: an option does not exist, or its value is invalid.
    """
    fields = {"control": request.control, "session": request.session, "cc": 0}
    for name, value in request.options:
        if name not in OPTIONS:
            raise ProtocolError(
                "bad_value",
                f"there is no option {name!r} of learn; there are: {', '.join(OPTIONS)}",
            )
        fields[name] = bool(value) if name == "pickup" and value in (0, 1) else value
    try:
        return msgspec.convert(fields, MidiControl)
    except msgspec.ValidationError as error:
        raise ProtocolError("bad_value", f"learn: {error}") from None


def is_trigger(binding: MidiControl) -> bool:
    """Whether a binding is triggered by a press, and not moved to a place."""
    return binding.control in ACTIONS or binding.value is not None


@dataclass
class Learning:
    """A control or an action that waits for its controller.

    Attributes:
        wanted: the binding without its controller; see `template`.
        mode: the coding that the request names; None if it is to be found out.
        until: when the request expires.
        id: the request's id.
    """

    asker: Asker
    wanted: MidiControl
    mode: Mode | None
    until: float
    id: Id = None
    _values: dict[tuple[Kind, int, int], list[int]] = field(default_factory=dict)
    _pairs: set[tuple[int, int]] = field(default_factory=set)  # (channel, controller)

    def hear(self, movements: Sequence[Movement], *, plays: bool) -> MidiControl | None:
        """Takes a message; returns the learnt binding once it is clear, until then None.

        Args:
            movements: the meanings that the message may have, the surest last.
            plays: whether notes of this port and channel are played to a session. Then a key
                that goes down is not learnt for a control.
        """
        for movement in reversed(movements):
            values = self._values.setdefault(_key(movement), [])
            values.append(movement.value)
            if movement.follows:
                self._pairs.add((movement.channel, movement.number))
            if is_trigger(self.wanted):
                found = self._pressed(movement, values)
            else:
                found = self._moved(movement, values, plays, movements)
            if found is not None:
                return found
        return None

    def watch(self, binding: MidiControl) -> Watch | None:
        """Makes a watch that may still correct a learnt binding; None if its coding is certain."""
        guessed = binding.cc is not None and binding.mode != "14-bit" and self.mode is None
        if not guessed or is_trigger(binding):
            return None
        assert binding.cc is not None and binding.channel is not None
        values = self._values["cc", binding.cc, binding.channel]
        return Watch(self.asker, binding, self.id, _values=values)

    def _pressed(self, movement: Movement, values: list[int]) -> MidiControl | None:
        kind, value = movement.kind, movement.value
        if kind in ("note", "program"):
            return self._bind(movement)
        if kind != "cc" or value < PRESSED:
            return None
        before = values[-2] if len(values) > 1 else None
        if value == SEVEN or (before is not None and (before < PRESSED or before == value)):
            return self._bind(movement)
        return None

    def _moved(
        self, movement: Movement, values: list[int], plays: bool, beside: Sequence[Movement]
    ) -> MidiControl | None:
        kind = movement.kind
        if kind == "note":
            return None if plays else self._bind(movement)
        if kind == "cc":
            return self._controller(movement, values, beside)
        way = max(abs(value - values[0]) for value in values)
        if kind in PLACES:
            steps = MOVED * (movement.most + 1) // (SEVEN + 1)
            return self._bind(movement) if way >= steps else None
        if kind == "14-bit" and self.mode in (None, "14-bit") and self._is_pair(movement):
            return self._bind(movement, "14-bit") if way > SEVEN and not movement.half else None
        return None

    def _controller(
        self, movement: Movement, values: list[int], beside: Sequence[Movement]
    ) -> MidiControl | None:
        number = movement.number
        selects = NRPN_LSB <= number <= RPN_MSB
        data = number in (DATA, DATA + LSB) and any(other.kind == "nrpn" for other in beside)
        if selects or data or self.mode == "14-bit" or self._is_pair(movement):
            return None
        if self.mode in RELATIVE:
            return self._bind(movement, self.mode)
        mode = guess(values)
        if mode is None or (self.mode == "absolute" and mode != "absolute"):
            return None
        return self._bind(movement, mode)

    def _is_pair(self, movement: Movement) -> bool:
        halves = {movement.number, movement.number - LSB}
        return self.mode == "14-bit" or any((movement.channel, n) in self._pairs for n in halves)

    def _bind(self, movement: Movement, mode: Mode = "absolute") -> MidiControl:
        return bound(self.wanted, movement, mode)


def bound(wanted: MidiControl, movement: Movement, mode: Mode) -> MidiControl:
    """Makes a binding to the controller that moved."""
    source = "cc" if movement.kind == "14-bit" else movement.kind
    number = True if source in ("wheel", "aftertouch") else movement.number
    return msgspec.structs.replace(
        wanted, **{"cc": None, source: number, "channel": movement.channel, "mode": mode}
    )


def _key(movement: Movement) -> tuple[Kind, int, int]:
    return movement.kind, movement.number, movement.channel


@dataclass
class Watch:
    """Watches a controller that was learnt from few values, whose coding may be another one.

    Attributes:
        binding: the present guess.
        id: the request's id.
        done: whether nothing more is to be found out.
    """

    asker: Asker
    binding: MidiControl
    id: Id = None
    done: bool = False
    _values: list[int] = field(default_factory=list)
    _pairs: int = 0

    def hear(self, movements: Sequence[Movement]) -> MidiControl | None:
        """Takes a message; returns a corrected binding if the present guess was wrong."""
        for movement in movements:
            if movement.channel != self.binding.channel:
                continue
            if movement.kind == "cc" and movement.number == self.binding.cc:
                self._values.append(movement.value)
                mode = guess(self._values)
                self.done = len(self._values) >= KEPT or is_settled(self.binding.mode, self._values)
                if mode not in (None, self.binding.mode):
                    return self._revised(movement, mode)
            elif movement.follows and self.binding.cc in (movement.number, movement.number + LSB):
                self._pairs += 1
                if self._pairs >= PAIRS:
                    self.done = True
                    return self._revised(movement, "14-bit")
        return None

    def _revised(self, movement: Movement, mode: Mode) -> MidiControl:
        self.binding = bound(self.binding, movement, mode)
        return self.binding
