"""What `configs/serve.toml` may hold: outputs, controllers, and sessions that play from the start.
It is read strictly: a misspelt name is an error, and is not ignored.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from stream_rnn.control_table import TABLE
from stream_rnn.errors import ConfigError

TRANSPOSE = TABLE["transpose"].legal

Port = Annotated[int, Meta(ge=0, le=65535)]
Channel = Annotated[int, Meta(ge=1, le=16)]
Seven = Annotated[int, Meta(ge=0, le=127)]
Transpose = Annotated[int, Meta(ge=TRANSPOSE[0], le=TRANSPOSE[1])]
Latency = Annotated[float, Meta(ge=0.0, le=10.0)]
Seconds = Annotated[float, Meta(ge=0.0)]


# The kinds of controller, by their names in the file.
SOURCES = ("cc", "nrpn", "note", "wheel", "aftertouch", "key_aftertouch", "program")


class _Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class SessionConfig(_Table, frozen=True, kw_only=True):
    """`[[session]]`: a session open from the start, which never pauses for want of listeners."""

    name: str
    model: str
    controls: dict[str, Any] = {}
    seed: int | None = None
    prime: str = ""
    play: bool = True


class OscTarget(_Table, frozen=True, kw_only=True):
    """`[[osc.target]]`: a program that is sent symbols without asking for them.

    Attributes:
        session: name or pattern (`*`) of the sessions.
        latency: seconds added to the due times in timetags.
        hold: length of a note, in symbols, from which its `{seconds}` are made.
        plain: whether each message is sent alone when it is due, instead of earlier in a bundle:
            for programs that do not take bundles, at the price of the network's jitter.
        ttl: for a multicast group, how many routers a packet may pass.
        interface: for a multicast group, this machine's address on the network to send to (for
            an IPv6 group, the interface's name); empty for the system's choice.
        note, off, char, symbol, touch, control: templates, for each note that begins, each that
            ends, each character, each symbol, each touch of an ensemble's players, each control
            that changes; without any of them the target is sent what a subscriber gets.
    """

    host: str = "127.0.0.1"
    port: Port
    session: str = "*"
    latency: Latency = 0.0
    hold: Annotated[float, Meta(gt=0.0)] = 1.0
    plain: bool = False
    note: str = ""
    off: str = ""
    char: str = ""
    symbol: str = ""
    touch: str = ""
    control: str = ""
    ttl: Annotated[int, Meta(ge=0, le=255)] = 1
    interface: str = ""


class OscConfig(_Table, frozen=True, kw_only=True):
    """`[osc]`.

    Attributes:
        host: the address to listen on; one beyond the loopback needs `allow`.
        allow: addresses and networks (CIDR) whose packets are taken.
        rate: packets a second from one sender.
        latency: for subscribers, in seconds.
        lease: seconds without a packet from another machine after which its subscriptions end;
            0 for never.
        timetags: `heed`: bundles take effect at their time; `ignore`: at once, for senders whose
            clock is wrong.
    """

    host: str = "127.0.0.1"
    allow: tuple[str, ...] = ()
    rate: Annotated[int, Meta(ge=1)] = 2000
    latency: Latency = 0.0
    lease: Seconds = 3600.0
    timetags: Literal["heed", "ignore"] = "heed"
    target: tuple[OscTarget, ...] = ()


class MidiOut(_Table, frozen=True, kw_only=True):
    """`[[midi.out]]`: sessions to a port.

    Attributes:
        port: part of a port's name, or with `virtual` the name of one that is made.
        session: name or pattern of the sessions.
        channel: 1 to 16; absent: each session's own `channel` control.
        program: sent whenever the port (re)appears and when a session begins; several programs
            are for the players of an ensemble, each on a channel of their own.
        led: whether players of an ensemble sound while a person makes their gestures.
        velocity: replaces the session's own.
        transpose: semitones, on top of the session's own.
        drums: maps pitches to drum keys, which sound on channel 10; other pitches are silent.
        text: whether letters sound as notes.
        clock: name of the session whose beat is sent as MIDI clock, with start and stop.
        clock_runs: when pulses are sent: while the session is `playing`, or `always`, in the
            session's tempo, for delays and arpeggiators that need a clock without a break.
        latency: seconds added to the due times.
    """

    port: str
    virtual: bool = False
    session: str = "*"
    channel: Channel | None = None
    program: Seven | Annotated[tuple[Seven, ...], Meta(max_length=8)] | None = None
    velocity: Seven | None = None
    transpose: Transpose = 0
    drums: dict[str, Seven] = {}
    text: bool = True
    led: bool = False
    clock: str = ""
    clock_runs: Literal["playing", "always"] = "playing"
    latency: Latency = 0.0


class MidiIn(_Table, frozen=True, kw_only=True):
    """`[[midi.in]]`: a keyboard, its controllers, its clock.

    Attributes:
        port: part of a port's name, or with `virtual` the name of one that is made.
        session: the session that the keyboard plays with.
        keys: `answer`: the session listens to a phrase, then answers; `feed`: keys go into the
            stream as it runs; `off`: keys do nothing.
        silence: seconds without a key until the session answers.
        prime: whether a phrase replaces the past (`prime`) or is added to it.
        channel: 1 to 16; absent: all.
        panic: whether controllers 120 and 123 on its channel do what `/rnn/panic` does. By
            default they end the keys that this port holds, and nothing else.
    """

    port: str
    virtual: bool = False
    session: str = "main"
    keys: Literal["answer", "feed", "off"] = "answer"
    silence: Annotated[float, Meta(gt=0.0, le=60.0)] = 1.0
    prime: bool = False
    channel: Channel | None = None
    panic: bool = False


class MidiControl(_Table, frozen=True, kw_only=True):
    """`[[midi.control]]`: a controller that moves a control over a range, or does something.

    One of `cc`, `nrpn`, `note`, `wheel`, `aftertouch`, `key_aftertouch` and `program` says which
    controller it is.

    Attributes:
        control: a control with a fader range in the table of docs/protocol.md; `artist NAME` for
            that artist's weight in the blend; or an action: `play`, `pause`, `toggle`, `reset`,
            `panic`.
        cc: a controller; of a 14-bit pair the lower number.
        nrpn: a non-registered parameter.
        note: the velocity of a pad or a key, which then plays no note to the session.
        wheel: the pitch wheel.
        aftertouch: the pressure on a channel.
        key_aftertouch: the pressure on one key.
        program: a program change of that number; with an action or a `value`.
        channel: 1 to 16; absent: all.
        mode: what the values of a controller mean: a place (`absolute`), a place in two messages
            (`14-bit`: controllers n and n + 32), or steps of an endless encoder: two's complement
            (1, 127), offset from 64 (65, 63), or sign and magnitude (1, 65).
        pickup: whether it moves the control only once it has met the control's value. Absent:
            yes, if it has a place and the control has been changed by something else since.
        low, high: the control's values at the ends of the movement; `low` may be the larger.
            Absent: the ends of the fader range.
        value: what a press sets the control to, instead of moving it.
    """

    control: str
    session: str = "*"
    channel: Channel | None = None
    cc: Seven | None = None
    nrpn: Annotated[int, Meta(ge=0, le=16383)] | None = None
    note: Seven | None = None
    wheel: bool = False
    aftertouch: bool = False
    key_aftertouch: Seven | None = None
    program: Seven | None = None
    mode: Literal[
        "absolute", "14-bit", "relative-twos", "relative-offset", "relative-sign"
    ] = "absolute"  # fmt: skip
    pickup: bool | None = None
    low: float | None = None
    high: float | None = None
    value: str | float | None = None

    def __post_init__(self) -> None:
        # msgspec puts the place in the file before these messages.
        if len(self.sources) != 1:
            raise ValueError(f"needs one of {', '.join(SOURCES)}, not {len(self.sources)} of them")
        if self.mode != "absolute" and self.cc is None:
            raise ValueError(f"mode {self.mode!r} is for a controller: say which by cc")
        if self.mode == "14-bit" and self.cc is not None and self.cc > 31:
            raise ValueError(
                f"cc {self.cc} cannot be the first of a 14-bit pair; those are 0 to 31, "
                "and the second is 32 above"
            )

    @property
    def sources(self) -> list[str]:
        """Which of `SOURCES` are named."""
        return [n for n in SOURCES if (v := getattr(self, n)) is not None and v is not False]


class MidiConfig(_Table, frozen=True, kw_only=True, rename={"out_": "out", "in_": "in"}):
    """`[midi]`.

    Attributes:
        api: the MIDI system: `auto` takes the first that works.
        client: our name among MIDI clients.
        learnt: file that keeps learnt controllers; without one, they are lost at the end.
    """

    api: Literal["auto", "alsa", "jack", "core", "windows"] = "auto"
    client: str = "stream-rnn"
    learnt: str = ""
    out_: tuple[MidiOut, ...] = ()
    in_: tuple[MidiIn, ...] = ()
    control: tuple[MidiControl, ...] = ()


class TempoConfig(_Table, frozen=True, kw_only=True):
    """`[tempo]`: what new sessions follow: themselves, Ableton Link, or MIDI clock."""

    sync: Literal["free", "link", "midi"] = "free"
    bpm: Annotated[float, Meta(ge=20.0, le=999.0)] = 120.0


class DiscoveryConfig(_Table, frozen=True, kw_only=True):
    """`[discovery]`: the OSCQuery tree; port 0 for any free port, absent for no tree."""

    port: Port | None = None
    name: str = "stream-rnn"


class Record(_Table, frozen=True, kw_only=True):
    """`[[record]]`: records sessions into a MIDI file."""

    file: str
    session: str = "*"


class LimitsConfig(_Table, frozen=True, kw_only=True):
    """`[limits]`: how much memory the sessions' pasts may take.

    Attributes:
        history: symbols of a session that are kept, at least.
        history_mb: megabytes that the symbols and control changes of all sessions may take.
        states_mb: megabytes that the states of all sessions, by which they rewind, may take.
        away: evicted sessions that are kept, and can be brought back.
        away_mb: megabytes that evicted sessions may take.
        away_days: days after which a stored session is let go in which nothing has changed.
    """

    history: Annotated[int, Meta(ge=1000)] = 200_000
    history_mb: Annotated[float, Meta(ge=1.0)] = 256.0
    states_mb: Annotated[float, Meta(ge=1.0)] = 64.0
    away: Annotated[int, Meta(ge=0)] = 1000
    away_mb: Annotated[float, Meta(ge=0.0)] = 16.0
    away_days: Annotated[float, Meta(ge=0.0)] = 30.0


class Config(_Table, frozen=True, kw_only=True):
    """The whole file.

    Attributes:
        state: the folder that keeps sessions; empty for no store.
    """

    state: str = ""
    session: tuple[SessionConfig, ...] = ()
    osc: OscConfig = OscConfig()
    midi: MidiConfig = MidiConfig()
    tempo: TempoConfig = TempoConfig()
    discovery: DiscoveryConfig = DiscoveryConfig()
    record: tuple[Record, ...] = ()
    limits: LimitsConfig = LimitsConfig()


def read_config(path: Path) -> Config:
    """The configuration in a TOML file.

    Raises:
        ConfigError: no such file, not TOML, or a value that is not allowed; it is named.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Config)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # msgspec's and tomllib's errors are ValueErrors
        raise ConfigError(f"{path}: {error}") from None
