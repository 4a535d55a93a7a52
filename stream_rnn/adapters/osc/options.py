"""The limits and settings of the OSC server."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stream_rnn.config import OscConfig
from stream_rnn.wire.access import AllowList


@dataclass(frozen=True)
class OscOptions:
    """The limits and settings of the OSC server.

    Attributes:
        allow: addresses whose packets are taken.
        latency: seconds added to the timetags that subscribers get.
        ahead: how far ahead an incoming timetag may lie, in seconds.
        waiting: how many messages may wait for their timetag.
        rate: packets that one sender may send, a second on average, and at once.
        errors: error answers that one sender gets in a second.
        peers: how many senders without a subscription are remembered.
        subscriptions: how many there may be.
        forget_after: seconds after which a sender without subscriptions is forgotten.
        timetags: whether bundles are done at their time; if not, all are done at once.
        lease: seconds after which a subscription ends if nothing came from its machine. It does
            not apply to this machine, where we can see whether a program listens.
    """

    allow: AllowList = AllowList()
    latency: float = 0.0
    ahead: float = 10.0
    waiting: int = 4096
    rate: int = 2000
    errors: int = 50
    peers: int = 256
    subscriptions: int = 256
    forget_after: float = 60.0
    timetags: bool = True
    lease: float = 3600.0

    @classmethod
    def of(cls, config: OscConfig) -> OscOptions:
        """Makes the options from a configuration.

        Raises:
            ConfigError: a host beyond the loopback has no allow-list, or the list is malformed.
        """
        allow = AllowList.parse(config.host, config.allow)
        return cls(
            allow=allow,
            latency=config.latency,
            rate=config.rate,
            timetags=config.timetags == "heed",
            lease=config.lease or math.inf,
        )
