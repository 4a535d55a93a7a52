"""The HTTP routes: the page, health, metrics, and the lists of models and sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict
from prometheus_client import CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from stream_rnn.adapters.http.attention import Attention
from stream_rnn.adapters.web.websocket import model_info
from stream_rnn.stage.stage import Stage

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _Page(StaticFiles):
    """The page's files. Browsers revalidate them, lest an old page talk to an upgraded server."""

    async def get_response(self, path: str, scope: Any) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def session_json(stage: Stage, name: str) -> dict[str, Any]:
    """One session, as `/v1/sessions` shows it."""
    session = stage.sessions[name]
    return {
        "session": name,
        "model": session.card.name,
        "status": session.status.value,
        "position": session.position,
        "epoch": session.epoch,
        "seed": session.controls.seed,
        "controls": session.controls.to_json(),
        "viewers": stage.viewers(name),
    }


def health_json(stage: Stage) -> dict[str, Any]:
    """The engines as `/healthz?verbose` shows them."""
    engines = [
        {
            "up": link.up,
            "sessions": link.sessions,
            "device": link.ready and link.ready.device,
            "numerics": link.ready and link.ready.numerics,
        }
        for link in stage.engines
    ]
    return {"ok": stage.engines.up, "engines": engines}


def routes(
    stage: Stage, registry: CollectorRegistry, page: Path, attention: Attention
) -> list[BaseRoute]:
    """All HTTP routes; the page's files come last, since they match everything."""

    async def healthz(request: Request) -> Response:
        status = 200 if stage.engines.up else 503
        if "verbose" in request.query_params:
            return JSONResponse(health_json(stage), status)
        text = "ok" if stage.engines.up else "the engine is being started anew"
        return PlainTextResponse(f"{text}\n", status)

    async def metrics(request: Request) -> Response:
        account = attention.account()
        await account.turn()
        with account.busy():
            return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    async def models(request: Request) -> Response:
        account = attention.account()
        await account.turn()
        with account.busy():
            shown = [asdict(model_info(stage, name)) for name in sorted(stage.models)]
            return JSONResponse({"models": shown})

    async def sessions(request: Request) -> Response:
        shown, account = [], attention.account()
        for name in sorted(stage.sessions):
            await account.turn()
            with account.busy():
                if name in stage.sessions:  # it may have been closed in the meantime
                    shown.append(msgspec.json.encode(session_json(stage, name)))
        body = b'{"sessions":[' + b",".join(shown) + b"]}"
        return Response(body, media_type="application/json")

    return [
        Route("/healthz", healthz),
        Route("/metrics", metrics),
        Route("/v1/models", models),
        Route("/v1/sessions", sessions),
        Mount("/", _Page(directory=page, html=True)),
    ]
