"""Soft takeover: a knob does not make a control jump that was changed elsewhere. No I/O."""

from __future__ import annotations

import math

from stream_rnn.config import MidiControl
from stream_rnn.recent import Recent

MOST = 1024  # values that are remembered
CLOSE = 1.01 / 127  # part of a range: about a knob's own step, within which it meets a value


class Takeover:
    """Remembers what value each controller has set last, and where it stands."""

    def __init__(self) -> None:
        self._set: Recent[tuple[MidiControl, int], float] = Recent(MOST)
        self._stood: dict[MidiControl, float] = {}

    def admits(
        self, binding: MidiControl, session: int, value: float, current: float, span: float
    ) -> bool:
        """Whether a controller may move a control to a value.

        It may while the control has the value that the controller set last. When somebody else
        has changed the control, the controller first has to reach or pass the present value.

        Args:
            session: the session's key.
            current: the control's present value.
            span: the width of the controller's range, above 0.
        """
        if binding.pickup is False:
            return True
        ours = self._set.get((binding, session))
        if ours is None:
            free = binding.pickup is None
        else:
            free = math.isclose(ours, current, rel_tol=1e-6, abs_tol=1e-9)
        if free:
            return True
        before = self._stood.get(binding, value)
        near = span * CLOSE
        return min(before, value) - near <= current <= max(before, value) + near

    def moved(self, binding: MidiControl, value: float) -> None:
        """Notes that a controller stands where it would set this value."""
        self._stood[binding] = value

    def has_set(self, binding: MidiControl, session: int, current: float) -> None:
        """Notes that a controller has set a control, which now has the value `current`."""
        self._set[binding, session] = current

    def forget(self, binding: MidiControl) -> None:
        """Forgets a controller that is no longer bound."""
        self._stood.pop(binding, None)
        for key in [key for key in self._set if key[0] == binding]:
            del self._set[key]
