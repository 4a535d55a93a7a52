"""`stream-rnn bench osc`: how soon an idle server answers an event with the next symbol.

The benchmark works over OSC, as a live-coding program would: it asks a paused session for a step,
or feeds it a symbol and asks for the one that follows, in one bundle. A round trip ends when the
bundle with that next symbol has arrived.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stream_rnn.bench.serve import pick_model, running_server
from stream_rnn.checkpoint import find_models, read_card
from stream_rnn.codecs.base import Codec
from stream_rnn.errors import DataError, ProtocolError, StreamRnnError
from stream_rnn.wire import messages as wire
from stream_rnn.wire import osc
from stream_rnn.wire.osc_requests import requests

HOST = "127.0.0.1"
SESSION = "bench"
PATIENCE = 2.0  # seconds; UDP may lose a packet, and then the measurement is void
WARM_UP = 50
PAUSE = 0.02
SYMBOLS = {f"/rnn/{SESSION}/{kind}" for kind in ("char", "frame", "event", "gesture")}
FEED = f"/rnn/{SESSION}/feed"
# Typical feeds. If a codec accepts none of them, `feed_of` takes one of the codec's own symbols.
FEEDS: tuple[tuple[Any, ...], ...] = (("a",), (60, 64, 67), ("on", 60), ("x", 0.5), ("D2",))
TITLES = {"step_ms": "step, symbol", "feed_step_ms": "feed and step, symbol"}
ALLOWED = {"median": 2.0, "p99": 5.0}  # milliseconds, on an idle machine


def bench_osc(*, models: Path, model: str | None, round_trips: int = 500) -> dict[str, Any]:
    """Runs the measurement; see `describe` for what the result says.

    Raises:
        StreamRnnError: the server did not start or did not answer, or there is no such model.
    """
    feeds = {name: feed_of(read_card(path).make_codec()) for name, path in _folders(models)}
    name = pick_model([name for name, feed in feeds.items() if feed], model, "be fed over OSC")
    port = _free_port()
    with running_server(models, "--osc-port", str(port)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plug:
            plug.settimeout(PATIENCE)
            plug.connect((HOST, port))
            _open(plug, name)
            step = osc.message_bytes(f"/rnn/{SESSION}/step", 1)
            feed_step = osc.bundle_bytes(
                0.0,  # long ago: at once
                [(FEED, feeds[name]), (f"/rnn/{SESSION}/step", (1,))],
            )
            return {
                "model": name,
                "fed": list(feeds[name]),
                "round_trips": round_trips,
                "step_ms": _measure(plug, step, 1, round_trips),
                # The fed symbol comes back first.
                "feed_step_ms": _measure(plug, feed_step, 2, round_trips),
            }


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _folders(models: Path) -> Iterable[tuple[str, Path]]:
    return find_models(models).items()


def feed_of(codec: Codec) -> tuple[Any, ...]:
    """Arguments of `/rnn/SESSION/feed` that are one symbol of a codec; () if it has none."""
    known = (symbol for symbol in range(1, codec.size) if symbol not in codec.suppressed)
    said = (_arguments(codec.event(symbol)) for symbol in known)
    candidates = itertools.chain(FEEDS, said)
    return next((found for found in candidates if found and _is_one_symbol(found, codec)), ())


def _is_one_symbol(arguments: tuple[Any, ...], codec: Codec) -> bool:
    (request,) = requests(FEED, arguments, [SESSION])
    assert isinstance(request, wire.Feed)
    try:
        symbols = codec.parse(request.symbols)
    except (DataError, ProtocolError):
        return False
    # A character outside the vocabulary is one symbol, too: the unknown, which is suppressed.
    return len(symbols) == 1 and symbols[0] not in codec.suppressed


def _arguments(shown: dict[str, Any]) -> tuple[Any, ...]:
    """A symbol's event as OSC arguments."""
    if "text" in shown:
        return (shown["text"],)
    event = shown.get("event", {})
    return tuple(x for item in event.items() for x in item)


def _open(plug: socket.socket, model: str) -> None:
    plug.send(osc.message_bytes(f"/rnn/{SESSION}/open", model, 1, "paused"))
    plug.send(osc.message_bytes("/rnn/subscribe", SESSION))
    while f"/rnn/{SESSION}/opened" not in _addresses(plug):
        pass


def _measure(plug: socket.socket, request: bytes, symbols: int, count: int) -> dict[str, float]:
    """Round trips in milliseconds: from the request until `symbols` symbols have arrived."""
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
    """The addresses of the next packet's messages.

    Raises:
        StreamRnnError: no packet came in time, or it was an error.
    """
    try:
        messages = osc.parse_packet(plug.recv(osc.MAX_PACKET))
    except TimeoutError:
        raise StreamRnnError(f"no answer within {PATIENCE:g} s") from None
    for message in messages:
        if message.address == "/rnn/error":
            raise StreamRnnError(f"the server refused: {message.arguments}")
    return [message.address for message in messages]


def breaches(result: dict[str, Any]) -> list[str]:
    """The bounds, meant for an idle machine, that this result misses; a line for each."""
    return [
        f"{title}: {name} {result[key][name]} ms, not {allowed:g} ms"
        for key, title in TITLES.items()
        for name, allowed in ALLOWED.items()
        if result[key][name] > allowed
    ]


def describe(result: dict[str, Any]) -> str:
    """A result for people."""
    lines = [f"{result['round_trips']} round trips over OSC each, a paused session of "
             f"{result['model']!r}:"]  # fmt: skip
    for name, title in TITLES.items():
        took = result[name]
        lines.append(f"  {title:<22} median {took['median']} ms, p99 {took['p99']} ms, "
                     f"max {took['max']} ms")  # fmt: skip
    return "\n".join(lines)
