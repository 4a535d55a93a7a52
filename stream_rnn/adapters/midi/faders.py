"""Maps the places of MIDI controllers (0 to 1) to values of controls. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stream_rnn.config import MidiControl
from stream_rnn.control_table import FADERS, TABLE, WEIGHT, Fader
from stream_rnn.errors import ProtocolError
from stream_rnn.recent import Recent
from stream_rnn.sessions.session import Session
from stream_rnn.stage.limits import Model
from stream_rnn.wire.control_words import value_of

TOP = 127  # steps from one end of a range to the other
MOST = 1024  # sessions whose faders are remembered
ARTIST = "artist "  # with a name after it: that artist's weight in the blend
ACTIONS = ("play", "pause", "toggle", "reset", "panic")

Blend = dict[str, float]


class Faders:
    """Turns places of controllers into changes of controls.

    The faders of a blend work like those of a mixer: each belongs to one artist, and the weights
    follow from the ratio of their places. The places are remembered, since a session knows only
    weights that add up to 1. When somebody else changes the blend, its weights become the places.

    Args:
        models: the models whose artists may be named.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._artists = {name for model in models.values() for name in model.card.artists}
        # By session: the places of its faders, and the blend that they made.
        self._mixed: Recent[int, tuple[Blend, Blend]] = Recent(MOST)

    def check(self, binding: MidiControl) -> None:
        """Checks that a binding names a control or an action, and that its options fit it.

        Raises:
            ProtocolError: `unknown_control`, `unknown_artist` or `bad_value`.
        """
        control = binding.control
        if control in ACTIONS:
            self._check_action(binding)
        elif binding.value is not None:
            if control not in TABLE:
                known = ", ".join(TABLE)
                raise ProtocolError(
                    "unknown_control",
                    f"{control!r} is no control that can be set to a value; those are: {known}",
                )
            value_of(control, (binding.value,))
        elif binding.program is not None:
            raise ProtocolError(
                "bad_value", f"a program change cannot move {control!r}; give it a value to set"
            )
        else:
            self._check_range(binding)

    def _check_action(self, binding: MidiControl) -> None:
        unfit = (binding.low, binding.high, binding.value, binding.pickup)
        if any(one is not None for one in unfit) or binding.mode != "absolute":
            raise ProtocolError(
                "bad_value",
                f"{binding.control!r} is an action: it takes no low, high, value, pickup or mode",
            )

    def _check_range(self, binding: MidiControl) -> None:
        control = binding.control
        least, most = WEIGHT.least, WEIGHT.most
        if control.startswith(ARTIST):
            if (name := control.removeprefix(ARTIST)) not in self._artists:
                raise ProtocolError("unknown_artist", f"no model here has the artist {name!r}")
            if binding.pickup:
                raise ProtocolError(
                    "bad_value", f"{control!r} is a weight in a blend, which takes no pickup"
                )
        elif control in FADERS:
            least, most = TABLE[control].legal
        else:
            known = ", ".join([*FADERS, ARTIST + "NAME", *ACTIONS])
            raise ProtocolError(
                "unknown_control", f"{control!r} is no control for MIDI; there are: {known}"
            )
        for name, end in (("low", binding.low), ("high", binding.high)):
            if end is not None and not least <= end <= most:
                raise ProtocolError(
                    "bad_value", f"{name} of {control!r} must be from {least:g} to {most:g}"
                )

    def ends(self, binding: MidiControl) -> tuple[float, float]:
        """The values at places 0 and 1; the first may be the larger."""
        fader = fader_of(binding.control)
        low = fader.least if binding.low is None else binding.low
        return low, fader.most if binding.high is None else binding.high

    def value_at(self, binding: MidiControl, place: float) -> float:
        """The value at a place from 0 to 1, not rounded."""
        low, high = self.ends(binding)
        return replace(fader_of(binding.control), least=low, most=high).value(place)

    def step(self, binding: MidiControl) -> float:
        """The value of one encoder step: 1 for whole numbers; negative if the range is inverted."""
        low, high = self.ends(binding)
        size = 1.0 if is_whole(binding.control) else abs(high - low) / TOP
        return math.copysign(size, high - low)

    def stepped(self, binding: MidiControl, steps: int, session: Session) -> float | None:
        """The value some steps from the present one; None if the session has no such control.

        A value outside of the range moves only by steps towards the range.
        """
        now = self.current(binding.control, session)
        if now is None:
            return None
        least, most = sorted(self.ends(binding))
        to = now + steps * self.step(binding)
        return min(to, max(most, now)) if to > now else max(to, min(least, now))

    def current(self, control: str, session: Session) -> float | None:
        """The value that a control is set to, even if the session follows another tempo."""
        controls = session.log.at(session.position)
        if not control.startswith(ARTIST):
            return float(getattr(controls, control))
        artist = control.removeprefix(ARTIST)
        if artist not in session.card.artists:
            return None
        return self._places(session).get(artist, 0.0)

    def changes(self, control: str, value: float, session: Session) -> dict[str, Any] | None:
        """The control changes that set a value in a session; None if nothing is to change."""
        if control.startswith(ARTIST):
            return self._blend(control.removeprefix(ARTIST), value, session)
        return {control: round(value) if is_whole(control) else value}

    def _places(self, session: Session) -> Blend:
        """The places of the faders of a session's blend."""
        now = dict(session.controls.artist or {})
        places, made = self._mixed.get(session.key, ({}, {}))
        alike = made.keys() == now.keys() and all(math.isclose(made[n], now[n]) for n in now)
        return places if alike else now

    def _blend(self, artist: str, weight: float, session: Session) -> dict[str, Any] | None:
        if artist not in session.card.artists:
            return None
        now, places = dict(session.controls.artist or {}), self._places(session)
        places = {**places, artist: weight}
        if total := math.fsum(places.values()):
            now = {n: w / total for n, w in places.items() if w > 0}
        self._mixed[session.key] = places, now
        return {"artist": places} if total else None  # with all faders down the blend stays


def fader_of(control: str) -> Fader:
    """The fader range of a control, or of an artist's weight."""
    return FADERS.get(control, WEIGHT)


def is_whole(control: str) -> bool:
    """Whether a control takes only whole numbers."""
    return control in TABLE and TABLE[control].kind == "whole"
