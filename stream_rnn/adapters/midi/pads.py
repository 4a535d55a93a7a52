"""Pads, keys and buttons that trigger something when pressed. No I/O; the time is passed in."""

from __future__ import annotations

from collections.abc import Callable

from stream_rnn.adapters.midi.movements import Movement
from stream_rnn.config import MidiControl
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.status import Status
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.subscribers import Asker, fits
from stream_rnn.wire import messages as wire
from stream_rnn.wire.control_words import value_of

DOWN = 0.5  # the place, from 0 to 1, from which on a button counts as pressed
WHEEL_DOWN = 0.75  # the same for a wheel, which rests in the middle


class Pads:
    """Does what pads are bound to when they are pressed.

    Args:
        asker: makes the requests, and gets their answers.
        panic: called with the time when a pad for `panic` is pressed.
    """

    def __init__(self, stage: Stage, asker: Asker, panic: Callable[[float], None]) -> None:
        self._stage, self._asker, self._panic = stage, asker, panic
        self._places: dict[MidiControl, float] = {}

    def press(self, binding: MidiControl, movement: Movement, now: float) -> None:
        """Handles a movement of a bound pad: triggers the binding if it is a press."""
        if movement.kind in ("note", "program") or self._goes_down(binding, movement):
            self._do(binding, now)

    def _goes_down(self, binding: MidiControl, movement: Movement) -> bool:
        limit = WHEEL_DOWN if movement.kind == "wheel" else DOWN
        place, before = movement.place, self._places.get(binding, 0.0)
        self._places[binding] = place
        # Some buttons send the same value at each press, and nothing when they are released.
        again = movement.kind == "cc" and place == before
        return place >= limit and (before < limit or again)

    def forget(self, binding: MidiControl) -> None:
        """Forgets a pad that is no longer bound."""
        self._places.pop(binding, None)

    def _do(self, binding: MidiControl, now: float) -> None:
        if binding.control == "panic":
            self._panic(now)
            return
        sessions = self._sessions(binding)
        playing = any(session.playing for session in sessions)
        for session in sessions:
            name = session.name
            match binding.control:
                case "toggle":
                    message: wire.Message = (wire.Pause if playing else wire.Play)(session=name)
                case "play":
                    message = wire.Play(session=name)
                case "pause":
                    message = wire.Pause(session=name)
                case "reset":
                    message = wire.Reset(session=name)
                case control:
                    value = value_of(control, (binding.value,))
                    message = wire.Control(session=name, controls={control: value})
            self._stage.handle(self._asker, message, now)

    def _sessions(self, binding: MidiControl) -> list[Session]:
        """The sessions that a binding is for, without evicted ones, which stay evicted."""
        return [
            session
            for name, session in self._stage.sessions.items()
            if fits(binding.session, name) and session.status is not Status.EVICTED
        ]
