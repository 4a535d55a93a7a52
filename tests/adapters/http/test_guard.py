"""The guard by itself: an application that answers, and requests as ASGI has them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from stream_rnn.adapters.http.guard import Guard, excess
from stream_rnn.adapters.http.refusals import RefusalLog
from stream_rnn.wire.access import Access

STAGE = "https://stage.example"
HOST = ("host", "127.0.0.1:8765")


def ask(
    *headers: tuple[str, str], method: str = "GET", path: str = "/v1/models", token: str = ""
) -> tuple[int, Headers, str]:
    """Status, headers and text of the answer."""
    access = Access.of("127.0.0.1", token or None, ["HTTPS://Stage.example:443/"])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("the answer", headers={"Vary": "Accept"})(scope, receive, send)

    guard = Guard(
        app,
        lambda scope, headers, preflight: access.refusal(headers, "", preflight=preflight),
        RefusalLog(),
        guarded=lambda path: path.startswith("/v1/"),
        allows=access.allows,
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": b"", "client": ("10.0.0.7", 5),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
    }  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], Headers(raw=sent[0]["headers"]), body.decode()


def test_a_page_that_was_allowed_may_read_answers() -> None:
    status, headers, text = ask(HOST, ("origin", STAGE))
    assert (status, text) == (200, "the answer")
    assert headers["access-control-allow-origin"] == STAGE
    assert headers["vary"] == "Accept, Origin"
    assert "access-control-allow-credentials" not in headers


def test_a_preflight_is_answered_without_the_token_and_the_request_is_not() -> None:
    asked = (HOST, ("origin", STAGE), ("access-control-request-method", "GET"))
    status, headers, text = ask(*asked, method="OPTIONS", token="t")
    assert (status, text) == (204, "")
    assert headers["access-control-allow-origin"] == STAGE
    assert "GET" in headers["access-control-allow-methods"]
    assert "authorization" in headers["access-control-allow-headers"].lower()
    assert headers["vary"] == "Origin"
    # The page can read why it is refused.
    status, headers, text = ask(HOST, ("origin", STAGE), token="t")
    assert status == 401 and "token" in text
    assert headers["access-control-allow-origin"] == STAGE
    # What is no preflight needs the token, whatever its method.
    assert ask(HOST, ("origin", STAGE), method="OPTIONS", token="t")[0] == 401


def test_a_private_network_is_opened_to_pages_that_were_allowed() -> None:
    asked = (("access-control-request-method", "GET"),
             ("access-control-request-private-network", "true"))  # fmt: skip
    _, headers, _ = ask(HOST, ("origin", STAGE), *asked, method="OPTIONS")
    assert headers["access-control-allow-private-network"] == "true"
    status, headers, _ = ask(HOST, ("origin", "http://evil.example"), *asked, method="OPTIONS")
    assert status == 403 and not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8765", "http://evil.example", "null", None])
def test_other_pages_get_no_leave_and_caches_are_told_that_it_depends(origin: str | None) -> None:
    given = [("origin", origin)] if origin else []
    _, headers, _ = ask(HOST, *given)
    assert not [name for name in headers if name.startswith("access-control")]
    assert "Origin" in headers["vary"]


def test_paths_without_rules_are_answered_to_all_but_no_head_is_endless() -> None:
    assert ask(("host", "evil.example"), path="/healthz")[0] == 200
    many = [("x", "y")] * 100
    assert ask(HOST, *many, path="/healthz")[0] == 431


@pytest.mark.parametrize("name", ["host", "origin", "authorization"])
def test_a_header_that_decides_comes_once(name: str) -> None:
    status, _, text = ask(HOST, (name, "127.0.0.1:8765"), (name, "127.0.0.1:8765"))
    assert status == 400 and name in text


def test_heads_have_bounds() -> None:
    assert excess(b"/" * 8000, [(b"a", b"b")] * 100) is None
    for target, headers, status, what in [
        (b"/" * 8001, [], 414, "address"),
        (b"/", [(b"a", b"b")] * 101, 431, "more than 100"),
        (b"/", [(b"a", b"b" * 8000)], 431, "a header is longer"),
        (b"/", [(b"a", b"b" * 6000)] * 3, 431, "together"),
    ]:
        refusal = excess(target, headers)
        assert refusal is not None and refusal[0] == status and what in refusal[1]


def test_a_refusal_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ask(HOST, ("origin", "http://evil.example"))
    (line,) = caplog.messages
    assert line.startswith("refused 10.0.0.7: GET /v1/models (403): pages from http://evil.example")
    assert "--origin http://evil.example" in line
