"""The web server: HTTP and WebSocket, behind doors that limit its clients."""

from __future__ import annotations

import logging
import socket

from stream_rnn.adapters.http.doors import DoorConfig
from stream_rnn.adapters.http.host import HttpServer, bind
from stream_rnn.adapters.http.refusals import RefusalLog
from stream_rnn.adapters.http.room import Doors
from stream_rnn.adapters.web.app import make_app
from stream_rnn.adapters.web.websocket import Clients
from stream_rnn.clock import Clock
from stream_rnn.descriptors import allow
from stream_rnn.errors import ConfigError
from stream_rnn.interfaces import own_addresses, reached_by
from stream_rnn.serve.options import ServeOptions
from stream_rnn.stage.stage import Stage
from stream_rnn.wire.access import Access, is_loopback
from stream_rnn.wire.messages import MAX_MESSAGE

log = logging.getLogger("stream_rnn")

GRACE = 0.5  # seconds that requests have to end in at shutdown


def listen(options: ServeOptions) -> socket.socket:
    """A socket that listens on the configured address.

    Raises:
        ConfigError: the address is taken or not this machine's.
    """
    try:
        return bind(options.host, options.port)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {options.host}:{options.port} ({error}); choose another --port, "
            "or 0 for any"
        ) from None


def make_web_server(
    options: ServeOptions, stage: Stage, clock: Clock, clients: Clients
) -> HttpServer:
    """The server, not started yet."""
    names = () if is_loopback(options.host) else (socket.gethostname(),)
    access = Access.of(options.host, options.token, options.origins, names)
    refusals = RefusalLog()
    app = make_app(stage, clock, clients, access, refusals, options.page)
    room = allow(options.connections)
    if room < options.connections:
        log.warning(
            "at most %d connections instead of %d: this process may open no more files "
            "(ulimit -n; systemd: LimitNOFILE)", room, options.connections,
        )  # fmt: skip
    doors = Doors(room, options.per_address)
    config = DoorConfig(app, doors, clients.attention, refusals, ws_max_size=MAX_MESSAGE)
    return HttpServer(config, GRACE)


def addresses(listener: socket.socket) -> list[str]:
    """The addresses at which a server is reached, those that others can use first."""
    bound, port = listener.getsockname()[:2]
    return [f"http://{host}:{port}" for host in reached_by(bound, own_addresses())]
