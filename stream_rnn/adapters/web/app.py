"""The web side's application: the routes behind the rules of access."""

from __future__ import annotations

import logging
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Scope
from starlette.websockets import WebSocket

from stream_rnn.adapters.http.guard import Guard, Refusal
from stream_rnn.adapters.http.refusals import RefusalLog
from stream_rnn.adapters.web.http import routes
from stream_rnn.adapters.web.metrics import make_registry
from stream_rnn.adapters.web.websocket import Clients, run_connection
from stream_rnn.clock import Clock
from stream_rnn.stage.stage import Stage
from stream_rnn.wire.access import Access

NO_UPGRADE = (
    "this address is for WebSocket clients; a proxy in front of the server has to hand on the "
    'headers Upgrade and Connection, by HTTP/1.1: docs/installing.md, "Behind a proxy"'
)

NOTHING = (
    "there is nothing at this address. The page is at /; a proxy that offers it under a path has "
    'to take that path away: docs/installing.md, "Behind a proxy"'
)

log = logging.getLogger("stream_rnn.web")


def make_app(
    stage: Stage, clock: Clock, clients: Clients, access: Access, refusals: RefusalLog, page: Path
) -> ASGIApp:
    """Builds the web server's application: all of its routes, behind the rules of access.

    Args:
        page: folder that holds the page's files.
    """

    async def stream(websocket: WebSocket) -> None:
        await run_connection(websocket, stage, clock, clients)

    async def no_upgrade(request: Request) -> Response:
        # nginx drops Upgrade and Connection by default, but hands on the other headers.
        if "sec-websocket-key" in request.headers:
            client = request.client.host if request.client else ""
            what = "a WebSocket handshake without its Upgrade header (426)"
            if line := refusals.line(clock.now(), client, what, NO_UPGRADE):
                log.warning("%s", line)
        return PlainTextResponse(f"{NO_UPGRADE}\n", 426, {"Upgrade": "websocket"})

    async def elsewhere(websocket: WebSocket) -> None:
        said = f"there is no WebSocket at {websocket.scope['path']}; it is at /v1/stream\n"
        await websocket.send_denial_response(PlainTextResponse(said, 404))

    async def nothing(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{NOTHING}\n", 404)

    def rules(scope: Scope, headers: Headers, preflight: bool) -> Refusal | None:
        query = scope.get("query_string", b"").decode("latin-1")
        return access.refusal(headers, query, preflight=preflight)

    registry = make_registry(stage, clients)
    sockets = [WebSocketRoute("/v1/stream", stream), WebSocketRoute("/{path:path}", elsewhere)]
    plain = Route("/v1/stream", no_upgrade)
    app = Starlette(
        routes=[*sockets, plain, *routes(stage, registry, page, clients.attention)],
        exception_handlers={404: nothing},
    )
    return Guard(app, rules, refusals, guarded=_guarded, allows=access.allows)


def _guarded(path: str) -> bool:
    # Supervisors ask for /healthz by IP address and without a token. The page's files are no
    # secret, and a browser fetches them without a token.
    return path.startswith("/v1/") or path == "/metrics"
