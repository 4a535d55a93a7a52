"""The door of a WebSocket: what uvicorn's protocol lacks once a connection is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from stream_rnn.adapters.http.line import LINE
from stream_rnn.adapters.http.reading import Gate

REQUEST = 10.0  # seconds that a whole request, or a WebSocket's handshake, may take to come
LINGER = 2.0  # seconds that a client which is turned away has to say what it wanted, or to go
UNREAD = 1 << 20  # bytes that wait for a client to read them, beyond which it is not read
FRAGMENTS = 1024  # in which one message may come: each takes memory, even an empty one


class WebSocketDoor(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which also ends when its client does not take the end.

    It is a `Line`, too: what is sent by way of it passes by the library, which would make each
    frame anew for each client, and by a task that waits for each of them.
    """

    def __init__(self, config: Any, *args: Any, **options: Any) -> None:
        super().__init__(config, *args, **options)
        self._doors = config.doors  # of `DoorConfig`
        self._gate: Gate | None = None
        self.inside: str | None = None  # the address as which it was counted
        self._timer: asyncio.TimerHandle | None = None
        self.free = False
        self.on_change: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Gate)
        super().connection_made(transport)
        self.write = transport.write
        # What waits in a transport is sent even if it is stale; an outbox tells the client of it.
        transport.set_write_buffer_limits(high=0)
        self._gate = transport
        self._gate.read, self._gate.may_read = super().data_received, self._may_read
        self._timer = self.loop.call_later(REQUEST, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.inside is not None:
            self._doors.leave(self.inside)
            self.inside = None
        self._set_free(False)
        super().connection_lost(exc)
        # Undo all circles, so that nothing of it is left to the garbage collector.
        self._timer = None
        self.on_change = lambda: None
        self.conn.parser.close()
        self.conn.parser_exc = None
        if self._gate is not None:
            self._gate.forget()

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated:  # the request, which the HTTP side has read before
            super().data_received(data)
        elif self._gate is not None:
            self._gate.came(data)

    def _may_read(self) -> bool:
        # A frame that came with the handshake waits: its answer may not come before the
        # handshake's. And pings are answered even if the client reads no answers.
        return self.handshake_complete and self.transport.get_write_buffer_size() < UNREAD

    def _go_on(self) -> None:
        if self._gate is not None:
            self._gate.go_on()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_free(False)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._set_free(self._is_open())
        self._go_on()

    def _set_free(self, free: bool) -> None:
        if free != self.free:
            self.free = free
            self.on_change()

    def _is_open(self) -> bool:
        """Whether messages can be sent: after the handshake, and before either end closes."""
        ended = self.close_sent or self.disconnected or self.transport.is_closing()
        return self.handshake_complete and self.initial_response is None and not ended

    async def ready(self) -> None:
        await self.writable.wait()
        if not self._is_open():
            raise ConnectionResetError

    def _give_up(self) -> None:
        if not self.handshake_complete:
            self.transport.abort()

    def _abort_after(self, seconds: float) -> None:
        """`close` waits until everything was read, which may be never."""
        if not self.disconnected:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_later(seconds, self.transport.abort)

    def keepalive_timeout(self) -> None:
        self._set_free(False)
        super().keepalive_timeout()
        self._abort_after(LINGER)

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self._set_free(False)
        await super().send(message)
        if message["type"] == "websocket.accept":
            self._set_free(self._is_open() and self.writable.is_set())
            self._go_on()
        elif message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # or uvicorn logs each refusal as a bug

    def shutdown(self) -> None:
        self._set_free(False)
        super().shutdown()

    def handle_close(self, event: Frame) -> None:
        self._set_free(False)
        super().handle_close(event)

    def handle_parser_exception(self) -> None:
        self._set_free(False)
        super().handle_parser_exception()

    async def run_asgi(self) -> None:
        extensions = cast(Any, self.scope["extensions"])
        extensions[LINE] = self
        await super().run_asgi()
        del extensions[LINE]
        self._abort_after(self.close_timeout + LINGER)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= FRAGMENTS:
            self._refuse(1009, f"a message may come in {FRAGMENTS} fragments")
        else:
            super().handle_cont(event)

    def _refuse(self, code: int, reason: str) -> None:
        """Ends the connection with a reason, and without a traceback in the log."""
        self.frames = []
        if not self.close_sent:
            self.conn.send_close(code, reason)
            self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            self.frames = [b"".join(self.frames)]
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:  # uvicorn would write a traceback for it
                self._refuse(1007, "text frames are UTF-8")
                return
        super().send_receive_event_to_app()
