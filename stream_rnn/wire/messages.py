"""The WebSocket protocol, version 1: text to requests. No sockets. Answers are in `wire.events`.

`docs/protocol.md` explains it to authors of clients. The structs here are the table that the
decoder and the documentation share.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct, field

from stream_rnn.control_table import MAX_SEED
from stream_rnn.errors import ProtocolError

VERSION = 1
SUBPROTOCOL = "stream-rnn.v1"
MAX_MESSAGE = 1 << 16  # bytes
MAX_STEPS = 4096
MAX_POSITION = 2**53 - 1

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
Position = Annotated[int, Meta(ge=0, le=MAX_POSITION)]
Id = str | int | None


class Request(
    Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True,
    tag=lambda name: name.lower(),
):  # fmt: skip
    """The base of all messages from clients. The answers carry the same `id`."""

    id: Id = None


class Open(Request, frozen=True):
    """Opens a session; `opened` answers."""

    model: str
    session: Name | None = None
    controls: dict[str, Any] = {}
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)] | None = None
    prime: str | list[Any] = ""
    play: bool = True


class SessionRequest(Request, frozen=True):
    """A request to a session that is open."""

    session: Name


class Attach(SessionRequest, frozen=True):
    """Views a session, from the symbol after `after` of the past `epoch`, or live."""

    after: Annotated[int, Meta(ge=-1, le=MAX_POSITION)] | None = None
    epoch: Position | None = None


class Control(SessionRequest, frozen=True):
    """Changes controls; `controlled` answers with the position of the first symbol that obeys.

    With `model` another model plays in the session, from position 0; then `opened` answers.
    """

    controls: dict[str, Any]
    at: Literal["now", "beat", "bar"] = "now"
    model: str | None = None


class Feed(SessionRequest, frozen=True):
    """Puts symbols into the stream; with `in_time` they replace as many that are to come."""

    symbols: str | list[Any]
    in_time: bool = False


class Lead(SessionRequest, frozen=True):
    """Takes a player's part in an ensemble and holds a gesture; null gives the part back."""

    gesture: Annotated[int, Meta(ge=0, le=255)] | None
    player: Annotated[int, Meta(ge=0, le=255)] = 0


class Touch(SessionRequest, frozen=True):
    """A finger's touch on a surface, which plays a player's part in an ensemble."""

    x: Annotated[float, Meta(ge=0, le=1)]
    y: Annotated[float, Meta(ge=0, le=1)]
    down: Annotated[int, Meta(ge=0, le=1)] = 1
    player: Annotated[int, Meta(ge=0, le=255)] = 0


class Step(SessionRequest, frozen=True):
    """Asks a paused session for `count` symbols at once."""

    count: Annotated[int, Meta(ge=1, le=MAX_STEPS)] = 1


class Play(SessionRequest, frozen=True):
    """Lets a session run."""


class Pause(SessionRequest, frozen=True):
    """Pauses a session."""


class Reset(SessionRequest, frozen=True):
    """Begins again at position 0."""


class Close(SessionRequest, frozen=True):
    """Ends a session."""


class Rewind(SessionRequest, frozen=True):
    """Goes back to a position."""

    to: Position


class Fork(SessionRequest, frozen=True):
    """Makes another session with the same past."""

    as_: Name = field(name="as")
    at: Position | None = None


class Ping(Request, frozen=True):
    """Asks for the server's clock."""

    t0: float | int


Message = (
    Open
    | Attach
    | Control
    | Feed
    | Lead
    | Touch
    | Step
    | Play
    | Pause
    | Reset
    | Close
    | Rewind
    | Fork
    | Ping
)

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_AT = re.compile(r" - at `\$\.?(.*)`$")
_UNKNOWN_FIELD = re.compile(r"unknown field `(.*?)`")


def decode(text: str | bytes) -> Message:
    """Decodes the message in a frame.

    Raises:
        ProtocolError: `bad_json`, `unknown_type`, `unknown_field` or `bad_message`; the
            error's text says what was wrong, and its `field` says where.
    """
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ProtocolError("bad_json", f"not JSON: {error}") from None


def from_fields(fields: dict[str, Any]) -> Message:
    """The message with these fields, for protocols that are not JSON; see `decode`."""
    try:
        message: Message = msgspec.convert(fields, Message)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from None
    return message


def _explain(reason: str) -> ProtocolError:
    where = _AT.search(reason)
    path = where.group(1) if where else ""
    reason = _AT.sub("", reason)
    if path == "type" or "missing required field `type`" in reason:
        known = ", ".join(sorted(_types()))
        return ProtocolError("unknown_type", f"{reason}; types are {known}", field="type")
    unknown = _UNKNOWN_FIELD.search(reason)
    if unknown:
        name = unknown.group(1)
        path = f"{path}.{name}" if path else name
        return ProtocolError("unknown_field", f"there is no field {name!r} here", field=path)
    if "matching regex" in reason:
        reason = "a session's name is 1 to 64 letters, digits, dots, hyphens or underscores"
    missing = re.search(r"missing required field `(.*?)`", reason)
    if missing:
        path = missing.group(1)
    return ProtocolError("bad_message", reason, field=path or None)


def _types() -> list[str]:
    return [str(kind.__struct_config__.tag) for kind in get_args(Message)]


def request_id(text: str | bytes) -> Id:
    """The `id` of a message that could not be decoded, if it can be found."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None
