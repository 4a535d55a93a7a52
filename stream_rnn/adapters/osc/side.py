"""Starts and stops all of OSC: the socket and the targets."""

from __future__ import annotations

import asyncio
import logging

from stream_rnn.adapters.osc.options import OscOptions
from stream_rnn.adapters.osc.socket import OscServer
from stream_rnn.adapters.osc.targets import Targets
from stream_rnn.clock import Clock
from stream_rnn.config import Config
from stream_rnn.errors import ConfigError
from stream_rnn.stage.stage import Stage

log = logging.getLogger("stream_rnn")

SWEEP = 5.0  # seconds between checks for subscribers that have gone


class OscSide:
    """OSC in and out.

    Args:
        port: the port to listen on; 0 for any free one.
        token: the token that other machines have to send first; None if they need not.

    Raises:
        ConfigError: a host, an allow-list or a template is invalid.
    """

    def __init__(
        self, stage: Stage, clock: Clock, config: Config, port: int, token: str | None = None
    ) -> None:
        self._stage, self._config, self._port = stage, config, port
        self.server = OscServer(stage, clock, OscOptions.of(config.osc), token)
        self._targets = Targets(config.osc.target, self.server, clock)
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listens, and adds the targets to the stage.

        Raises:
            ConfigError: the address cannot be listened on, or a target cannot be reached.
        """
        host = self._config.osc.host
        try:
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self.server, local_addr=(host, self._port), allow_broadcast=True
            )
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"cannot listen for OSC on {host}:{self._port} ({reason}); "
                "choose another --osc-port, or --no-osc"
            ) from None
        for sink in await self._targets.open():
            self._stage.add_sink(sink)
        self._sweep()
        where, port = self.server.local
        log.info("OSC on udp://%s:%d", f"[{where}]" if ":" in where else where, port)

    def _sweep(self) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP, self._sweep)
        self.server.sweep()

    def end_notes(self) -> None:
        """Ends all notes at targets and subscribers, then closes the sockets."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._targets.close()
        self.server.stop()
