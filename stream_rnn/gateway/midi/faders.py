"""What a MIDI controller can move, and what its place says there. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from stream_rnn.errors import ProtocolError
from stream_rnn.gateway.house import Model
from stream_rnn.gateway.session import Session
from stream_rnn.wire.osc_values import NORMS

TOP = 127  # of a controller
# name: (least, most), in whole numbers
STEPS = {"velocity": (1, 127), "transpose": (-24, 24), "top_k": (0, 127), "channel": (1, 16)}
MOST = 1024  # sessions whose faders are remembered
ARTIST = "artist "  # and a name: its weight in the blend

Blend = dict[str, float]


class Faders:
    """Places of controllers as changes of controls.

    The faders of a blend are those of a mixer: each has the place of one artist, and the weights
    are what they are beside each other. So they are remembered, since a session knows weights
    only that add up to 1. When somebody else has changed the blend it counts from there.

    Args:
        models: by whose artists names are checked.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._artists = {name for model in models.values() for name in model.card.artists}
        # By session: the places, and the blend that they made.
        self._mixed: dict[int, tuple[Blend, Blend]] = {}

    def check(self, control: str) -> None:
        """Checks that there is something to move.

        Raises:
            ProtocolError: `unknown_control` or `unknown_artist`.
        """
        if control.startswith(ARTIST):
            if (name := control.removeprefix(ARTIST)) not in self._artists:
                raise ProtocolError("unknown_artist", f"no model here has the artist {name!r}")
        elif control not in NORMS and control not in STEPS:
            known = ", ".join([*NORMS, *STEPS, ARTIST + "NAME"])
            raise ProtocolError(
                "unknown_control", f"{control!r} is no control for a controller; there are: {known}"
            )

    def changes(self, control: str, place: int, session: Session) -> dict[str, Any] | None:
        """What a controller at a place (0 to 127) asks of a session; none for nothing."""
        if control.startswith(ARTIST):
            return self._blend(control.removeprefix(ARTIST), place / TOP, session)
        least, most = NORMS.get(control) or STEPS[control]
        value = least + place / TOP * (most - least)
        return {control: round(value) if control in STEPS else value}

    def _blend(self, artist: str, weight: float, session: Session) -> dict[str, Any] | None:
        if artist not in session.card.artists:
            return None
        now = dict(session.controls.artist or {})
        places, made = self._mixed.pop(session.key, ({}, {}))
        places = {**(places if _alike(made, now) else now), artist: weight}
        if total := math.fsum(places.values()):
            now = {n: w / total for n, w in places.items() if w > 0}
        self._mixed[session.key] = places, now
        if len(self._mixed) > MOST:
            del self._mixed[next(iter(self._mixed))]
        return {"artist": places} if total else None  # all are down: it stays as it is


def _alike(one: Blend, other: Blend) -> bool:
    return one.keys() == other.keys() and all(math.isclose(one[n], other[n]) for n in one)
