"""What OSC senders are told of their mistakes, and of ours."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator

from stream_rnn.adapters.osc.peer import OscPeer
from stream_rnn.adapters.osc.peers import Peers
from stream_rnn.clock import Clock
from stream_rnn.errors import ProtocolError
from stream_rnn.stage.stage import Stage

log = logging.getLogger("stream_rnn.osc")

QUIET = 60.0  # seconds between reports of our own failures
COST = 1.0  # of an answer to a mistake


class Refusals:
    """Tells senders, at their cost."""

    def __init__(self, stage: Stage, clock: Clock, peers: Peers) -> None:
        self._stage, self._now, self._peers = stage, clock.now, peers
        self._failed_at = -math.inf

    def tell(self, peer: OscPeer, error: ProtocolError, address: str | None = None) -> None:
        """Tells a sender what it did wrong in a message to an address."""
        self._peers.charge(peer, COST)
        self._stage.refuse(peer, error, id=address)

    @contextlib.contextmanager
    def answering(self, peer: OscPeer, address: str) -> Iterator[None]:
        """Tells the sender what went wrong; what comes after in its packet is done all the same."""
        try:
            yield
        except ProtocolError as error:
            self.tell(peer, error, address)
        except Exception:  # a bug of ours, which is nobody's reason to be left without an answer
            self._stage.counters.osc_failed += 1
            if self._now() - self._failed_at >= QUIET:
                self._failed_at = self._now()
                log.exception("cannot do %.200s", address)
            told = ProtocolError("internal", "the server failed at this; its log says how")
            self.tell(peer, told, address)
