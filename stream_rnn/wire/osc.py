"""OSC 1.0: datagrams to messages and back. No sockets, and the time is passed in.

python-osc builds everything and parses the messages; bundles are walked here, since python-osc
(1.10.2) loops for ever on an element of negative size, and forgets which messages are late.
`check_packet` stands before both.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from stream_rnn.errors import ProtocolError

MAX_PACKET = 1 << 16
MAX_DEPTH = 4
MAX_MESSAGES = 256
BUNDLE = b"#bundle\0"
IMMEDIATELY = 1
NTP_TO_UNIX = 2_208_988_800  # seconds from 1900 to 1970
MAX_FLOAT = (2 - 2**-23) * 2.0**127
_INT = struct.Struct(">i")
_TIMETAG = struct.Struct(">Q")


@dataclass(frozen=True)
class Timed:
    """A message and when it is to be done: seconds since 1970, or none for at once."""

    time: float | None
    address: str
    arguments: tuple[Any, ...]


def _bad(message: str) -> ProtocolError:
    return ProtocolError("bad_packet", message)


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
        elif tag not in "TFN":
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
    """One message: int, float, str and bytes arguments only, which every program takes.

    An int that four bytes do not hold goes as a float, and a float that they do not as infinity.
    """
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
        kind = {int: "i", bool: "i", float: "f", str: "s", bytes: "b"}[type(value)]
        if kind == "i" and not -(2**31) <= value < 2**31:
            kind, value = "f", float(value)
        if kind == "f" and abs(value) > MAX_FLOAT:
            value = math.copysign(math.inf, value)
        builder.add_arg(value, kind)
    return builder.build()
