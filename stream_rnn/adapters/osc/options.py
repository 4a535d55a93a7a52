"""What bounds OSC clients."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stream_rnn.config import OscConfig
from stream_rnn.wire.access import AllowList


@dataclass(frozen=True)
class OscOptions:
    """What bounds OSC clients.

    Attributes:
        allow: whose packets are taken.
        latency: added to the due time in what subscribers get, in seconds.
        ahead: how far ahead an incoming timetag may lie, in seconds.
        waiting: how many messages may wait for their timetag.
        rate: packets a second that one sender may send, on average and at once.
        errors: that one sender is told of in a second.
        peers: senders without a subscription that are remembered.
        subscriptions: how many there may be.
        forget_after: seconds after which a sender without subscriptions is forgotten.
        timetags: whether bundles are done at their time; if not, all are done at once.
        lease: seconds after which a subscription ends if nothing came from its machine; none ends
            so on this machine, where it is known who listens.
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
        """What a configuration says.

        Raises:
            ConfigError: an address beyond the loopback without an allow-list, or a bad one.
        """
        allow = AllowList.parse(config.host, config.allow)
        return cls(
            allow=allow,
            latency=config.latency,
            rate=config.rate,
            timetags=config.timetags == "heed",
            lease=config.lease or math.inf,
        )
