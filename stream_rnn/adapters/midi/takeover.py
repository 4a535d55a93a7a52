"""Soft takeover: a knob that stands elsewhere than its control does not make it jump. No I/O."""

from __future__ import annotations

import math

from stream_rnn.config import MidiControl

MOST = 1024  # values that are remembered
CLOSE = 1.01 / 127  # of a range: a knob's own step, within which it has met the value
PLACES = ("absolute", "14-bit")


class Takeover:
    """What each controller has set last, and where it stood."""

    def __init__(self) -> None:
        self._set: dict[tuple[MidiControl, int], float] = {}
        self._stood: dict[MidiControl, float] = {}

    def admits(
        self, binding: MidiControl, session: int, value: float, current: float, span: float
    ) -> bool:
        """Whether a controller may move a control to a value.

        It may while the control is where the controller has left it. When somebody else has
        changed it, the controller first has to come to where the control is, or pass it.

        Args:
            session: its key.
            current: the control's value now.
            span: of the range, above 0.
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
        """A controller stands where it would set this value."""
        self._stood[binding] = value

    def has_set(self, binding: MidiControl, session: int, current: float) -> None:
        """A controller has set a control, which has this value now."""
        self._set.pop((binding, session), None)
        self._set[binding, session] = current
        if len(self._set) > MOST:
            del self._set[next(iter(self._set))]

    def forget(self, binding: MidiControl) -> None:
        """A controller moves its control no more."""
        self._stood.pop(binding, None)
        self._set = {key: value for key, value in self._set.items() if key[0] != binding}
