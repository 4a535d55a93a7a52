"""`stream-rnn bench osc`: how soon an idle server answers an event with the next symbol.

Over OSC, as a live-coding program would: a paused session is asked for a step, or fed a symbol
and asked for the one that follows it, in one bundle. A round trip ends when the bundle with
that next symbol has arrived.
"""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stream_rnn.bench.serve import running_server
from stream_rnn.errors import StreamRnnError
from stream_rnn.wire import osc

HOST = "127.0.0.1"
SESSION = "bench"
PATIENCE = 2.0  # seconds; UDP may lose a packet, and then the measurement is void
WARM_UP = 50
PAUSE = 0.02
SYMBOLS = {f"/rnn/{SESSION}/{kind}" for kind in ("char", "frame")}
FEEDS: dict[str, tuple[Any, ...]] = {"text": ("a",), "pianoroll": (60, 64, 67)}


def bench_osc(*, models: Path, model: str | None, round_trips: int = 500) -> dict[str, Any]:
    """Runs the measurement; see `describe` for what the result says.

    Raises:
        StreamRnnError: the server did not start or did not answer, or there is no such model.
    """
    port = _free_port()
    with running_server(models, "--osc-port", str(port)) as (_, address):
        name, domain = _pick(address, model)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plug:
            plug.settimeout(PATIENCE)
            plug.connect((HOST, port))
            _open(plug, name)
            step = osc.message_bytes(f"/rnn/{SESSION}/step", 1)
            feed_step = osc.bundle_bytes(
                0.0,  # long ago: at once
                [(f"/rnn/{SESSION}/feed", FEEDS[domain]), (f"/rnn/{SESSION}/step", (1,))],
            )
            return {
                "model": name,
                "round_trips": round_trips,
                "step_ms": _measure(plug, step, 1, round_trips),
                # What is fed comes back first.
                "feed_step_ms": _measure(plug, feed_step, 2, round_trips),
            }


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _pick(address: str, model: str | None) -> tuple[str, str]:
    with urllib.request.urlopen(f"{address}/v1/models") as response:
        domains = {m["name"]: m["domain"] for m in json.load(response)["models"]}
    known = [name for name, domain in domains.items() if domain in FEEDS]
    if not known or model not in (None, *known):
        raise StreamRnnError(f"bench osc feeds models of {', '.join(FEEDS)}: {', '.join(known)}")
    name = model or known[0]
    return name, domains[name]


def _open(plug: socket.socket, model: str) -> None:
    plug.send(osc.message_bytes(f"/rnn/{SESSION}/open", model, 1, "paused"))
    plug.send(osc.message_bytes("/rnn/subscribe", SESSION))
    while f"/rnn/{SESSION}/opened" not in _addresses(plug):
        pass


def _measure(plug: socket.socket, request: bytes, symbols: int, count: int) -> dict[str, float]:
    """Round trips in milliseconds: the request, until so many symbols have come."""
    took = []
    for _ in range(WARM_UP + count):
        time.sleep(PAUSE)
        sent = time.perf_counter()
        plug.send(request)
        left = symbols
        while left > 0:
            left -= sum(address in SYMBOLS for address in _addresses(plug))
        took.append(1000 * (time.perf_counter() - sent))
    return _summary(took[WARM_UP:])


def _summary(milliseconds: Iterable[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    ranks = {"median": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": -1}
    return {name: round(ordered[rank], 2) for name, rank in ranks.items()}


def _addresses(plug: socket.socket) -> list[str]:
    """What the next packet says, by address.

    Raises:
        StreamRnnError: none came in time, or it was an error.
    """
    try:
        messages = osc.parse_packet(plug.recv(osc.MAX_PACKET))
    except TimeoutError:
        raise StreamRnnError(f"no answer within {PATIENCE:g} s") from None
    for message in messages:
        if message.address == "/rnn/error":
            raise StreamRnnError(f"the server refused: {message.arguments}")
    return [message.address for message in messages]


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    lines = [f"{result['round_trips']} round trips over OSC each, a paused session of "
             f"{result['model']!r}:"]  # fmt: skip
    for name, title in (("step_ms", "step, symbol"), ("feed_step_ms", "feed and step, symbol")):
        took = result[name]
        lines.append(f"  {title:<22} median {took['median']} ms, p99 {took['p99']} ms, "
                     f"max {took['max']} ms")  # fmt: skip
    return "\n".join(lines)
