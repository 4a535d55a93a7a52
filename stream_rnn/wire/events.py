"""Everything a client is told, in any protocol: a struct for each answer, each piece of news
and each symbol.

JSON (`Event.json`), OSC (`wire.osc_answers`) and MIDI encode from these. `docs/protocol.md`
explains them; a test holds that it names every type and every field. A field that has a default is
left out of the JSON where it has that value.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import msgspec
from msgspec import Struct

from stream_rnn.errors import ProtocolError
from stream_rnn.sound.symbols import SpeltNote as SpeltNote
from stream_rnn.sound.symbols import TouchPoint as TouchPoint
from stream_rnn.wire.messages import Id

_encoder = msgspec.json.Encoder()


class Event(
    Struct, frozen=True, omit_defaults=True, kw_only=True, dict=True, tag_field="type",
    tag=lambda name: name.lower(),
):  # fmt: skip
    """What every event may carry: the `id` of the request that it answers."""

    id: Id = None

    @property
    def type(self) -> str:
        """Its name, as `paused`."""
        return str(self.__struct_config__.tag)

    @cached_property
    def json(self) -> str:
        """The JSON text, made once for all who are told."""
        return _encoder.encode(self).decode()

    def answering(self, id: Id) -> Self:
        """The same, as the answer to a request with that `id`."""
        return self if id is None else msgspec.structs.replace(self, id=id)


# Of a connection, or of the server


class ModelInfo(Struct, frozen=True):
    """A model as clients see it.

    Attributes:
        controls: what a session of it starts with.
    """

    name: str
    title: str
    domain: str
    artists: list[str]
    primes: list[str]
    controls: dict[str, Any]


class Hello(Event, frozen=True):
    """The first message of a connection.

    Attributes:
        time: on the server's clock.
        controls: by name, each with what may be said of it; see `control_table`.
    """

    version: int
    server: str
    time: float
    controls: dict[str, dict[str, Any]]
    models: list[ModelInfo]


class Pong(Event, frozen=True):
    """Answers `ping`: its `t0`, and when it was received and answered, on the server's clock."""

    t0: float | int
    t1: float
    t2: float


class Error(Event, frozen=True):
    """What was wrong, and where."""

    code: str
    message: str
    field: str | None = None
    session: str | None = None


class Learned(Event, frozen=True):
    """A MIDI controller moves a control from now on: `cc`, or a `number` of another `kind`.

    Only OSC asks for this.
    """

    control: str
    cc: int | None = None
    number: int | None = None
    channel: int | None = None
    kind: str | None = None


class Forgotten(Event, frozen=True):
    """No MIDI controller moves a control any more. Only OSC asks for this."""

    control: str


# Of a session


class SessionEvent(Event, frozen=True):
    """What is told of a session."""

    session: str


class PositionEvent(SessionEvent, frozen=True):
    """What is told of a session at a position: that of the next symbol."""

    position: int


class Change(Struct, frozen=True, omit_defaults=True):
    """A change of controls.

    Attributes:
        position: of the first symbol that obeys.
        controls: all that are in force there.
        changed: the names that were asked for, sorted.
        pending: whether the position is still to come.
    """

    position: int
    controls: dict[str, Any]
    changed: list[str]
    pending: bool = False


class Cancelled(Struct, frozen=True):
    """Controls that will not change at a position any more."""

    position: int
    changed: list[str]


class Opened(SessionEvent, frozen=True):
    """A session as it is, for a client that begins to view it, and when its model changes.

    Attributes:
        silent: whether it is a fork that does not sound in the house yet.
        pending: changes that are still to come.
    """

    model: str
    controls: dict[str, Any]
    seed: int
    position: int
    playing: bool
    epoch: int
    silent: bool = False
    pending: list[Change] | None = None


class Controlled(SessionEvent, frozen=True):
    """Controls change; the fields are those of `Change`.

    Attributes:
        cancelled: pending changes that this one takes the place of.
    """

    position: int
    controls: dict[str, Any]
    changed: list[str]
    pending: bool = False
    cancelled: list[Cancelled] | None = None


class Led(SessionEvent, frozen=True):
    """A player's part in an ensemble is led by a person, or (no gesture) by the network again."""

    position: int
    player: int
    gesture: int | None


class Fed(PositionEvent, frozen=True):
    """Symbols were fed, up to the position."""


class Playing(PositionEvent, frozen=True):
    """It runs; with the reason `engine` since that is back."""

    reason: str | None = None


class Paused(PositionEvent, frozen=True):
    """It is held; with the reason `engine` since that is gone, or does not answer."""

    reason: str | None = None


class Reset(PositionEvent, frozen=True):
    """It begins again, with a new past."""

    epoch: int


class Rewound(PositionEvent, frozen=True):
    """It goes on from an earlier position, with a new past and the controls in force there."""

    controls: dict[str, Any]
    epoch: int


class Closed(SessionEvent, frozen=True):
    """It is no more; with the reason `internal` where the server failed."""

    reason: str | None = None


class Gap(SessionEvent, frozen=True):
    """The symbols between two positions are missing."""

    after: int
    before: int


class Symbol(SessionEvent, frozen=True):
    """A committed symbol. Its codec says what it is: `text`, `event`, `notes` or `onsets`.

    Attributes:
        due: seconds on the server's clock.
        sounds: the note that begins with it, where several symbols spell one; else empty.
        velocity: of the key that it strikes.
        fed: whether it was put into the stream from outside.
        epoch: of the past that it belongs to.
    """

    touch: ClassVar[None] = None

    n: int
    due: float
    text: str | None = None
    event: dict[str, Any] | None = None
    notes: list[int] | None = None
    onsets: list[int] | None = None
    sounds: list[SpeltNote] | None = None
    velocity: int | None = None
    fed: bool = False
    epoch: int = 0


class Touch(SessionEvent, frozen=True):
    """A finger of an ensemble's player, between the symbols.

    Attributes:
        due: seconds on the server's clock.
        fed: whether a person makes the gesture.
    """

    due: float
    touch: TouchPoint
    fed: bool = False


Live = Symbol | Touch
Past = Symbol | Gap


def error_event(error: ProtocolError, *, session: str | None = None, id: Id = None) -> Error:
    """What a client is told of a mistake."""
    return Error(error.code, str(error), error.field, session, id=id)
