"""The events that clients receive, in any protocol: answers, news and symbols, each a struct.

JSON (`Event.json`, and `Event.frame` of it), OSC (`wire.osc_answers`) and MIDI are encoded from
these structs. `docs/protocol.md` explains them; a test checks that it names every type and every
field. A field with its default value is left out of the JSON.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import msgspec
from msgspec import Struct

from stream_rnn.errors import ProtocolError
from stream_rnn.sound.symbols import SpeltNote as SpeltNote
from stream_rnn.sound.symbols import TouchPoint as TouchPoint
from stream_rnn.wire.frames import text_frame
from stream_rnn.wire.messages import Id

_encoder = msgspec.json.Encoder()


class _Frame:
    """Builds an event's frame when it is first asked for, and keeps it with the event.

    `functools.cached_property` does the same, but up to Python 3.11 under a lock, which costs more
    than the building.
    """

    def __get__(self, event: Event, kind: type[Event]) -> bytes:
        frame = event.__dict__["frame"] = text_frame(event.json)
        return frame


class Event(
    Struct, frozen=True, omit_defaults=True, kw_only=True, dict=True, tag_field="type",
    tag=lambda name: name.lower(),
):  # fmt: skip
    """The base of all events. Each may carry the `id` of the request that it answers.

    Attributes:
        frame: the JSON text as a WebSocket frame, built once for all clients.
    """

    frame: ClassVar[_Frame] = _Frame()

    id: Id = None

    @property
    def type(self) -> str:
        """The event's name, such as `paused`."""
        return str(self.__struct_config__.tag)

    @property
    def json(self) -> bytes:
        """The JSON text, in UTF-8."""
        return _encoder.encode(self)

    def answering(self, id: Id) -> Self:
        """The same event as the answer to a request with that `id`."""
        return self if id is None else msgspec.structs.replace(self, id=id)


# Events of a connection or of the server


class ModelInfo(Struct, frozen=True):
    """A model as clients see it.

    Attributes:
        controls: the values that a session of this model starts with.
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
        instance: of the server: after another one its clock is another, too.
        controls: by name, the properties of each control, such as its range; see `control_table`.
    """

    version: int
    server: str
    time: float
    controls: dict[str, dict[str, Any]]
    models: list[ModelInfo]
    instance: str


class Pong(Event, frozen=True):
    """Answers `ping`: its `t0`, and when the ping was received (`t1`) and answered (`t2`)."""

    t0: float | int
    t1: float
    t2: float


class Error(Event, frozen=True):
    """A request failed: what was wrong, and where.

    Attributes:
        retry_after: seconds after which it may be tried again, if waiting helps.
    """

    code: str
    message: str
    field: str | None = None
    session: str | None = None
    retry_after: float | None = None


class Learned(Event, frozen=True):
    """A MIDI controller now moves a control: `cc`, or a `number` of another `kind`.

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


# Events of a session


class SessionEvent(Event, frozen=True):
    """An event of a session."""

    session: str


class PositionEvent(SessionEvent, frozen=True):
    """An event of a session, with the position of its next symbol."""

    position: int


class Change(Struct, frozen=True, omit_defaults=True):
    """A change of controls.

    Attributes:
        position: the position of the first symbol that obeys.
        controls: all controls in force there.
        changed: the names of the controls that the request set, sorted.
        pending: whether the position is still to come.
    """

    position: int
    controls: dict[str, Any]
    changed: list[str]
    pending: bool = False


class Cancelled(Struct, frozen=True):
    """A pending change of controls that will not happen."""

    position: int
    changed: list[str]


class Opened(SessionEvent, frozen=True):
    """The state of a session, for a client that begins to view it, and when its model changes.

    Attributes:
        silent: whether it is a fork that does not yet sound at the server's own outputs.
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
        cancelled: pending changes that this one replaces.
    """

    position: int
    controls: dict[str, Any]
    changed: list[str]
    pending: bool = False
    cancelled: list[Cancelled] | None = None


class Led(SessionEvent, frozen=True):
    """A person leads a player's part in an ensemble, or (no gesture) the network does again."""

    position: int
    player: int
    gesture: int | None


class Fed(PositionEvent, frozen=True):
    """Symbols were fed. The position is the one after them."""


class Playing(PositionEvent, frozen=True):
    """The session runs. The reason `engine`: because the engine is back."""

    reason: str | None = None


class Paused(PositionEvent, frozen=True):
    """The session is paused. The reason `engine`: the engine is gone or does not answer."""

    reason: str | None = None


class Reset(PositionEvent, frozen=True):
    """The session begins again, with a new past."""

    epoch: int


class Rewound(PositionEvent, frozen=True):
    """The session goes on from an earlier position, with a new epoch and the controls there."""

    controls: dict[str, Any]
    epoch: int


class Closed(SessionEvent, frozen=True):
    """The session has ended. The reason `internal`: the server failed."""

    reason: str | None = None


class Gap(SessionEvent, frozen=True):
    """The symbols between two positions are missing."""

    after: int
    before: int


class Symbol(SessionEvent, frozen=True):
    """A committed symbol. Its codec fills in some of `text`, `event`, `notes` and `onsets`.

    Attributes:
        n: its position.
        due: seconds on the server's clock.
        sounds: in streams whose symbols spell notes, the note that begins with this one, if any.
        velocity: of the key that it strikes.
        fed: whether it was put into the stream from outside.
        epoch: the number of the past that it belongs to.
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
    """A touch by a finger of an ensemble's player, between the symbols.

    Attributes:
        due: seconds on the server's clock.
        fed: whether a person made the gesture.
    """

    due: float
    touch: TouchPoint
    fed: bool = False


Live = Symbol | Touch
Past = Symbol | Gap


def error_event(error: ProtocolError, *, session: str | None = None, id: Id = None) -> Error:
    """The event that reports an error to a client."""
    return Error(error.code, str(error), error.field, session, error.retry_after, id=id)
