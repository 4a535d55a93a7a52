"""The messages between the gateway and the MIDI process.

A port is given by its index in the options that the process was started with. All times are on
the machine's monotonic clock, which both processes read.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct


class PortSpec(Struct, frozen=True):
    """A wanted port: part of its name, or with `virtual` the name of a port to make."""

    name: str
    virtual: bool = False


class MidiOptions(Struct, frozen=True):
    """The options with which the process is started."""

    api: str = "auto"
    client: str = "stream-rnn"
    outs: tuple[PortSpec, ...] = ()
    ins: tuple[PortSpec, ...] = ()


class Play(Struct, frozen=True, tag=True, array_like=True):
    """Messages to send at their times: (time, index of the port, bytes)."""

    messages: tuple[tuple[float, int, bytes], ...]


class EndNotes(Struct, frozen=True, tag=True, array_like=True):
    """Drop all waiting messages and end all sounding notes, at once and on every port."""


class Ping(Struct, frozen=True, tag=True, array_like=True):
    """Asks for a `Pong`, and shows that the gateway is alive."""


Command = Play | EndNotes | Ping


class Ports(Struct, frozen=True, tag=True, array_like=True):
    """The name that each port is connected to now; None if there is no such port.

    `trouble` says what is wrong with MIDI as a whole; it is empty if nothing is.
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
    """Messages of an input may be missing: a cord to it was taken out, or some were dropped. The
    gateway takes all keys that were down to be up.
    """

    port: int


class Silenced(Struct, frozen=True, tag=True, array_like=True):
    """All notes on some port are ended at `time`, by command or not. The messages that end them
    may come in again at an input.
    """

    time: float


# Upper edges, in seconds, of the bins of `Pong.late`; its last bin has none.
LATENESS = (0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


class Pong(Struct, frozen=True, tag=True, array_like=True):
    """How late the messages sent since the last `Pong` were, when the driver had taken them.

    Attributes:
        late: a histogram: the number of messages in each bin of `LATENESS`.
        worst: the greatest lateness, in seconds.
        total: the sum of all, in seconds.
    """

    late: tuple[int, ...]
    worst: float
    total: float


Report = Ports | Heard | Unheard | Silenced | Pong

# A sequence of messages as the body of a frame, and back.
encode = msgspec.msgpack.Encoder().encode
decode_commands = msgspec.msgpack.Decoder(tuple[Command, ...]).decode
decode_events = msgspec.msgpack.Decoder(tuple[Report, ...]).decode
