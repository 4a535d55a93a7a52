"""What the gateway and the MIDI process say to each other.

Ports go by their number in the options that the process was started with. All times are on
the machine's monotonic clock, which both processes read.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct


class PortSpec(Struct, frozen=True):
    """A port that is wanted: part of a name, or with `virtual` the name of one to make."""

    name: str
    virtual: bool = False


class MidiOptions(Struct, frozen=True):
    """How the process is started."""

    api: str = "auto"
    client: str = "stream-rnn"
    outs: tuple[PortSpec, ...] = ()
    ins: tuple[PortSpec, ...] = ()


class Play(Struct, frozen=True, tag=True, array_like=True):
    """Messages to send at their moments: (time, number of the port, bytes)."""

    messages: tuple[tuple[float, int, bytes], ...]


class EndNotes(Struct, frozen=True, tag=True, array_like=True):
    """Forget what waits, and end what sounds, at once and on every port."""


class Ping(Struct, frozen=True, tag=True, array_like=True):
    """Are you there? It also says that the gateway is."""


Command = Play | EndNotes | Ping


class Ports(Struct, frozen=True, tag=True, array_like=True):
    """What each port is connected to now; none for what is not to be found.

    `trouble` says what is wrong with MIDI as a whole, if anything is.
    """

    outs: tuple[str | None, ...]
    ins: tuple[str | None, ...]
    trouble: str = ""


class Heard(Struct, frozen=True, tag=True, array_like=True):
    """A message that came in."""

    port: int
    time: float
    data: bytes


class Unheard(Struct, frozen=True, tag=True, array_like=True):
    """Messages of an input may be missing: a cord to it was taken out, or much was lost. Keys
    that were down are taken to be up.
    """

    port: int


class Silenced(Struct, frozen=True, tag=True, array_like=True):
    """All that sounded on some port is ended at `time`, be it by command or not: the messages
    that do it may be heard again.
    """

    time: float


# Seconds that a message may be late: the upper edges of `Pong.late`, whose last has none.
LATENESS = (0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


class Pong(Struct, frozen=True, tag=True, array_like=True):
    """Of what was sent since the last one.

    Attributes:
        late: how many messages were so late, by `LATENESS`, when the driver had taken them.
        worst: the lateness of the latest, in seconds.
        total: of all together.
    """

    late: tuple[int, ...]
    worst: float
    total: float


Report = Ports | Heard | Unheard | Silenced | Pong

_encoder = msgspec.msgpack.Encoder()
_commands = msgspec.msgpack.Decoder(tuple[Command, ...])
_events = msgspec.msgpack.Decoder(tuple[Report, ...])


def encode(messages: Sequence[Command] | Sequence[Report]) -> bytes:
    """Messages as the body of a frame."""
    return _encoder.encode(messages)


def decode_commands(body: bytes) -> tuple[Command, ...]:
    """The commands of a frame's body."""
    return _commands.decode(body)


def decode_events(body: bytes) -> tuple[Report, ...]:
    """The events of a frame's body."""
    return _events.decode(body)
