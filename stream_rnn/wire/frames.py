"""WebSocket frames as a server sends them: whole, not masked and not compressed (RFC 6455, 5.2).

So one frame fits every connection, and is built once for all who get it.
"""

from __future__ import annotations

TEXT = 0x81  # the first byte: the last frame of its message, and the only one


def text_frame(payload: bytes) -> bytes:
    """The frame of a text message in UTF-8."""
    length = len(payload)
    if length < 126:
        return bytes((TEXT, length)) + payload
    if length < 1 << 16:
        return bytes((TEXT, 126)) + length.to_bytes(2, "big") + payload
    return bytes((TEXT, 127)) + length.to_bytes(8, "big") + payload
