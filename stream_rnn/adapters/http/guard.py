"""The middleware of both HTTP servers: checks rules of access, adds CORS, logs refusals."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from stream_rnn.adapters.http.refusals import RefusalLog

MAX_HEADERS = 100
MAX_HEADER = 8000  # bytes of one header, and of the path with its query
MAX_HEAD = 16_384  # bytes of all headers together
SINGLE = ("host", "origin", "authorization")
METHODS = "GET, HEAD, OPTIONS"

Refusal = tuple[int, str]


def excess(target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Refusal | None:
    """Returns a refusal (HTTP status, reason) if a request's head is larger than clients need."""
    if len(target) > MAX_HEADER:
        return 414, f"the address is longer than {MAX_HEADER} bytes"
    if len(headers) > MAX_HEADERS:
        return 431, f"there are more than {MAX_HEADERS} headers"
    sizes = [len(name) + len(value) + 4 for name, value in headers]
    if max(sizes, default=0) > MAX_HEADER:
        return 431, f"a header is longer than {MAX_HEADER} bytes"
    if sum(sizes) > MAX_HEAD:
        return 431, f"the headers together are longer than {MAX_HEAD} bytes"
    return None


class Guard:
    """Checks requests against rules before the application sees them.

    Args:
        app: the application, which gets the requests that are not refused.
        rules: called with a request's scope, its headers and whether it is a preflight; returns
            a refusal, or None.
        refusals: decides which refusals are logged.
        guarded: whether the rules apply to a path.
        allows: whether pages of an origin may read answers. They get CORS headers.
    """

    def __init__(
        self,
        app: ASGIApp,
        rules: Callable[[Scope, Headers, bool], Refusal | None],
        refusals: RefusalLog,
        *,
        guarded: Callable[[str], bool] = lambda path: True,
        allows: Callable[[str | None], bool] = lambda origin: False,
    ) -> None:
        self._app, self._rules, self._refusals = app, rules, refusals
        self._guarded, self._allows = guarded, allows
        self._log = logging.getLogger("stream_rnn.web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        options = scope["type"] == "http" and scope["method"] == "OPTIONS"
        preflight = options and "access-control-request-method" in headers
        refusal = self._refusal(scope, headers, preflight)
        if not self._guarded(scope["path"]) and (refusal is None or refusal[0] not in (414, 431)):
            await self._app(scope, receive, send)
            return
        if self._allows(headers.get("origin")):
            send = _with_cors(send, headers)
        elif scope["type"] == "http":
            send = _varying(send)
        if refusal is not None:
            self._tell(scope, *refusal)
            response: Response = PlainTextResponse(f"{refusal[1]}\n", refusal[0])
        elif options:
            response = Response(status_code=204, headers={"Allow": METHODS})
        else:
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await response(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers, preflight: bool) -> Refusal | None:
        target = scope.get("raw_path", b"") + b"?" + scope.get("query_string", b"")
        if refusal := excess(target, scope["headers"]):
            return refusal
        for name in SINGLE:
            if len(headers.getlist(name)) > 1:
                return 400, f"there is more than one {name} header"
        return self._rules(scope, headers, preflight)

    def _tell(self, scope: Scope, status: int, reason: str) -> None:
        kind = "WebSocket" if scope["type"] == "websocket" else scope["method"]
        client = (scope.get("client") or ("",))[0]
        now = asyncio.get_running_loop().time()
        if line := self._refusals.line(now, client, f"{kind} {scope['path']} ({status})", reason):
            self._log.warning("%s", line)


def _with_cors(send: Send, request: Headers) -> Send:
    """Adds CORS headers, by which the browser lets the asking page read the answer."""
    allowed = {
        "Access-Control-Allow-Origin": request["origin"],
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "600",
    }
    # Chromium wants this consent when a page from the public network asks a local server.
    if "access-control-request-private-network" in request:
        allowed["Access-Control-Allow-Private-Network"] = "true"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in allowed.items():
                headers[name] = value
            headers.add_vary_header("Origin")
        await send(message)

    return sending


def _varying(send: Send) -> Send:
    """Adds `Vary: Origin`: caches must not give one origin's answer to another."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).add_vary_header("Origin")
        await send(message)

    return sending
