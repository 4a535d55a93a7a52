"""The OSCQuery server: HTTP and WebSocket, on a port of its own.

OSC browsers fetch the tree from it, and get the values that they listen to when those change.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from stream_rnn.adapters.http.attention import Account, Attention
from stream_rnn.adapters.http.doors import DoorConfig
from stream_rnn.adapters.http.guard import Guard, Refusal
from stream_rnn.adapters.http.host import HttpServer, bind
from stream_rnn.adapters.http.refusals import RefusalLog
from stream_rnn.adapters.http.room import Doors
from stream_rnn.adapters.oscquery.announce import Announcement
from stream_rnn.adapters.oscquery.listeners import Listener, Listeners
from stream_rnn.adapters.oscquery.tree import (
    Host,
    Namespace,
    SessionInfo,
    command_json,
    covers_all,
    parse_command,
    respond,
)
from stream_rnn.config import DiscoveryConfig
from stream_rnn.control_table import TABLE
from stream_rnn.control_values import refuses
from stream_rnn.errors import ConfigError, ProtocolError
from stream_rnn.stage.stage import Stage
from stream_rnn.wire.access import Access, AllowList, is_loopback
from stream_rnn.wire.hosts import Authority

log = logging.getLogger("stream_rnn.discovery")

MAX_COMMAND = 4096  # bytes
CONNECTIONS = 128
PER_ADDRESS = 16  # connections of one address of another machine
GRACE = 0.2  # seconds that clients have to close at shutdown
PATIENCE = 5.0  # seconds that a client may take to read one message
TRY_AGAIN_LATER = 1013


class _Infos(Mapping[str, SessionInfo]):
    """The stage's sessions as the tree shows them, each made when it is asked for."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __getitem__(self, name: str) -> SessionInfo:
        session = self._stage.sessions[name]
        choices = {
            name: session.card.artists if row.kind == "blend" else row.choices
            for name, row in TABLE.items()
        }
        return SessionInfo(
            f"{session.card.title or session.card.name}, {session.status.value}",
            session.controls.to_json(),
            {name: words for name, words in choices.items() if words},
            frozenset(name for name in TABLE if refuses(session.card, name)),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._stage.sessions)

    def __len__(self) -> int:
        return len(self._stage.sessions)


class Discovery:
    """The OSCQuery server, and its announcement if other machines can reach it.

    Args:
        attention: gives turns to those that ask.
        host: the address that OSC listens on, and this server, too.
        allow: the addresses that may send OSC, which may also ask here.
        token: the token that every client has to give, as to the web server.

    Raises:
        ConfigError: zeroconf is needed and not installed.
    """

    def __init__(
        self,
        stage: Stage,
        attention: Attention,
        host: str,
        allow: AllowList,
        config: DiscoveryConfig,
        token: str | None = None,
    ) -> None:
        self._attention = attention
        self._host, self._config = host, config
        self._namespace = Namespace(_Infos(stage))
        self._listeners = Listeners(self._namespace)
        stage.observe(self._listeners.tell)
        self._announcement = None if is_loopback(host) else Announcement(config.name)
        self._access = Access(is_loopback(host), token)
        self._allow = allow
        self._tasks: list[asyncio.Task[None]] = []
        self._server: HttpServer | None = None
        self.port = 0

    @property
    def listening(self) -> int:
        """How many clients are connected by WebSocket."""
        return len(self._listeners)

    async def start(self, osc_port: int) -> None:
        """Listens, and announces the server.

        Raises:
            ConfigError: the port cannot be listened on.
        """
        try:
            listener = bind(self._host, self._config.port or 0)
            listener.listen()  # now, so that early clients wait and are not refused
        except OSError as error:
            raise ConfigError(
                f"cannot listen for OSCQuery on {self._host}:{self._config.port} "
                f"({error.strerror}); choose another [discovery] port, or 0 for any"
            ) from None
        address, self.port = listener.getsockname()[:2]
        named = None if address in ("0.0.0.0", "::") else address
        host = Host(self._config.name, named, osc_port, self.port)
        refusals = RefusalLog()
        config = DoorConfig(
            Guard(self._app(host), self._rules, refusals),
            Doors(CONNECTIONS, PER_ADDRESS),
            self._attention,
            refusals,
            ws_max_size=MAX_COMMAND,
            proxy_headers=False,
        )
        self._server = HttpServer(config, GRACE)
        self._tasks = [asyncio.create_task(self._server.serve([listener]))]
        log.info("OSCQuery on http://%s:%d", self._host, self.port)
        if self._announcement is not None:
            ports = {"_oscjson._tcp": self.port, "_osc._udp": osc_port}
            self._tasks.append(asyncio.create_task(self._announcement.start(address, ports)))
        for task in self._tasks:
            task.add_done_callback(_tell_failure)

    async def stop(self) -> None:
        """Stops the server, and withdraws the announcement."""
        for task in self._tasks[1:]:
            task.cancel()
        if self._server is not None:
            self._server.should_exit = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._announcement is not None:
            await self._announcement.stop()

    def _rules(self, scope: Scope, headers: Headers, preflight: bool) -> Refusal | None:
        """Refuses addresses that may not send OSC, and pages of other sites."""
        client = scope.get("client") or ("",)
        if not self._allow.admits(client[0]):
            return 403, f"{client[0]} is not in the list [osc] allow"
        if not is_ours(headers.get("host", "")):
            return 421, "call this server by its IP address, or by a name that ends in .local"
        query = scope.get("query_string", b"").decode("latin-1")
        return self._access.refusal(headers, query, preflight=preflight)

    async def _sessions(self, account: Account) -> dict[str, msgspec.Raw]:
        """Makes the nodes of all sessions, each in a turn of its own."""
        ready = {}
        for name in list(self._namespace.sessions):
            await account.turn()
            with account.busy():
                if name in self._namespace.sessions:  # it may have been closed in the meantime
                    ready[name] = msgspec.Raw(msgspec.json.encode(self._namespace.session(name)))
        return ready

    def _app(self, host: Host) -> ASGIApp:
        async def get(request: Request) -> Response:
            path = request.scope["path"]
            query = without_token(request.scope["query_string"].decode("latin-1"))
            account = self._attention.account()
            ready = await self._sessions(account) if covers_all(path) else None
            await account.turn()
            with account.busy():
                status, body = respond(self._namespace, host, path, query, ready)
            kind = "application/json" if status == 200 else "text/plain"
            return Response(body, status, media_type=kind)

        async def listen(websocket: WebSocket) -> None:
            listener = self._listeners.add(asyncio.get_running_loop().time())
            if listener is None:
                reason = PlainTextResponse("too many clients are connected; try later\n", 503)
                await websocket.send_denial_response(reason)
                return
            try:
                await websocket.accept()
                async with asyncio.TaskGroup() as tasks:
                    writer = tasks.create_task(_write(websocket, listener))
                    reader = tasks.create_task(
                        _read(websocket, listener, self._listeners, self._attention.account())
                    )
                    # Whichever task ends first cancels the other.
                    writer.add_done_callback(lambda _: reader.cancel())
                    reader.add_done_callback(lambda _: writer.cancel())
            finally:
                self._listeners.remove(listener)

        return Starlette(routes=[WebSocketRoute("/", listen), Route("/{path:path}", get)])


def _tell_failure(task: asyncio.Task[None]) -> None:
    """Logs why a task has ended: the server goes on without OSCQuery, but not in silence."""
    if not task.cancelled() and task.exception() is not None:
        log.error("OSCQuery has ended", exc_info=task.exception())


async def _read(
    websocket: WebSocket, listener: Listener, listeners: Listeners, account: Account
) -> None:
    while (received := await websocket.receive())["type"] != "websocket.disconnect":
        # Clients set values by OSC itself; binary frames, which may carry OSC, are not read.
        if (text := received.get("text")) is not None:
            await account.turn()
            with account.busy():
                _obey(text, listener, listeners)


def _obey(text: str, listener: Listener, listeners: Listeners) -> None:
    try:
        command, path = parse_command(text)
        change = listeners.listen if command == "LISTEN" else listeners.ignore
        change(listener, path)
    except ProtocolError as error:
        listener.put("", command_json("ERROR", str(error)))


async def _write(websocket: WebSocket, listener: Listener) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        while (message := await listener.next()) is not None:
            async with asyncio.timeout(PATIENCE):
                if isinstance(message, str):
                    await websocket.send_text(message)
                else:
                    await websocket.send_bytes(message)
        await websocket.close(TRY_AGAIN_LATER, listener.why)


def is_ours(host: str) -> bool:
    """Whether a `Host` header names this machine. Other names may be part of DNS rebinding."""
    said = Authority.parse(host)
    if said is None:
        return False
    return said.is_address or said.host == "localhost" or said.host.endswith(".local")


def without_token(query: str) -> str:
    """Removes `token=…` from a query, which then is empty or names an attribute."""
    return "&".join(part for part in query.split("&") if not part.startswith("token="))
