"""What the gateway and an engine say to each other.

The engine keeps no timetable. The gateway gives each session *credit*: it may be computed
up to some position, the next symbol being due at some time. Whatever changes a session's
future (an opening, a control, a feed, a rewind) is one command, `Plan`: "from this position,
these controls and these given symbols". A plan has a generation, which comes back with each
symbol, so that symbols computed under an older plan are recognised and dropped.

Symbols travel as the bytes of their codec (`Codec.pack`), a batch at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct


class Settings(Struct, frozen=True, array_like=True):
    """What the network and the draw need of a session's controls.

    Attributes:
        temperature: 0 for the likeliest symbol.
        top_k: draw among so many; 0 for all.
        top_p: draw among the likeliest that together have this probability.
        density: added to every Bernoulli logit.
        seed: of the random numbers.
        artists: the blend's weights, adding up to 1, or empty.
        allowed: packed symbol of the keys that may sound; empty for all.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    density: float = 0.0
    seed: int = 0
    artists: tuple[float, ...] = ()
    allowed: bytes = b""


class Open(Struct, frozen=True, tag=True, array_like=True):
    """Takes a slot for a session, known from here on by its key."""

    key: int
    model: str


class Plan(Struct, frozen=True, tag=True, array_like=True):
    """From `position` on, the session's future is this.

    Attributes:
        generation: comes back with each symbol computed under this plan.
        position: the first position it rules. Unless `state` is given it must be within
            the rollback window: at most `rollback - 1` before what is computed.
        schedule: (position, settings), the first at `position` or before.
        injected: packed symbols that take the positions from `position` on; they are
            computed through but not sent back.
        state: the recurrent state before `position`, with `before`, the symbol there.
    """

    key: int
    generation: int
    position: int
    schedule: tuple[tuple[int, Settings], ...]
    injected: bytes = b""
    state: bytes = b""
    before: bytes = b""


class Credits(Struct, frozen=True, tag=True, array_like=True):
    """Sessions may be computed up to `until` (exclusive).

    `position` is due at `due`, and each symbol after it `interval` seconds later. All are
    arrays as bytes, an element a session: int64, int64, int64, float64, float64.
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
    """How an engine is to work when those before it have died.

    Attributes:
        level: 0: as usual. 1: it says `Doing` before it computes anything, and after. 2: it also
            computes one session at a time.
    """

    level: int


Command = Open | Plan | Credits | Close | Caution


class Ready(Struct, frozen=True, tag=True, array_like=True):
    """The engine has loaded its models.

    Attributes:
        device: that it computes on.
        numerics: the names of what it computes by; see `engine.kernels.protocol`.
        left_out: models that could not be loaded, and why.
    """

    device: str
    rollback: int
    left_out: dict[str, str] = {}
    numerics: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.device}, numerics {', '.join(self.numerics) or 'none'}"


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
    """The engine cannot start, or could not do what was asked; a sentence for people.

    Attributes:
        key: of the session that is no longer computed; none where it concerns no session.
        generation: of the plan that failed.
    """

    message: str
    key: int | None = None
    generation: int = 0


class Doing(Struct, frozen=True, tag=True, array_like=True):
    """What a cautious engine is about to compute: `keys` (int64); none: it is done."""

    keys: bytes = b""


EngineEvent = Ready | Batch | Snapshot | Failed | Doing

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
