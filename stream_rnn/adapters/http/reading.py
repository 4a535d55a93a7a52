"""A client's bytes reach their protocol in small pieces, each when its turn has come.

A transport hands over a quarter of a megabyte at once. That may be forty thousand WebSocket
frames, which take a second to read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stream_rnn.adapters.http.attention import Account

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Transport

PIECE = 512  # bytes: of the smallest frames, about a millisecond


class Gate:
    """Stands between a transport and its protocol, which takes the gate for its transport.

    The transport reads only while the protocol wants to read and no piece is left. So nothing
    but the end of a connection's last piece can reveal its end: no piece is lost by it.

    Args:
        account: of the client.

    Attributes:
        read: what reads a piece.
        may_read: whether it may read one now; when that changes, `go_on` is to be called.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop, account: Account) -> None:
        self._transport, self._loop, self.account = transport, loop, account
        self.write = transport.write  # once a symbol
        self.read: Callable[[bytes], None] = lambda piece: None
        self.may_read: Callable[[], bool] = lambda: True
        self._pieces: deque[bytes] = deque()
        self._wanted = self._flows = True  # by the protocol; from the transport
        self._waits = False  # for a turn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    # The protocol calls these two, more often than it has to.

    def pause_reading(self) -> None:
        """The protocol wants to read no more for now."""
        self._wanted = False
        self._set_flow()

    def resume_reading(self) -> None:
        """The protocol wants to read."""
        self._wanted = True
        if self._pieces:
            # Not at once: h11's side resumes first and then looks whether it has to pause again.
            self._loop.call_soon(self.go_on)
        else:
            self._set_flow()

    # The doors call these.

    def came(self, data: bytes) -> None:
        """The transport has received something."""
        self._pieces.extend(data[at : at + PIECE] for at in range(0, len(data), PIECE))
        self.go_on()

    def put_back(self, data: bytes) -> None:
        """Whoever reads next begins with what this reader has taken and not used."""
        if data:
            self._pieces.appendleft(data)

    def forget(self) -> None:
        """Lets go of the protocol, at the end of the connection."""
        self._pieces.clear()
        self.read, self.may_read = lambda piece: None, lambda: False

    def go_on(self) -> None:
        """Hands over pieces while it is their turn."""
        while self._is_ready() and not self._waits:
            if self.account.is_free:
                self._hand_over()
            else:
                self._waits = True
                self.account.wait(self._turn)
        self._set_flow()

    def _turn(self) -> None:
        self._waits = False
        if self._is_ready():
            self._hand_over()
        self.go_on()

    def _is_ready(self) -> bool:
        if self._transport.is_closing():
            self._pieces.clear()  # nobody will answer
        return bool(self._pieces) and self._wanted and self.may_read()

    def _hand_over(self) -> None:
        try:
            with self.account.busy():
                self.read(self._pieces.popleft())
        except Exception:
            self._transport.abort()  # as a transport does when its protocol fails
            raise

    def _set_flow(self) -> None:
        """Stops or starts the transport; some refuse that once they are closing."""
        flows = self._wanted and not self._pieces
        if flows != self._flows and not self._transport.is_closing():
            self._flows = flows
            if flows:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
