"""The table of controls: one row for each. All other code that knows of controls reads it.

A row is a field of `Controls`. It gives the control's name, its type, its default where a model's
card has none, the legal values, the range of a fader, and what the control does. To add a control,
add a row: it can then be set in every protocol, can be learnt by MIDI, and is in the tree of
OSCQuery, in `hello` and in the table of docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

MAX_RATE = 200.0
MAX_SEED = 2**53 - 1  # what JSON numbers carry exactly in every language
FREE = "free"
SYNCS = (FREE, "link", "midi")  # the beat that is followed: the session's own, or a source's

Kind = Literal["number", "whole", "blend", "pitches", "choice"]


@dataclass(frozen=True, slots=True)
class Fader:
    """The range that is useful on a fader, which is smaller than what is legal.

    Attributes:
        least, most: the values at its two ends.
        step: the smallest change that is worth making, in the control's unit.
        curve: the exponent of the fader's place, from 0 to 1. Above 1 the low end is finer.
    """

    least: float
    most: float
    step: float = 1
    curve: float = 1.0

    def value(self, place: float) -> float:
        """The value where the fader stands at `place`, from 0 to 1."""
        return self.least + float(place**self.curve) * (self.most - self.least)

    def place(self, value: float) -> float:
        """Where the fader stands for a value; for one beyond its range, at an end."""
        share = (value - self.least) / (self.most - self.least)
        return float(min(max(share, 0.0), 1.0) ** (1 / self.curve))


@dataclass(frozen=True, slots=True)
class Row:
    """All that there is to know about a control.

    Attributes:
        kind: a `number`; a `whole` number; a `blend` of artists; the `pitches` that are allowed;
            a `choice` among words.
        help: what it does, for people.
        legal: the least and the most that a number may be; of a blend, that a weight may be.
        fader: absent where no fader can move it.
        engine: whether it affects the engine's draws. A change then rolls back what is computed.
        domains: the domains to whose models it means something; empty for all.
        choices: the words of a `choice`.
    """

    kind: Kind
    help: str
    legal: tuple[float, float] = (0, 0)
    fader: Fader | None = None
    engine: bool = False
    domains: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    name: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its value is one number, whole or not."""
        return self.kind in ("number", "whole")

    @property
    def osc_type(self) -> str:
        """The type tag of its value in OSC."""
        return {"number": "f", "whole": "i"}.get(self.kind, "s")

    def to_json(self) -> dict[str, Any]:
        """The row as in `hello`, without empty columns."""
        shown: dict[str, Any] = {"type": self.kind, "help": self.help}
        if self.is_number:
            shown["min"], shown["max"] = self.legal
        if self.fader is not None:
            least, most, step, curve = asdict(self.fader).values()
            shown["fader"] = {"min": least, "max": most, "step": step, "curve": curve}
        if self.domains:
            shown["domains"] = self.domains
        if self.choices:
            shown["choices"] = self.choices
        return shown


WEIGHT = Fader(0.0, 1.0, 0.01)  # of an artist in a blend


def _row(kind: Kind, default: Any, help: str, **columns: Any) -> Any:
    return field(default=default, metadata={"row": Row(kind, help, **columns)})


@dataclass(frozen=True, slots=True)
class Controls:
    """All controls in force in a session at some position. Its fields make the table."""

    # fmt: off
    temperature: float = _row(
        "number", 1.0, "how daring: 0 always draws the likeliest",
        legal=(0.0, 100.0), fader=Fader(0.0, 2.0, 0.01), engine=True)
    rate: float = _row(
        "number", 15.0, "symbols a second",
        legal=(0.01, MAX_RATE), fader=Fader(1.0, 60.0, 0.5))
    bpm: float = _row(
        "number", 225.0, "beats a minute",
        legal=(0.1, 60.0 * MAX_RATE), fader=Fader(40.0, 240.0))
    top_p: float = _row(
        "number", 1.0, "draw among the likeliest symbols, up to this share of the probability",
        legal=(0.0, 1.0), fader=Fader(0.0, 1.0, 0.01), engine=True)
    density: float = _row(
        "number", 0.0, "more notes, or fewer",
        legal=(-20.0, 20.0), fader=Fader(-6.0, 6.0, 0.1), engine=True, domains=("pianoroll",))
    top_k: int = _row(
        "whole", 0, "draw among so many of the likeliest symbols; 0 for all",
        legal=(0, 4096), fader=Fader(0, 127), engine=True)
    velocity: int = _row(
        "whole", 80, "how hard notes are struck; scales dynamics that a stream has",
        legal=(1, 127), fader=Fader(1, 127))
    transpose: int = _row(
        "whole", 0, "semitones by which what is heard is moved",
        legal=(-48, 48), fader=Fader(-24, 24))
    channel: int = _row(
        "whole", 1, "MIDI channel",
        legal=(1, 16), fader=Fader(1, 16))
    seed: int = _row(
        "whole", 0, "seed of the random numbers",
        legal=(0, MAX_SEED), engine=True)
    artist: Mapping[str, float] | None = _row(
        "blend", None, "whose style; a blend is: name weight name weight ...",
        legal=(0.0, 1e6), fader=WEIGHT, engine=True)
    pitches: str | tuple[int, ...] | None = _row(
        "pitches", None, "the allowed pitches, as a scale such as D dorian",
        engine=True, domains=("pianoroll", "ensemble"))
    sync: str = _row(
        "choice", FREE, "the beat that it follows; free: its own",
        choices=SYNCS)
    # fmt: on

    def to_json(self) -> dict[str, Any]:
        """The controls as the protocol shows them; `pitches` only where some are forbidden."""
        shown = asdict(self)
        shown["artist"] = dict(self.artist or {})
        return {k: v for k, v in shown.items() if v is not None}


TABLE: dict[str, Row] = {f.name: replace(f.metadata["row"], name=f.name) for f in fields(Controls)}
# Controls that a fader moves from end to end: by `/norm` in OSC (`NORMS`), by MIDI.
FADERS = {name: row.fader for name, row in TABLE.items() if row.fader and row.is_number}
NORMS = {name: fader for name, fader in FADERS.items() if TABLE[name].kind == "number"}
