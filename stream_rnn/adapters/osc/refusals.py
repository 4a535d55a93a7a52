"""Tells OSC senders of their mistakes, and of failures in the server."""

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

QUIET = 60.0  # seconds between log entries about failures in the server
COST = 1.0  # cost of an error answer


class Refusals:
    """Answers senders with errors, and charges them for it."""

    def __init__(self, stage: Stage, clock: Clock, peers: Peers) -> None:
        self._stage, self._now, self._peers = stage, clock.now, peers
        self._failed_at = -math.inf

    def tell(self, peer: OscPeer, error: ProtocolError, address: str | None = None) -> None:
        """Tells a sender what it did wrong in a message to an address."""
        self._peers.charge(peer, COST)
        self._stage.refuse(peer, error, id=address)

    @contextlib.contextmanager
    def answering(self, peer: OscPeer, address: str) -> Iterator[None]:
        """Tells the sender of an error in the block, so that the rest of its packet is done."""
        try:
            yield
        except ProtocolError as error:
            self.tell(peer, error, address)
        except Exception:  # a bug in the server; the sender gets an answer all the same
            self._stage.counters.osc_failed += 1
            if self._now() - self._failed_at >= QUIET:
                self._failed_at = self._now()
                log.exception("cannot handle the OSC message %.200s", address)
            told = ProtocolError("internal", "the server failed at this message; see its log")
            self.tell(peer, told, address)
