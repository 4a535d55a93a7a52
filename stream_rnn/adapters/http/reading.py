"""What a client sends, read in small pieces, each when its turn has come.

A transport hands over a quarter of a megabyte at once. That may be forty thousand frames, which it
takes a protocol a second to read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stream_rnn.adapters.http.attention import Attention

if TYPE_CHECKING:
    from asyncio import Transport

PIECE = 2048  # bytes


class Gate:
    """A transport that is read from only while both want it: the protocol, and we.

    Attributes:
        on_open: called when the protocol wants to read again.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._theirs = self._ours = True
        self.on_open: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def is_open(self) -> bool:
        """Whether the protocol wants to read."""
        return self._theirs

    def pause_reading(self) -> None:
        """The protocol wants to read no more for now."""
        self._theirs = False
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """The protocol wants to read."""
        was, self._theirs = self._theirs, True
        if self._ours:
            self._transport.resume_reading()
        elif not was:
            self.on_open()

    def hold(self) -> None:
        """We want to read no more for now."""
        if self._ours and not self._transport.is_closing():
            self._ours = False
            self._transport.pause_reading()

    def release(self) -> None:
        """We want to read."""
        was, self._ours = self._ours, True
        if not was and self._theirs and not self._transport.is_closing():
            self._transport.resume_reading()


class Reading:
    """What has come on one connection and was not read yet.

    Args:
        read: reads a piece.
        may_read: whether another may be read now; if not, `go_on` is to be called when it may.
    """

    def __init__(
        self,
        gate: Gate,
        attention: Attention,
        read: Callable[[bytes], None],
        may_read: Callable[[], bool],
    ) -> None:
        self._gate, self._attention = gate, attention
        self._read, self._may_read = read, may_read
        self._kept = b""
        self._at = 0
        self._waits = False  # for its turn
        gate.on_open = self.go_on

    def came(self, data: bytes) -> None:
        """Something has come."""
        self._kept, self._at = self._kept[self._at :] + data, 0
        self.go_on()

    def go_on(self) -> None:
        """Reads on, if it may; else holds up what is to come."""
        if self._waits:
            return
        while self._wants():
            if not self._attention.is_free:
                self._waits = True
                self._attention.wait(self._turn)
                break
            self._piece()
        if self._at < len(self._kept):
            self._gate.hold()
        else:
            self._kept, self._at = b"", 0
            self._gate.release()

    def _wants(self) -> bool:
        """Whether there is something to read, that may be read."""
        if self._gate.is_closing():
            self.take()  # nobody will
        return self._at < len(self._kept) and self._gate.is_open and self._may_read()

    def _turn(self) -> None:
        self._waits = False
        if self._wants():
            self._piece()
        self.go_on()

    def _piece(self) -> None:
        piece = self._kept[self._at : self._at + PIECE]
        self._at += len(piece)
        with self._attention.busy():
            self._read(piece)

    def take(self) -> bytes:
        """What was not read, for somebody else to read."""
        kept, self._kept, self._at = self._kept[self._at :], b"", 0
        return kept
