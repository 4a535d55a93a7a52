"""OSC 1.0: datagrams to messages and back. No sockets, and the time is passed in.

python-osc builds outgoing packets. Its reader (1.10.2) is not used: it loops for ever on an element
of negative size, loses which messages are late, and drops a whole bundle because of one bad
message.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from stream_rnn.errors import ProtocolError

MAX_PACKET = 1 << 16
MAX_DEPTH = 4
MAX_MESSAGES = 256
BUNDLE = b"#bundle\0"
IMMEDIATELY = 1
MAX_FLOAT = (2 - 2**-23) * 2.0**127
NTP_TO_UNIX = 2_208_988_800  # seconds from 1900 to 1970

_INT = struct.Struct(">i")
_TIMETAG = struct.Struct(">Q")
_NUMBERS = {"i": _INT, "f": struct.Struct(">f"), "d": struct.Struct(">d"), "h": struct.Struct(">q")}
# Types without bytes. An impulse ("I", OSC 1.1) only says that the message came: no argument.
_CONSTANTS = {"T": (True,), "F": (False,), "N": (None,), "I": ()}
_REFUSED = {
    "r": "colours (type 'r') are not read; send i, f or s",
    "m": "MIDI messages (type 'm') are not read; send a pitch as i to /rnn/SESSION/feed",
}


@dataclass(frozen=True)
class Timed:
    """A message and the time at which it is to take effect: seconds since 1970; None: at once."""

    time: float | None
    address: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Fault:
    """A message that cannot be read, in its place among the messages of its bundle that can."""

    time: float | None
    address: str
    error: ProtocolError


def _bad(message: str) -> ProtocolError:
    return ProtocolError("bad_packet", message)


def read_packet(data: bytes) -> list[Timed | Fault]:
    """The messages of a packet, in the order in which they are to take effect.

    Raises:
        ProtocolError: `bad_packet`: the packet cannot be divided into messages.
    """
    messages = [_message(time, element) for time, element in _elements(data)]
    # The sort is stable, so messages of the same time keep their order. At once comes first.
    return sorted(messages, key=lambda m: -math.inf if m.time is None else m.time)


def parse_packet(data: bytes) -> list[Timed]:
    """The messages of a packet, all of which must be readable.

    Raises:
        ProtocolError: `bad_packet`: the packet or one of its messages cannot be read.
    """
    messages = list[Timed]()
    for message in read_packet(data):
        if isinstance(message, Fault):
            raise message.error
        messages.append(message)
    return messages


def _elements(data: bytes) -> list[tuple[float | None, bytes]]:
    """The messages of a packet in their order. No size given in the packet is trusted."""
    if not data or len(data) > MAX_PACKET:
        raise _bad(f"a packet has 4 to {MAX_PACKET} bytes, not {len(data)}")
    found: list[tuple[float | None, bytes]] = []
    for element in _walk(data, None, 0):
        found.append(element)
        if len(found) > MAX_MESSAGES:
            raise _bad(f"more than {MAX_MESSAGES} messages in one packet")
    return found


def _walk(data: bytes, time: float | None, depth: int) -> Iterator[tuple[float | None, bytes]]:
    if not data.startswith(BUNDLE):
        yield time, data
        return
    if depth >= MAX_DEPTH:
        raise _bad(f"bundles in bundles more than {MAX_DEPTH} deep")
    at = len(BUNDLE) + _TIMETAG.size
    if len(data) < at:
        raise _bad("a bundle without its timetag")
    (stamp,) = _TIMETAG.unpack_from(data, len(BUNDLE))
    time = None if stamp == IMMEDIATELY else _seconds(stamp)
    while at < len(data):
        if at + _INT.size > len(data):
            raise _bad(f"{len(data) - at} bytes too many at the end of a bundle")
        (size,) = _INT.unpack_from(data, at)
        at += _INT.size
        if not 0 < size <= len(data) - at:
            raise _bad(f"a bundle element of {size} bytes, where {len(data) - at} are left")
        yield from _walk(data[at : at + size], time, depth + 1)
        at += size


def _seconds(stamp: int) -> float:
    return float(stamp / 2**32 - NTP_TO_UNIX)


def _message(time: float | None, data: bytes) -> Timed | Fault:
    address = ""
    try:
        if len(data) % 4:
            raise _bad(f"a message has a multiple of 4 bytes, not {len(data)}")
        address, at = _string(data, 0)
        if not address.startswith("/"):
            raise _bad("neither a bundle nor an address that begins with /")
        return Timed(time, address, _arguments(data, at, address))
    except ProtocolError as error:
        return Fault(time, address, error)


def _arguments(data: bytes, at: int, address: str) -> tuple[Any, ...]:
    if at == len(data):  # programs older than OSC 1.0 send no type tags if there are no arguments
        return ()
    if data[at] != ord(","):
        raise _bad(f"{address} has arguments without type tags, which cannot be told apart; "
                   "send it with tags, such as ,f or ,si")  # fmt: skip
    tags, at = _string(data, at)
    arguments, depth = list[Any](), 0
    for tag in tags[1:]:
        # Arrays are read as if their brackets were not there.
        if tag in "[]":
            depth += 1 if tag == "[" else -1
            if depth < 0:
                break
            continue
        if tag in _CONSTANTS:
            arguments.extend(_CONSTANTS[tag])
            continue
        value, at = _value(tag, data, at, address)
        arguments.append(value)
    if depth:
        raise _bad(f"{address}: the brackets of {tags[:40]!r} do not match")
    if at != len(data):
        raise _bad(f"{address}: {len(data) - at} bytes too many")
    return tuple(arguments)


def _value(tag: str, data: bytes, at: int, address: str) -> tuple[Any, int]:
    """The value at an offset in `data`, and the offset of the next one."""
    try:
        if tag in _NUMBERS:
            number = _NUMBERS[tag]
            return number.unpack_from(data, at)[0], at + number.size
        if tag in "sS":
            return _string(data, at)
        if tag == "c":
            (code,) = _INT.unpack_from(data, at)
            if not 0 <= code < 0x110000 or 0xD800 <= code < 0xE000:
                raise _bad(f"{address}: there is no character {code}")
            return chr(code), at + _INT.size
        if tag == "t":
            return _seconds(_TIMETAG.unpack_from(data, at)[0]), at + _TIMETAG.size
        if tag == "b":
            return _blob(data, at, address)
    except struct.error:
        raise _bad(f"{address}: the arguments are cut short") from None
    reason = _REFUSED.get(tag, f"arguments of type {tag!r} are not read; send i, f or s")
    raise _bad(f"{address}: {reason}")


def _blob(data: bytes, at: int, address: str) -> tuple[bytes, int]:
    (size,) = _INT.unpack_from(data, at)
    at += _INT.size
    stop = at + (size + 3) // 4 * 4
    if size < 0 or stop > len(data):
        raise _bad(f"{address}: a blob of {size} bytes, where {len(data) - at} are left")
    return data[at : at + size], stop


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0:
        raise _bad("a string without a zero at its end")
    stop = end + 4 - (end - at) % 4
    if stop > len(data) or any(data[end:stop]):
        raise _bad("a string that is not padded with zeros")
    try:
        return data[at:end].decode(), stop
    except UnicodeDecodeError:  # from a program without Unicode
        return data[at:end].decode("latin-1"), stop


def message_bytes(address: str, *arguments: Any) -> bytes:
    """One message, with only int, float, str and bytes arguments, which every program accepts.

    An int that does not fit in four bytes is sent as a float; a float that does not, as infinity.
    """
    return _build(address, arguments).dgram  # type: ignore[no-any-return]


def bundle_bytes(time: float, messages: Iterable[tuple[str, tuple[Any, ...]]]) -> bytes:
    """A bundle of messages that are to take effect at a time (seconds since 1970)."""
    builder = OscBundleBuilder(time)  # type: ignore[arg-type]
    for address, arguments in messages:
        builder.add_content(_build(address, arguments))
    return builder.build().dgram


def _build(address: str, arguments: Iterable[Any]) -> Any:
    builder = OscMessageBuilder(address)
    for value in arguments:
        kind = {int: "i", bool: "i", float: "f", str: "s", bytes: "b"}[type(value)]
        if kind == "i" and not -(2**31) <= value < 2**31:
            kind, value = "f", float(value)
        if kind == "f" and abs(value) > MAX_FLOAT:
            value = math.copysign(math.inf, value)
        builder.add_arg(value, kind)
    return builder.build()
