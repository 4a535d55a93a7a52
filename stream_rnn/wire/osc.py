"""OSC 1.0: datagrams to requests, events to datagrams. No sockets, and the time is passed in.

python-osc builds everything and parses the messages; bundles are walked here, since python-osc
(1.10.2) loops for ever on an element of negative size, and forgets which messages are late.
`check_packet` stands before both.
`docs/osc.md` is the map of addresses for people.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from stream_rnn.errors import ProtocolError
from stream_rnn.wire import messages as wire
from stream_rnn.wire.notes import Note

MAX_PACKET = 1 << 16
MAX_DEPTH = 4
MAX_MESSAGES = 256
MAX_STARS = 4
MAX_PATTERN = 256
BUNDLE = b"#bundle\0"
IMMEDIATELY = 1
NTP_TO_UNIX = 2_208_988_800  # seconds from 1900 to 1970
_INT = struct.Struct(">i")
_TIMETAG = struct.Struct(">Q")

# name: (least, most) of the /norm form: what a hand on a fader wants, not all that is legal.
NORMS = {
    "temperature": (0.0, 2.0),
    "rate": (1.0, 60.0),
    "bpm": (40.0, 240.0),
    "top_p": (0.0, 1.0),
    "density": (-6.0, 6.0),
}
NUMBERS = (*NORMS, "top_k", "velocity", "transpose", "channel", "seed")


@dataclass(frozen=True)
class Timed:
    """A message and when it is to be done: seconds since 1970, or none for at once."""

    time: float | None
    address: str
    arguments: tuple[Any, ...]


def _bad(message: str) -> ProtocolError:
    return ProtocolError("bad_packet", message)


# Packets


def check_packet(data: bytes, depth: int = 0) -> int:
    """Checks the form of a packet, without believing any size in it.

    Returns:
        How many messages it holds.

    Raises:
        ProtocolError: `bad_packet`; it says what is wrong.
    """
    if not data or len(data) % 4 or len(data) > MAX_PACKET:
        raise _bad(f"a packet has a multiple of 4 bytes, up to {MAX_PACKET}, not {len(data)}")
    if not data.startswith(BUNDLE):
        _check_message(data)
        return 1
    if depth >= MAX_DEPTH:
        raise _bad(f"bundles in bundles more than {MAX_DEPTH} deep")
    if len(data) < 16:
        raise _bad("a bundle without its timetag")
    at, count = 16, 0
    while at < len(data):
        (size,) = _INT.unpack_from(data, at)
        at += 4
        if not 0 < size <= len(data) - at:
            raise _bad(f"a bundle element of {size} bytes, where {len(data) - at} are left")
        count += check_packet(data[at : at + size], depth + 1)
        at += size
        if count > MAX_MESSAGES:
            raise _bad(f"more than {MAX_MESSAGES} messages in one packet")
    return count


def _check_message(data: bytes) -> None:
    address, at = _string(data, 0)
    if not address.startswith("/"):
        raise _bad("neither a bundle nor an address that begins with /")
    if at == len(data):
        raise _bad(f"{address} has no type tags; send at least ','")
    tags, at = _string(data, at)
    if not tags.startswith(","):
        raise _bad(f"{address} has no type tags; send at least ','")
    for tag in tags[1:]:
        if tag in "if":
            at += 4
        elif tag in "dht":
            at += 8
        elif tag == "s":
            _, at = _string(data, at)
        elif tag == "b":
            if at + 4 > len(data):
                raise _bad(f"{address}: the blob is cut short")
            (size,) = _INT.unpack_from(data, at)
            if size < 0:
                raise _bad(f"{address}: a blob of {size} bytes")
            at += 4 + (size + 3) // 4 * 4
        elif tag not in "TF":
            raise _bad(f"{address}: arguments of type {tag!r} are not read; send i, f or s")
        if at > len(data):
            raise _bad(f"{address}: the arguments are cut short")
    if at != len(data):
        raise _bad(f"{address}: {len(data) - at} bytes too many")


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0:
        raise _bad("a string without its end")
    stop = end + 4 - (end - at) % 4
    if stop > len(data) or any(data[end:stop]):
        raise _bad("a string that is not padded with zeros")
    try:
        return data[at:end].decode(), stop
    except UnicodeDecodeError:
        raise _bad("a string that is not UTF-8") from None


def parse_packet(data: bytes) -> list[Timed]:
    """The messages of a packet, in the order they are to be done.

    Raises:
        ProtocolError: `bad_packet`.
    """
    check_packet(data)
    # Stable, so that messages of one time keep their order; at once comes first.
    return sorted(_messages(data, None), key=lambda m: -math.inf if m.time is None else m.time)


def _messages(data: bytes, time: float | None) -> Iterator[Timed]:
    """The messages of a checked packet. python-osc's own walk loses which ones are late."""
    if not data.startswith(BUNDLE):
        try:
            message = OscMessage(data)
        except Exception as error:  # whatever the library did not foresee is the sender's fault
            raise _bad(f"not OSC: {error}") from None
        yield Timed(time, message.address, tuple(message.params))
        return
    (stamp,) = _TIMETAG.unpack_from(data, len(BUNDLE))
    time = None if stamp == IMMEDIATELY else stamp / 2**32 - NTP_TO_UNIX
    at = len(BUNDLE) + _TIMETAG.size
    while at < len(data):
        (size,) = _INT.unpack_from(data, at)
        at += _INT.size + size
        yield from _messages(data[at - size : at], time)


def message_bytes(address: str, *arguments: Any) -> bytes:
    """One message: int, float, str and bytes arguments only, which every program takes."""
    return _build(address, arguments).dgram  # type: ignore[no-any-return]


def bundle_bytes(time: float, messages: Iterable[tuple[str, tuple[Any, ...]]]) -> bytes:
    """A bundle of messages, to be done at a time (seconds since 1970)."""
    builder = OscBundleBuilder(time)  # type: ignore[arg-type]
    for address, arguments in messages:
        builder.add_content(_build(address, arguments))
    return builder.build().dgram


def _build(address: str, arguments: Iterable[Any]) -> Any:
    builder = OscMessageBuilder(address)
    for value in arguments:
        kind = {int: "i", float: "f", str: "s", bytes: "b"}[type(value)]
        if kind == "i" and not -(2**31) <= value < 2**31:
            kind, value = "f", float(value)
        builder.add_arg(value, kind)
    return builder.build()


# Requests


@dataclass(frozen=True)
class Subscribe:
    """Symbols of a session, to the sender, or to another port of its machine."""

    session: str
    port: int | None = None


@dataclass(frozen=True)
class Unsubscribe:
    """No more of them."""

    session: str
    port: int | None = None


@dataclass(frozen=True)
class Panic:
    """Silence: every session that plays is paused."""


@dataclass(frozen=True)
class ListModels:
    """Which models are there?"""


Request = wire.Message | Subscribe | Unsubscribe | Panic | ListModels


def requests(address: str, arguments: tuple[Any, ...], sessions: Iterable[str]) -> list[Request]:
    """What an address asks for; several where SESSION is a pattern.

    The `id` of each is the address, so that answers and errors can name it.

    Args:
        sessions: the names that a pattern may match.

    Raises:
        ProtocolError: no such address, or arguments that do not fit it.
    """
    parts = address.split("/")[1:]
    if len(parts) < 2 or parts[0] != "rnn":
        raise ProtocolError("unknown_address", "addresses are /rnn/SESSION/ACTION; see docs/osc.md")
    if len(parts) == 2:
        return [_general(parts[1], arguments)]
    name, action = parts[1], "/".join(parts[2:])
    return [
        r for s in matching(name, sessions) for r in _for_session(s, action, arguments, address)
    ]


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that an OSC address pattern matches; a plain name is itself.

    Raises:
        ProtocolError: a pattern that is malformed, or matches nothing.
    """
    if not set(pattern) & set("*?[{"):
        return [pattern]
    if pattern.count("*") > MAX_STARS or len(pattern) > MAX_PATTERN:
        # Each star multiplies the ways to match; a few are all that anyone needs.
        raise ProtocolError("bad_pattern", f"at most {MAX_STARS} stars in a pattern")
    regex = ""
    for piece in re.findall(r"\*|\?|\[[^\]]*\]|\{[^}]*\}|.", pattern):
        if piece == "*":
            regex += ".*"
        elif piece == "?":
            regex += "."
        elif piece[0] == "[" and len(piece) > 2:
            negated, body = ("^", piece[2:-1]) if piece[1] == "!" else ("", piece[1:-1])
            ranges = re.findall(r"(.)-(.)|(.)", body)
            regex += f"[{negated}{''.join(_range(*found) for found in ranges)}]"
        elif piece[0] == "{" and len(piece) > 1:
            regex += "(?:" + "|".join(re.escape(p) for p in piece[1:-1].split(",")) + ")"
        else:
            regex += re.escape(piece)
    try:
        found = [name for name in names if re.fullmatch(regex, name)]
    except re.error:
        raise ProtocolError("bad_pattern", f"{pattern!r} is not an address pattern") from None
    if not found:
        raise ProtocolError("unknown_session", f"no session matches {pattern!r}")
    return found


def _range(first: str, last: str, single: str) -> str:
    return re.escape(single) if single else f"{re.escape(first)}-{re.escape(last)}"


def _general(action: str, arguments: tuple[Any, ...]) -> Request:
    match action, arguments:
        case "subscribe", (str(session),):
            return Subscribe(session)
        case "subscribe", (str(session), int(port)) if 0 < port < 65536:
            return Subscribe(session, port)
        case "unsubscribe", (str(session),):
            return Unsubscribe(session)
        case "unsubscribe", (str(session), int(port)):
            return Unsubscribe(session, port)
        case "panic", _:
            return Panic()
        case "models", ():
            return ListModels()
    if action in ("subscribe", "unsubscribe", "models"):
        raise ProtocolError("bad_value", f"/rnn/{action} takes SESSION [port], models nothing")
    raise ProtocolError("unknown_address", f"there is no /rnn/{action}; see docs/osc.md")


def _for_session(
    session: str, action: str, arguments: tuple[Any, ...], address: str
) -> list[Request]:
    base: dict[str, Any] = {"session": session, "id": address}
    name, _, form = action.partition("/")
    if name in NUMBERS or name in ("artist", "pitches"):
        controls, at = _controls(name, form, arguments)
        return [_checked("control", controls=controls, at=at, **base)]
    if form:
        raise ProtocolError(
            "unknown_address", f"there is no /rnn/SESSION/{action}; see docs/osc.md"
        )
    plain: dict[str, Callable[[], list[Request]]] = {
        "open": lambda: [_checked("open", model=_one(str, action, arguments), **base)],
        "prime": lambda: [
            _checked("reset", **base),
            _checked("feed", symbols=_symbols(arguments), **base),
        ],
        "feed": lambda: [_checked("feed", symbols=_symbols(arguments), **base)],
        "step": lambda: [_checked("step", count=_one(int, action, arguments or (1,)), **base)],
        "rewind": lambda: [_checked("rewind", to=_one(int, action, arguments), **base)],
        "fork": lambda: [_checked("fork", **{"as": _one(str, action, arguments)}, **base)],
        **{
            kind: lambda kind=kind: [_checked(kind, **base)]  # type: ignore[misc]
            for kind in ("play", "pause", "reset", "close")
        },
    }
    if name not in plain:
        raise ProtocolError(
            "unknown_address", f"there is no /rnn/SESSION/{action}; see docs/osc.md"
        )
    return plain[name]()


def _controls(name: str, form: str, arguments: tuple[Any, ...]) -> tuple[dict[str, Any], str]:
    at = "now"
    if len(arguments) > 1 and arguments[-1] in ("beat", "bar"):
        arguments, at = arguments[:-1], arguments[-1]
    if form == "norm" and name in NORMS:
        value = _one(float, f"{name}/norm", arguments)
        if not 0.0 <= value <= 1.0:
            raise ProtocolError(
                "bad_value", f"/rnn/SESSION/{name}/norm takes one float from 0 to 1"
            )
        least, most = NORMS[name]
        return {name: least + value * (most - least)}, at
    if form:
        raise ProtocolError(
            "unknown_address", f"there is no /rnn/SESSION/{name}/{form}; see docs/osc.md"
        )
    if name == "artist":
        return {name: _blend(arguments)}, at
    if name == "pitches":
        scale = len(arguments) == 1 and isinstance(arguments[0], str)
        return {name: arguments[0] if scale else list(arguments) or None}, at
    return {name: _one(float, name, arguments)}, at


def _blend(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if len(arguments) == 1:
        arguments = (*arguments, 1.0)
    names, weights = arguments[::2], arguments[1::2]
    if len(names) != len(weights) or not names or not all(isinstance(n, str) for n in names):
        raise ProtocolError("bad_value", "/rnn/SESSION/artist takes a name, or: name weight ...")
    return dict(zip(names, weights, strict=True))


def _symbols(arguments: tuple[Any, ...]) -> Any:
    if arguments and all(isinstance(a, str) for a in arguments):
        return "".join(arguments)
    return [list(arguments)]


def _one(kind: type, action: str, arguments: tuple[Any, ...]) -> Any:
    """The only argument; a number of either sort where one is wanted, if it loses nothing."""
    if len(arguments) == 1:
        value = arguments[0]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind is float and number:
            return value
        if kind is int and number and value == int(value):
            return int(value)
        if kind is str and isinstance(value, str):
            return value
    wanted = {int: "whole number", float: "number", str: "string"}[kind]
    raise ProtocolError("bad_value", f"/rnn/SESSION/{action} takes one {wanted}")


def _checked(kind: str, **fields: Any) -> wire.Message:
    """A request, by the same table as WebSocket's."""
    return wire.from_fields({"type": kind, **fields})


# Events


def answers(event: wire.Event) -> list[tuple[str, tuple[Any, ...]]]:
    """An event that is no symbol, as addresses and arguments."""
    fields, kind = event.fields, event.kind
    if kind == "error":
        return [("/rnn/error", (fields["code"], fields["message"], str(event.id or "")))]
    if "session" not in fields:
        return []
    base = f"/rnn/{fields['session']}/{kind}"
    if kind == "controlled":
        position = fields["position"]
        return [
            (base, (name, _flat(fields["controls"].get(name)), position))
            for name in fields["changed"]
        ]
    if kind == "opened":
        return [(base, (fields["model"], fields["position"]))]
    return [(base, (fields["position"],) if "position" in fields else ())]


def _flat(value: Any) -> int | float | str:
    """A control's value as one OSC argument."""
    if isinstance(value, dict):
        return " ".join(f"{name}={weight:g}" for name, weight in value.items())
    if isinstance(value, list | tuple):
        return " ".join(str(v) for v in value)
    return value if isinstance(value, int | float | str) else ""


def note_messages(
    session: str, notes: Iterable[Note], seconds: float
) -> list[tuple[str, tuple[Any, ...]]]:
    """`/note` messages: a key that begins, and (velocity 0, no seconds) one that ends."""
    address = f"/rnn/{session}/note"
    return [(address, (n.pitch, n.velocity, seconds if n.velocity else 0.0)) for n in notes]
