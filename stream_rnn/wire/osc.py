"""OSC 1.0: messages to datagrams and back. No sockets, and the time is passed in.

python-osc builds outgoing packets; `osc_reading` reads incoming ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from stream_rnn.wire.osc_reading import (
    BUNDLE,
    MAX_MESSAGES,
    MAX_PACKET,
    NTP_TO_UNIX,
    Fault,
    Timed,
    parse_packet,
    read_packet,
)

__all__ = [
    "BUNDLE",
    "MAX_MESSAGES",
    "MAX_PACKET",
    "NTP_TO_UNIX",
    "Fault",
    "Timed",
    "bundle_bytes",
    "message_bytes",
    "parse_packet",
    "read_packet",
]

MAX_FLOAT = (2 - 2**-23) * 2.0**127


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
