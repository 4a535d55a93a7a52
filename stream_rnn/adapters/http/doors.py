"""The doors of an HTTP server: how many connections there may be, and how long each may be silent.

uvicorn has no time limit for a request that does not come, nor a limit on connections that are
only open. Both are added to its protocols, here and in `websocket_door`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from stream_rnn.adapters.http.attention import Attention
from stream_rnn.adapters.http.guard import MAX_HEAD, excess
from stream_rnn.adapters.http.reading import Gate
from stream_rnn.adapters.http.refusals import RefusalLog
from stream_rnn.adapters.http.room import Doors
from stream_rnn.adapters.http.websocket_door import LINGER, REQUEST, WebSocketDoor

log = logging.getLogger("stream_rnn.web")

ANSWER = 60.0  # seconds that an answer may take to be read
LINGERING = 32  # of those at a time
REQUEST_TIME = 0.0004  # seconds that a request takes us, besides what its answer does
TLS = b"\x16\x03"  # how a client begins that takes this for https


class DoorConfig(uvicorn.Config):
    """uvicorn's configuration of a server with doors.

    Args:
        attention: the turns of the clients.
        refusals: which refusals are logged.
        options: as uvicorn's.
    """

    def __init__(
        self, app: Any, doors: Doors, attention: Attention, refusals: RefusalLog, **options: Any
    ) -> None:
        self.doors, self.attention, self.refusals = doors, attention, refusals
        super().__init__(
            app,
            http=HttpDoor,
            ws=WebSocketDoor,
            ws_per_message_deflate=False,
            h11_max_incomplete_event_size=MAX_HEAD + 8000,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            **options,
        )


def plain_answer(status: str, reason: str) -> bytes:
    """An HTTP answer that ends its connection."""
    body = f"{reason}\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


class HttpDoor(H11Protocol):
    """uvicorn's HTTP protocol, with the limits."""

    def __init__(self, config: Any, *args: Any, **options: Any) -> None:
        super().__init__(config, *args, **options)
        door = cast(DoorConfig, config)
        self._doors, self._refusals = door.doors, door.refusals
        self._account = door.attention.account()
        self._gate: Gate | None = None
        self._inside: str | None = None  # the address as which it was counted
        self._refused: str | None = None
        self._lingers = False
        self._receiving = True
        self._begun = b""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._gate = Gate(transport, self.loop, self._account)
        self._gate.read = self._read
        with self._account.busy():
            super().connection_made(self._gate)  # type: ignore[arg-type]
        self._refused = self._doors.enter(self._address)
        if self._refused is None:
            self._inside = self._address
            self._arm(REQUEST, self._too_slow)
            return
        self._tell("a connection (503)", self._refused)
        if self._doors.lingering >= LINGERING:
            self._turn_away()
        else:
            # An answer before the question may be lost: closing with unread bytes resets.
            self._lingers = True
            self._doors.lingering += 1
            self._arm(LINGER, self._turn_away)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._inside is not None:
            self._doors.leave(self._inside)
            self._inside = None
        if self._lingers:
            self._lingers = False
            self._doors.lingering -= 1
        super().connection_lost(exc)
        # Undo what would keep it: circles of references, and a timer.
        self._unset_keepalive_if_required()
        if self._gate is not None:
            self._gate.forget()

    def data_received(self, data: bytes) -> None:
        if self._refused is not None:
            self._turn_away()
        elif self._gate is not None:
            self._begun = self._begun or data[:2]
            self._gate.came(data)

    def _read(self, piece: bytes) -> None:
        super().data_received(piece)
        self._watch()

    def on_response_complete(self) -> None:
        self._account.charge(REQUEST_TIME)
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Sets the time limit for what is waited for now."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # it ends, or is a WebSocket now
        receiving = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if receiving != self._receiving:
            self._receiving = receiving
            self._arm(REQUEST if receiving else ANSWER, self._too_slow)

    def _too_slow(self) -> None:
        begun = self.conn.trailing_data[0] or self.conn.their_state is not h11.IDLE
        if self._receiving and begun and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            reason = f"the request did not come within {REQUEST:.0f} s"
            self._tell("half a request (408)", reason)
            self._end(plain_answer("408 Request Timeout", reason))
        else:
            self._end(b"")

    def _turn_away(self) -> None:
        if not self.transport.is_closing():
            self._end(plain_answer("503 Service Unavailable", self._refused or ""))

    def _end(self, answer: bytes) -> None:
        """Says a last word, and does not wait long for it to be read."""
        if answer:
            self.transport.write(answer)
        self.transport.close()
        self._arm(LINGER, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when h11 does not understand what came."""
        if self._begun == TLS:
            reason = "this port speaks http, and the client began https: use http://, or a proxy"
        else:
            reason = f"this is no HTTP/1.1 request, or its headers are longer than {MAX_HEAD} bytes"
        self._tell("a request (400)", reason)
        unanswered = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        self._end(plain_answer("400 Bad Request", reason) if unanswered else b"")

    def _unsupported_upgrade_warning(self) -> None:
        pass  # it is answered as if it had not been asked for, as HTTP has it

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        refusal = excess(event.target, self.headers) or _unfit(event, self.headers)
        if refusal is not None:
            status, reason = refusal
            self._tell(f"a WebSocket ({status})", reason)
            self._end(plain_answer(f"{status} Refused", reason))
            return
        self._disarm()
        super().handle_websocket_upgrade(event)
        protocol = self.transport.get_protocol()
        assert isinstance(protocol, WebSocketDoor) and self._gate is not None
        protocol.inside, self._inside = self._inside, None
        self._gate.put_back(self.conn.trailing_data[0])

    def _tell(self, what: str, reason: str) -> None:
        if line := self._refusals.line(self.loop.time(), self._address, what, reason):
            log.warning("%s", line)

    def _arm(self, seconds: float, action: Any) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, action)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _unfit(event: h11.Request, headers: list[tuple[bytes, bytes]]) -> tuple[int, str] | None:
    """What the WebSocket library would stumble over."""
    names = {name for name, _ in headers}
    if event.method != b"GET" or names & {b"content-length", b"transfer-encoding"}:
        return 400, "a WebSocket's handshake is a GET request without a body"
    for name, value in headers:
        read = name.startswith(b"sec-websocket-") or name in (b"connection", b"upgrade", b"host")
        if read and not value.isascii():
            return 400, f"the header {name.decode('ascii')} has bytes that are not ASCII"
    return None
