"""The messages between the gateway and an engine.

The engine keeps no timetable. The gateway gives each session *credit*: the engine may compute
it up to some position, and its next symbol is due at some time. Whatever changes a session's
future (an opening, a control, a feed, a rewind) is one command, `Plan`: "from this position,
these controls and these injected symbols". A plan has a generation, and each symbol comes back
with the generation it was computed under, so the gateway can drop symbols of older plans.

Symbols travel as bytes made by the codec (`Codec.pack`), a batch at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct


class Settings(Struct, frozen=True, array_like=True):
    """The part of a session's controls that the network and the draw need.

    Attributes:
        temperature: 0 for the likeliest symbol.
        top_k: draw among this many of the likeliest symbols; 0 for all.
        top_p: draw among the likeliest symbols that together have this probability.
        density: added to every key's logit.
        seed: of the random numbers.
        artists: the weights of the artist blend, which add up to 1; or empty.
        allowed: the keys that may sound, as a packed symbol; empty for all.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    density: float = 0.0
    seed: int = 0
    artists: tuple[float, ...] = ()
    allowed: bytes = b""


class Open(Struct, frozen=True, tag=True, array_like=True):
    """Takes a slot for a session. Later messages name the session by its key."""

    key: int
    model: str


class Load(Struct, frozen=True, tag=True, array_like=True):
    """Loads a model that may be opened soon."""

    model: str


class Plan(Struct, frozen=True, tag=True, array_like=True):
    """A session's future from `position` on.

    Attributes:
        generation: comes back with each symbol computed under this plan.
        position: the plan's first position. Unless `state` is given it must be within the
            rollback window: at most `rollback - 1` before the next position to compute.
        schedule: (position, settings), the first at `position` or before.
        injected: packed symbols for the positions from `position` on; the network steps
            through them, but they are not sent back.
        state: the recurrent state before `position`, in portable form, or empty.
        before: with `state`, the packed symbol before `position`.
    """

    key: int
    generation: int
    position: int
    schedule: tuple[tuple[int, Settings], ...]
    injected: bytes = b""
    state: bytes = b""
    before: bytes = b""


class Credits(Struct, frozen=True, tag=True, array_like=True):
    """Lets sessions be computed up to `until` (exclusive).

    The symbol at `position` is due at `due`, and each later one `interval` seconds after the one
    before. Infinity: not before it is asked for. Minus infinity: at no time, but as soon as others
    leave time. All are arrays as bytes, one element per session: int64 (three), float64 (two).
    """

    keys: bytes
    until: bytes
    position: bytes
    due: bytes
    interval: bytes


class Close(Struct, frozen=True, tag=True, array_like=True):
    """Gives the slot back."""

    key: int


class Caution(Struct, frozen=True, tag=True, array_like=True):
    """Makes an engine cautious, because engines before it have died.

    Attributes:
        level: 0: as usual. 1: the engine sends `Doing` before and after it computes anything.
            2: it also computes one session at a time.
    """

    level: int


Command = Open | Load | Plan | Credits | Close | Caution


class Ready(Struct, frozen=True, tag=True, array_like=True):
    """The engine can step its models; sent again when a model turns out to be of no use.

    Attributes:
        device: the device that it computes on.
        rollback: the number of positions in a rollback window.
        left_out: the models that cannot be used, and why.
        numerics: which definition of the step it computes; see docs/numerics.md.
    """

    device: str
    rollback: int
    left_out: dict[str, str] = {}
    numerics: int = 0

    def __str__(self) -> str:
        return f"{self.device}, numerics {self.numerics}"


class Batch(Struct, frozen=True, tag=True, array_like=True):
    """Symbols of one step: `keys`, `generations`, `positions` (int64) and packed `symbols`."""

    keys: bytes
    generations: bytes
    positions: bytes
    symbols: bytes


class Snapshot(Struct, frozen=True, tag=True, array_like=True):
    """The recurrent state before `position`, for a restart or a rewind."""

    key: int
    generation: int
    position: int
    state: bytes


class Failed(Struct, frozen=True, tag=True, array_like=True):
    """The engine cannot start, or a command or a step failed.

    Attributes:
        message: a sentence for people.
        key: the session that is no longer computed; None if the failure concerns no session.
        generation: the generation of the plan that failed.
    """

    message: str
    key: int | None = None
    generation: int = 0


class Worked(Struct, frozen=True, tag=True, array_like=True):
    """How long the engine has worked lately for sessions that play; now and then.

    Attributes:
        seconds: those in which it made steps, but for sessions that can wait.
        symbols: how many steps.
    """

    seconds: float
    symbols: int


class Doing(Struct, frozen=True, tag=True, array_like=True):
    """The sessions a cautious engine is about to compute: `keys` (int64). Empty: it is done."""

    keys: bytes = b""


EngineEvent = Ready | Batch | Snapshot | Failed | Worked | Doing

_encoder = msgspec.msgpack.Encoder()
_commands = msgspec.msgpack.Decoder(tuple[Command, ...])
_events = msgspec.msgpack.Decoder(tuple[EngineEvent, ...])


def encode(messages: Sequence[Command] | Sequence[EngineEvent]) -> bytes:
    """Messages as the body of a frame."""
    return _encoder.encode(messages)


def decode_commands(body: bytes) -> tuple[Command, ...]:
    """The commands of a frame's body."""
    return _commands.decode(body)


def decode_events(body: bytes) -> tuple[EngineEvent, ...]:
    """The events of a frame's body."""
    return _events.decode(body)
