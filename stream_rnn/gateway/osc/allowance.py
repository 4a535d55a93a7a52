"""How much may be sent to us. No I/O; the time is passed in."""

from __future__ import annotations

from stream_rnn.gateway.access import is_loopback

MAX_HOSTS = 1024
SHARE = 4  # senders' worth of packets that a machine may send, from however many ports
OWN_SHARE = 32  # and this machine


class Bucket:
    """An allowance that fills up with time: so many a second, and at once."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._left, self._at = rate, rate, now

    def take(self, now: float) -> bool:
        """Takes one, if there is one left."""
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Hosts:
    """What each machine may send, whatever ports it sends from, and when it was last heard.

    Args:
        rate: packets a second of one sender.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._buckets: dict[str, Bucket] = {}
        self._heard: dict[str, float] = {}  # the longest silent stands first

    def may_send(self, host: str, now: float) -> bool:
        """Takes a packet from a machine's allowance, if any is left."""
        bucket = self._buckets.get(host)
        if bucket is None:
            share = OWN_SHARE if is_loopback(host) else SHARE
            bucket = self._buckets[host] = Bucket(share * self._rate, now)
        self._heard.pop(host, None)
        self._heard[host] = now
        if len(self._heard) > MAX_HOSTS:
            oldest = next(iter(self._heard))
            del self._heard[oldest], self._buckets[oldest]
        return bucket.take(now)

    def heard_at(self, host: str) -> float:
        """When something came from a machine; long ago, if that is forgotten."""
        return self._heard.get(host, float("-inf"))
